// How many calls have begun, and how many of them are over.
#ifndef TASKWATCH_SERVICE_RPC_CALL_COUNT_H_
#define TASKWATCH_SERVICE_RPC_CALL_COUNT_H_

#include <atomic>
#include <cstdint>

namespace taskwatch {

// Thread-safe.
class CallCount {
 public:
  // One call, for as long as this exists.
  class Call {
   public:
    explicit Call(CallCount* count) : count_(count) { count_->started_.fetch_add(1, std::memory_order_relaxed); }
    ~Call() { count_->finished_.fetch_add(1, std::memory_order_relaxed); }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

   private:
    CallCount* const count_;
  };

  uint64_t started() const { return started_.load(std::memory_order_relaxed); }
  uint64_t finished() const { return finished_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> started_{0};
  std::atomic<uint64_t> finished_{0};
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_RPC_CALL_COUNT_H_
