// Leave to call DingTalk: what whoever makes a call asks for first.
#ifndef TASKWATCH_SERVICE_QUOTA_CALL_GATE_H_
#define TASKWATCH_SERVICE_QUOTA_CALL_GATE_H_

#include <cstdint>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"

namespace taskwatch {

// Lives on the event loop's thread, as do its callbacks.
class CallGate {
 public:
  // By rising urgency.
  enum class Purpose {
    // Somebody watches a task, and would learn of its change a little later too.
    kPoll,
    // Somebody waits for the answer.
    kCaller,
    // An access token that counts against the month. Another API, with a rate of its own.
    kToken,
  };

  struct Terms {
    Purpose purpose = Purpose::kCaller;
    // After this the answer is of no use.
    absl::Time deadline = absl::InfiniteFuture();
    // Which task it is for, so that polls which are put off keep their places; empty for a token.
    std::string task_id;
  };

  // Names a call that waits for its turn; 0 names none.
  using Ticket = uint64_t;
  using Answer = absl::AnyInvocable<void(const absl::Status&)>;

  virtual ~CallGate() = default;

  // Asks for leave to make one call. `answer` is called once, unless the gate is destroyed first: with OK when the call
  // is to be made now, which has been counted already; else with why it cannot be made, or not before the deadline.
  // Such an error carries ErrorDetails with `not_asked`, and `retry_after`. May call `answer` before returning; then it
  // returns 0.
  virtual Ticket Ask(Terms terms, Answer answer) = 0;

  // Somebody else wants the call that waits under `ticket` too: of both terms the more urgent purpose and the later
  // deadline count. Does nothing for a call that waits no longer.
  virtual void Join(Ticket ticket, Purpose purpose, absl::Time deadline) = 0;

  // What became of a call: from DingTalk's refusals the gate learns.
  virtual void Report(const absl::Status& outcome) = 0;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_QUOTA_CALL_GATE_H_
