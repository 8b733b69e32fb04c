// The open streams and waits, which a draining server ends.
#ifndef TASKWATCH_SERVICE_RPC_OPEN_CALLS_H_
#define TASKWATCH_SERVICE_RPC_OPEN_CALLS_H_

#include <cstddef>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"

#include "service/runtime/event_loop.h"

namespace taskwatch {

// A call that may stay open for minutes: WatchCall and WaitCall.
class OpenCall {
 public:
  virtual ~OpenCall() = default;
  // Ends the call with `status` after the message that is in flight or pending. Loop thread.
  virtual void End(const absl::Status& status) = 0;
};

// Lives on the event loop's thread.
class OpenCalls {
 public:
  explicit OpenCalls(EventLoop* loop) : loop_(loop) {}

  // `call` is open from now on, and must be removed before it is destroyed.
  void Add(OpenCall* call) { calls_.insert(call); }
  void Remove(OpenCall* call) {
    calls_.erase(call);
    to_end_.erase(call);
  }

  // Ends all calls with `status`, some hundred in each turn of the loop, so that their last messages leave while the
  // others are still being ended. New calls look at `ending` and end at once.
  void EndAll(const absl::Status& status);

  // The status of EndAll; OK before.
  const absl::Status& ending() const { return ending_; }

  size_t size() const { return calls_.size(); }

 private:
  void EndSlice();

  EventLoop* const loop_;
  absl::flat_hash_set<OpenCall*> calls_;
  // Those that EndAll has still to end.
  absl::flat_hash_set<OpenCall*> to_end_;
  absl::Status ending_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_RPC_OPEN_CALLS_H_
