// How many calls may be open at a time.
#ifndef TASKWATCH_SERVICE_SERVER_CALL_LIMIT_H_
#define TASKWATCH_SERVICE_SERVER_CALL_LIMIT_H_

#include <grpcpp/support/status.h>

#include <atomic>
#include <cstddef>
#include <utility>

namespace taskwatch {

// A number of places for calls. ServerCall takes one when the request has arrived, and returns it when gRPC is done
// with the call: a client that does not read its answer keeps the place. Calls for which there is none end with
// `refusal`.
//
// Take and Return are for the completion thread.
class CallLimit {
 public:
  // With `within`, which must outlive it, each call has a place there as well.
  CallLimit(size_t max, grpc::Status refusal, CallLimit* within = nullptr)
      : max_(max), refusal_(std::move(refusal)), within_(within) {}

  // Whether there was a place.
  bool Take() {
    const size_t taken = this->taken();
    if (taken >= max_ || (within_ != nullptr && !within_->Take())) return false;
    taken_.store(taken + 1, std::memory_order_relaxed);
    return true;
  }
  void Return() {
    if (within_ != nullptr) within_->Return();
    taken_.store(taken() - 1, std::memory_order_relaxed);
  }

  const grpc::Status& refusal() const { return refusal_; }

  // Any thread.
  size_t taken() const { return taken_.load(std::memory_order_relaxed); }

 private:
  const size_t max_;
  const grpc::Status refusal_;
  CallLimit* const within_;
  // Atomic for other threads that read it. One thread writes it.
  std::atomic<size_t> taken_{0};
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_SERVER_CALL_LIMIT_H_
