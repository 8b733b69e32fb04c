// Counts the calls that have started and finished, and waits until none is open.
#ifndef TASKWATCH_SERVICE_RPC_CALL_COUNT_H_
#define TASKWATCH_SERVICE_RPC_CALL_COUNT_H_

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace taskwatch {

// A call holds a `CallCount::Call` from its request until it is deleted:
//
//   std::optional<CallCount::Call> counted_;
//   void OnRequest() override { counted_.emplace(environment_.count); ... }
//
// At shutdown AwaitNone returns when the last of them is gone. Thread-safe.
class CallCount {
 public:
  // Counts one call as open while it exists.
  class Call {
   public:
    explicit Call(CallCount* count) : count_(count) {
      const absl::MutexLock lock(&count_->mutex_);
      ++count_->started_;
    }
    ~Call() {
      const absl::MutexLock lock(&count_->mutex_);
      ++count_->finished_;
    }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

   private:
    CallCount* const count_;
  };

  uint64_t started() const {
    const absl::MutexLock lock(&mutex_);
    return started_;
  }
  uint64_t finished() const {
    const absl::MutexLock lock(&mutex_);
    return finished_;
  }

  // Blocks until no call is open, but not longer than `timeout`. Returns whether none is open.
  bool AwaitNone(absl::Duration timeout) const {
    const absl::MutexLock lock(&mutex_);
    return mutex_.AwaitWithTimeout(absl::Condition(this, &CallCount::NoneOpen), timeout);
  }

 private:
  bool NoneOpen() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return started_ == finished_; }

  mutable absl::Mutex mutex_;
  uint64_t started_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t finished_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_RPC_CALL_COUNT_H_
