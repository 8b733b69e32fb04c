// A gate that the test opens.
#ifndef TASKWATCH_TESTS_FAKES_FAKE_CALL_GATE_H_
#define TASKWATCH_TESTS_FAKES_FAKE_CALL_GATE_H_

#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

#include "service/quota/call_gate.h"

namespace taskwatch {

// Gives leave at once, unless it is to hold.
class FakeCallGate final : public CallGate {
 public:
  Ticket Ask(Terms terms, Answer answer) override {
    asked.push_back(terms);
    if (!hold) {
      answer(refusal);
      return 0;
    }
    waiting.push_back({++last_ticket_, std::move(terms), std::move(answer)});
    return last_ticket_;
  }

  void Join(Ticket ticket, Purpose purpose, absl::Time deadline) override {
    for (Waiting& call : waiting) {
      if (call.ticket != ticket) continue;
      call.terms.purpose = purpose;
      call.terms.deadline = deadline;
      return;
    }
    ADD_FAILURE() << "nothing waits under " << ticket;
  }

  void Report(const absl::Status& outcome) override { reported.push_back(outcome); }

  // Answers the one that has waited longest.
  void AnswerOne(const absl::Status& leave) {
    ASSERT_FALSE(waiting.empty()) << "nothing waits";
    Waiting call = std::move(waiting.front());
    waiting.erase(waiting.begin());
    call.answer(leave);
  }

  bool hold = false;
  // What those get who need not wait.
  absl::Status refusal;
  // All who have asked.
  std::vector<Terms> asked;
  std::vector<absl::Status> reported;

  struct Waiting {
    Ticket ticket;
    Terms terms;
    Answer answer;
  };
  std::vector<Waiting> waiting;

 private:
  Ticket last_ticket_ = 0;
};

}  // namespace taskwatch

#endif  // TASKWATCH_TESTS_FAKES_FAKE_CALL_GATE_H_
