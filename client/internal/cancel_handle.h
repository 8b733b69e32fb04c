// Cancels calls from any thread.
#ifndef TASKWATCH_CLIENT_INTERNAL_CANCEL_HANDLE_H_
#define TASKWATCH_CLIENT_INTERNAL_CANCEL_HANDLE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace taskwatch::client {

// Copies are the same handle. Put into CallOptions, it cancels the call, or all the calls that it was given to; calls
// made with it later fail at once. Dropping it cancels nothing. Thread-safe.
class CancelHandle {
 public:
  CancelHandle() : state_(std::make_shared<State>()) {}

  // Returns at once; the calls end soon after, each with CANCELLED unless it was over already.
  void Cancel() const;

  bool cancelled() const;

  // Calls `fn` at the cancellation (from the thread that cancels), or at once if that has been already, until the
  // Registration is gone. `fn` may still be running when it goes. For those who implement calls.
  class Registration;
  [[nodiscard]] Registration OnCancel(std::function<void()> fn) const;

 private:
  struct State {
    absl::Mutex mutex;
    bool cancelled ABSL_GUARDED_BY(mutex) = false;
    uint64_t next_id ABSL_GUARDED_BY(mutex) = 0;
    std::map<uint64_t, std::function<void()>> callbacks ABSL_GUARDED_BY(mutex);
  };

  std::shared_ptr<State> state_;
};

class CancelHandle::Registration {
 public:
  Registration() = default;
  Registration(Registration&& other) noexcept : state_(std::move(other.state_)), id_(other.id_) {}
  Registration& operator=(Registration&& other) noexcept {
    std::swap(state_, other.state_);
    std::swap(id_, other.id_);
    return *this;
  }
  ~Registration();

 private:
  friend class CancelHandle;
  Registration(std::shared_ptr<State> state, uint64_t id) : state_(std::move(state)), id_(id) {}

  std::shared_ptr<State> state_;
  uint64_t id_ = 0;
};

}  // namespace taskwatch::client

#endif  // TASKWATCH_CLIENT_INTERNAL_CANCEL_HANDLE_H_
