// An event loop: one thread on which everything that decides runs, so that none of it needs a lock.
#ifndef TASKWATCH_SERVICE_RUNTIME_EVENT_LOOP_H_
#define TASKWATCH_SERVICE_RUNTIME_EVENT_LOOP_H_

#include <cstdint>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"

namespace taskwatch {

// What code on the loop sees of it. CurlEventLoop is the real one; SimulatedLoop runs the same code in virtual time.
//
// Callbacks run one at a time on the loop's thread and must not block. One that is still outstanding when the loop is
// destroyed is destroyed without being run, so it must own what it needs or outlive the loop.
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

  // The wall-clock time, for what is shown to people and compared with other machines. Any thread.
  virtual absl::Time Now() const = 0;

  // Runs `callback` on the loop's thread, after everything posted before. Any thread; never runs it at once.
  virtual void Post(Callback callback) = 0;

  // Runs `callback` once `delay` has passed on the monotonic clock (at once, but not before returning, if it is zero or
  // less). Timers due at the same moment run in the order in which they were set. Loop thread only.
  virtual TimerId RunAfter(absl::Duration delay, Callback callback) = 0;

  // Forgets a timer; returns whether it was still to run. Loop thread only.
  virtual bool CancelTimer(TimerId id) = 0;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_RUNTIME_EVENT_LOOP_H_
