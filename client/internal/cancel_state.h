// What the copies of a CancelHandle share, and how a call hears of the cancellation.
#ifndef TASKWATCH_CLIENT_INTERNAL_CANCEL_STATE_H_
#define TASKWATCH_CLIENT_INTERNAL_CANCEL_STATE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace taskwatch::client {

// Thread-safe.
class CancelState {
 public:
  // Runs the callbacks of all registrations, on this thread.
  void Cancel();

  bool cancelled() const;

 private:
  friend class CancelRegistration;

  mutable absl::Mutex mutex_;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t next_id_ ABSL_GUARDED_BY(mutex_) = 1;
  std::map<uint64_t, std::function<void()>> callbacks_ ABSL_GUARDED_BY(mutex_);
};

// Runs `callback` when `state` is cancelled, on the thread that cancels it, or at once if it is cancelled already; not
// after this has been destroyed, but a run that has begun by then may still be going on.
class CancelRegistration {
 public:
  CancelRegistration(std::shared_ptr<CancelState> state, std::function<void()> callback);
  ~CancelRegistration();
  CancelRegistration(const CancelRegistration&) = delete;
  CancelRegistration& operator=(const CancelRegistration&) = delete;

 private:
  const std::shared_ptr<CancelState> state_;
  // 0 if it was cancelled already.
  uint64_t id_ = 0;
};

}  // namespace taskwatch::client

#endif  // TASKWATCH_CLIENT_INTERNAL_CANCEL_STATE_H_
