// An event loop: the one thread on which the tracker, the call queue and the HTTP client run, so that they need no
// locks.
#ifndef TASKWATCH_SERVICE_RUNTIME_EVENT_LOOP_H_
#define TASKWATCH_SERVICE_RUNTIME_EVENT_LOOP_H_

#include <cstdint>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"

namespace taskwatch {

// The interface. CurlEventLoop is the real one; SimulatedLoop runs the same code in virtual time.
//
// Callbacks run one at a time on the loop's thread and must not block. Callbacks that are outstanding when the loop is
// destroyed are destroyed without being run.
class EventLoop {
 public:
  using Callback = absl::AnyInvocable<void()>;

  // Names a timer. The default value names none.
  struct TimerId {
    absl::Duration due = absl::ZeroDuration();
    uint64_t sequence = 0;
    explicit operator bool() const { return sequence != 0; }
  };

  virtual ~EventLoop() = default;

  // The wall-clock time. It may jump when the machine's clock is set; timers do not depend on it. Any thread.
  virtual absl::Time Now() const = 0;

  // Runs `callback` on the loop's thread, after everything posted before. Any thread; never runs it at once.
  virtual void Post(Callback callback) = 0;

  // Runs `callback` once `delay` has passed on the monotonic clock; if it is zero or less, as soon as possible, but
  // never before returning. Timers due at the same moment run in the order in which they were set. Loop thread only.
  virtual TimerId RunAfter(absl::Duration delay, Callback callback) = 0;

  // Cancels a timer; returns whether it was still to run. Does nothing for the default TimerId. Loop thread only.
  virtual bool CancelTimer(TimerId id) = 0;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_RUNTIME_EVENT_LOOP_H_
