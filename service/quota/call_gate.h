// Permits for calls to DingTalk: whatever makes a call acquires one first.
#ifndef TASKWATCH_SERVICE_QUOTA_CALL_GATE_H_
#define TASKWATCH_SERVICE_QUOTA_CALL_GATE_H_

#include <cstdint>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"

#include "service/task/priority.h"

namespace taskwatch {

// A call that is to be made.
struct CallRequest {
  Priority priority = Priority::kCaller;
  // After this the answer is of no use.
  absl::Time deadline = absl::InfiniteFuture();
  // The task that is asked about, so that a poll which is put off keeps its turn; empty for a token.
  std::string task_id;
};

// Lives on the event loop's thread, as do its callbacks.
class CallGate {
 public:
  // Names a request; never 0.
  using RequestId = uint64_t;
  using Done = absl::AnyInvocable<void(const absl::Status&)>;

  virtual ~CallGate() = default;

  // Waits until one call may be made. `done` is called once and never before Acquire has returned, unless the gate is
  // destroyed first: then not at all. OK means that the call is to be made now; it has been counted. An error tells why
  // it cannot be made, or not before the deadline; it carries ErrorDetails with `not_asked`, and `retry_after`. It is
  // what DingTalk has last said of the app where that stands against all calls, kPollDeferred for a poll that is put
  // off, kMonthlyQuotaExhausted, or kUpstreamRateLimited if the permit would come too late.
  virtual RequestId Acquire(CallRequest request, Done done) = 0;

  // Another caller wants the call of a request that waits: of both the more urgent priority and the later deadline
  // count. Does nothing for a request that waits no longer.
  virtual void Join(RequestId id, Priority priority, absl::Time deadline) = 0;

  // Nobody wants the call of a request any more. A request that waits leaves the line: its `done` is destroyed without
  // being called, and Cancel returns true. Returns false for a request that waits no longer: if its call has been
  // counted, it is still to be made and reported.
  virtual bool Cancel(RequestId id) = 0;

  // What became of the call of a request whose answer was OK; to be told once for each of them. The gate learns from it
  // how DingTalk and the app are, so a call that is not reported holds others up: for a minute, if it was the only one
  // that was let through to find that out. An outcome with `not_asked` says that the call was not made after all. `id`
  // is 0 for a call that needed no permit: of its outcomes only the pauses (kPaused) count.
  virtual void Report(RequestId id, const absl::Status& outcome) = 0;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_QUOTA_CALL_GATE_H_
