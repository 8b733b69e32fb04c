// A TaskSource whose answers the test gives, when it wants them given.
#ifndef TASKWATCH_TESTS_FAKES_FAKE_TASK_SOURCE_H_
#define TASKWATCH_TESTS_FAKES_FAKE_TASK_SOURCE_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "service/task/task_source.h"

namespace taskwatch {

class FakeTaskSource final : public TaskSource {
 public:
  void Fetch(absl::string_view task_id, const FetchOptions& options, Done done) override {
    for (const Call& call : calls_) {
      EXPECT_NE(call.task_id, task_id) << "two fetches of one task at a time";
    }
    calls_.push_back({std::string(task_id), options, std::move(done)});
    ++fetches_;
  }

  // Remembers the higher priority and the later deadline, even of a fetch that has been made.
  bool Join(absl::string_view task_id, const FetchOptions& options) override {
    for (Call& call : calls_) {
      if (call.task_id != task_id) continue;
      call.options.priority = std::max(call.options.priority, options.priority);
      call.options.deadline = std::max(call.options.deadline, options.deadline);
      return !calling;
    }
    return false;
  }

  // As if no fetch in flight had been made yet, unless `calling`.
  bool Cancel(absl::string_view task_id) override {
    const auto call =
        std::find_if(calls_.begin(), calls_.end(), [&](const Call& candidate) { return candidate.task_id == task_id; });
    if (calling || call == calls_.end()) return false;
    calls_.erase(call);
    ++cancelled_;
    return true;
  }

  // Answers the oldest fetch in flight.
  void Answer(absl::StatusOr<TaskInfo> answer) {
    ASSERT_FALSE(calls_.empty()) << "no fetch is in flight";
    Call call = std::move(calls_.front());
    calls_.erase(calls_.begin());
    if (answer.ok() && answer->task_id.empty()) answer->task_id = call.task_id;
    call.done(std::move(answer));
  }

  // How many fetches have begun, and how many of them are in flight.
  int fetches() const { return fetches_; }
  size_t in_flight() const { return calls_.size(); }
  // How many of them were given up before they were made.
  int cancelled() const { return cancelled_; }

  // Whether the fetches in flight have been made, so that they can no longer be cancelled.
  bool calling = true;

  // How much the oldest fetch in flight matters.
  const FetchOptions& options() const { return calls_.front().options; }

 private:
  struct Call {
    std::string task_id;
    FetchOptions options;
    Done done;
  };
  std::vector<Call> calls_;
  int fetches_ = 0;
  int cancelled_ = 0;
};

}  // namespace taskwatch

#endif  // TASKWATCH_TESTS_FAKES_FAKE_TASK_SOURCE_H_
