// The long calls that are open, so that draining can end them.
#ifndef TASKWATCH_SERVICE_RPC_OPEN_CALLS_H_
#define TASKWATCH_SERVICE_RPC_OPEN_CALLS_H_

#include <cstddef>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"

#include "service/runtime/event_loop.h"

namespace taskwatch {

// A call that goes on until its task has ended, unless somebody ends it before.
class OpenCall {
 public:
  virtual ~OpenCall() = default;
  // Ends the call with `status` as soon as it can be done in good order. Loop thread.
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
    untold_.erase(call);
  }

  // Ends all calls with `status`, a slice at a time, so that those which end are not held up by those which wait; and
  // from now on tells new ones by `ending` to end at once.
  void EndAll(const absl::Status& status);

  // OK until EndAll.
  const absl::Status& ending() const { return ending_; }

  size_t size() const { return calls_.size(); }

 private:
  void EndSlice();

  EventLoop* const loop_;
  absl::flat_hash_set<OpenCall*> calls_;
  // Those of them that have still to be told.
  absl::flat_hash_set<OpenCall*> untold_;
  absl::Status ending_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_RPC_OPEN_CALLS_H_
