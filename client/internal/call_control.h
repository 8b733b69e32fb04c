// Cancels what a RetryingCall is doing at the moment: its attempt, or the pause before the next.
#ifndef TASKWATCH_CLIENT_INTERNAL_CALL_CONTROL_H_
#define TASKWATCH_CLIENT_INTERNAL_CALL_CONTROL_H_

#include <grpcpp/alarm.h>
#include <grpcpp/client_context.h>

#include <functional>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace taskwatch::client {

// Thread-safe. Held by shared_ptr, since a cancellation may come from another thread when the call is just over.
class CallControl {
 public:
  // Cancels the attempt or ends the pause, and does so with each that follows.
  void Cancel();

  bool cancelled() const;

  // The attempt that is now under way; null when it is over.
  void SetAttempt(std::shared_ptr<grpc::ClientContext> context);

  // Cancels this attempt only; the call may go on with another.
  void AbandonAttempt();

  // Returns at `time`, or as soon as the call is cancelled.
  void SleepUntil(absl::Time time);

  // The same without a thread: calls `then` exactly once, never from within this call.
  void PauseUntil(absl::Time time, std::function<void()> then);

 private:
  mutable absl::Mutex mutex_;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<grpc::ClientContext> attempt_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<grpc::Alarm> pause_ ABSL_GUARDED_BY(mutex_);
};

// Abandons the attempt of `control` when Touch is not called for `limit`: on a connection that died in silence gRPC may
// wait for minutes. Thread-safe, except for the destructor.
class SilenceAlarm {
 public:
  SilenceAlarm(std::shared_ptr<CallControl> control, absl::Duration limit);
  ~SilenceAlarm();

  // A message has come.
  void Touch();

  // Whether it went off.
  bool expired() const;

 private:
  struct State {
    std::shared_ptr<CallControl> control;
    absl::Duration limit;
    mutable absl::Mutex mutex;
    absl::Time last_touch ABSL_GUARDED_BY(mutex);
    bool expired ABSL_GUARDED_BY(mutex) = false;
    bool stopped ABSL_GUARDED_BY(mutex) = false;
    std::unique_ptr<grpc::Alarm> alarm ABSL_GUARDED_BY(mutex);
  };

  // Sets the alarm to when the limit is reached if no message comes.
  static void Arm(const std::shared_ptr<State>& state) ABSL_EXCLUSIVE_LOCKS_REQUIRED(state->mutex);
  static void OnAlarm(const std::shared_ptr<State>& state);

  const std::shared_ptr<State> state_;
};

}  // namespace taskwatch::client

#endif  // TASKWATCH_CLIENT_INTERNAL_CALL_CONTROL_H_
