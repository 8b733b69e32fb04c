// A gate that the test opens.
#ifndef TASKWATCH_TESTS_FAKES_FAKE_CALL_GATE_H_
#define TASKWATCH_TESTS_FAKES_FAKE_CALL_GATE_H_

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

#include "service/quota/call_gate.h"
#include "service/runtime/event_loop.h"
#include "service/task/priority.h"

namespace taskwatch {

// Answers in the loop's next turn, unless it is to hold. The loop must outlive it, and run nothing once it is
// destroyed.
class FakeCallGate final : public CallGate {
 public:
  explicit FakeCallGate(EventLoop* loop) : loop_(loop) {}

  RequestId Acquire(CallRequest request, Done done) override {
    requests.push_back(request);
    if (!hold) {
      loop_->Post([this, done = std::move(done)]() mutable { done(refusal); });
      return ++last_id_;
    }
    waiting.push_back({++last_id_, std::move(request), std::move(done)});
    return last_id_;
  }

  void Join(RequestId id, Priority priority, absl::Time deadline) override {
    EXPECT_LE(id, last_id_);
    EXPECT_NE(id, 0u);
    for (Waiting& call : waiting) {
      if (call.id != id) continue;
      call.request.priority = priority;
      call.request.deadline = deadline;
    }
  }

  bool Cancel(RequestId id) override {
    const auto call =
        std::find_if(waiting.begin(), waiting.end(), [id](const Waiting& candidate) { return candidate.id == id; });
    if (call == waiting.end()) return false;
    waiting.erase(call);
    return true;
  }

  void Report(RequestId id, const absl::Status& outcome) override {
    EXPECT_LE(id, last_id_);
    reported.push_back(outcome);
  }

  // Answers the one that has waited longest.
  void AnswerOne(const absl::Status& permit) {
    ASSERT_FALSE(waiting.empty()) << "nothing waits";
    Waiting call = std::move(waiting.front());
    waiting.erase(waiting.begin());
    call.done(permit);
  }

  bool hold = false;
  // The answer to those that need not wait.
  absl::Status refusal;
  // All that were ever made.
  std::vector<CallRequest> requests;
  std::vector<absl::Status> reported;

  struct Waiting {
    RequestId id;
    CallRequest request;
    Done done;
  };
  std::vector<Waiting> waiting;

 private:
  EventLoop* const loop_;
  RequestId last_id_ = 0;
};

}  // namespace taskwatch

#endif  // TASKWATCH_TESTS_FAKES_FAKE_CALL_GATE_H_
