// taskwatch.v1.TaskService: its calls, on a gRPC server's completion thread.
#ifndef TASKWATCH_SERVICE_RPC_TASK_SERVICE_H_
#define TASKWATCH_SERVICE_RPC_TASK_SERVICE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"
#include "taskwatch/v1/task_service.grpc.pb.h"

#include "service/rpc/call_count.h"
#include "service/rpc/call_environment.h"
#include "service/rpc/hand_over.h"
#include "service/rpc/open_calls.h"
#include "service/runtime/event_loop.h"
#include "service/server/call_limit.h"
#include "service/server/server_call.h"
#include "service/tracker/snapshot_cache.h"
#include "service/tracker/task_tracker.h"

namespace taskwatch {

// Its calls (GetCall, WatchCall, WaitCall) validate requests, ask the tracker on the loop's thread, and convert its
// answers to messages and statuses. A GetTaskInfo that the cache can answer never gets to the loop. No thread waits.
class TaskService final : public v1::TaskService::AsyncService {
 public:
  // Calls since the start, without those that were refused or answered from the cache at once. Each one that is started
  // finishes, whatever its caller does.
  struct Stats {
    uint64_t started = 0;
    // Over, and gRPC will not touch them again.
    uint64_t finished = 0;
    // Streams and waits that have not ended.
    size_t open = 0;
    // Streams and waits that count for `max_watchers`: gRPC is not done with them.
    size_t watchers = 0;
  };

  // All must outlive the service, and the loop must run until no call is open: calls end on it.
  TaskService(EventLoop* loop, TaskTracker* tracker, const SnapshotCache* cache, const CallOptions& options);

  // Begins to answer. To be called once, when the server has been built and before the loop runs.
  void Serve(const Serving* serving);

  // Ends streams and waits with SERVER_DRAINING, after the message that is in flight or pending, and refuses new calls
  // with it unless the cache can answer them. Returns at once. Any thread.
  void Drain();

  // Blocks until no call is open, but not longer than `timeout`. Any thread but the loop's and the completion thread.
  void AwaitCalls(absl::Duration timeout) const { calls_.AwaitNone(timeout); }

  // Loop thread only.
  Stats stats() const { return {calls_.started(), calls_.finished(), open_calls_.size(), watch_limit_.taken()}; }

 private:
  EventLoop* const loop_;
  CallCount calls_;
  CallLimit watch_limit_;
  OpenCalls open_calls_;
  HandOver hand_over_;
  std::atomic<bool> draining_{false};
  CallEnvironment environment_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_RPC_TASK_SERVICE_H_
