// taskwatch.v1.TaskService on gRPC's callback API.
#ifndef TASKWATCH_SERVICE_RPC_TASK_SERVICE_H_
#define TASKWATCH_SERVICE_RPC_TASK_SERVICE_H_

#include <grpcpp/grpcpp.h>

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
#include "service/tracker/snapshot_cache.h"
#include "service/tracker/task_tracker.h"

namespace taskwatch {

// Validates requests, hands them to the tracker on the loop, and turns what comes back into messages and statuses. What
// the cache can answer is answered on gRPC's thread. No thread waits.
class TaskService final : public v1::TaskService::CallbackService {
 public:
  struct Options {
    // For requests without `max_staleness`.
    absl::Duration default_max_staleness = absl::Seconds(1);
    // For watches without `heartbeat_interval`.
    absl::Duration default_heartbeat_interval = absl::Seconds(20);
    absl::Duration max_stream_age = absl::Minutes(10);
    // The longest that one message to a watcher may take before its stream is broken off.
    absl::Duration stall_timeout = absl::Seconds(30);
  };

  // Calls since the start, of those that could not be answered at once. Every one that is started finishes, however
  // its caller behaves.
  struct Stats {
    uint64_t started = 0;
    // gRPC has no more use for them.
    uint64_t finished = 0;
    // Streams and waits that have not ended.
    size_t open = 0;
  };

  // All must outlive the service, and the loop must run until the gRPC server has shut down: calls end on it.
  TaskService(EventLoop* loop, TaskTracker* tracker, const SnapshotCache* cache, const Options& options);

  grpc::ServerUnaryReactor* GetTaskInfo(grpc::CallbackServerContext* context, const v1::GetTaskInfoRequest* request,
                                        v1::GetTaskInfoResponse* response) override;

  grpc::ServerWriteReactor<v1::WatchTaskResponse>* WatchTask(grpc::CallbackServerContext* context,
                                                             const v1::WatchTaskRequest* request) override;

  grpc::ServerUnaryReactor* WaitTask(grpc::CallbackServerContext* context, const v1::WaitTaskRequest* request,
                                     v1::WaitTaskResponse* response) override;

  // Ends streams and waits with SERVER_DRAINING, after what they have still to deliver, and refuses new calls that way
  // unless memory can answer them. Returns at once. Any thread.
  void Drain();

  // Blocks until no call is open, or for `timeout`. Any thread but the loop's and gRPC's.
  void AwaitCalls(absl::Duration timeout) const { calls_.AwaitNone(timeout); }

  // Loop thread only.
  Stats stats() const { return {calls_.started(), calls_.finished(), open_calls_.size()}; }

 private:
  EventLoop* const loop_;
  const SnapshotCache* const cache_;
  const Options options_;
  CallCount calls_;
  OpenCalls open_calls_;
  HandOver hand_over_;
  const CallEnvironment environment_;
  std::atomic<bool> draining_{false};
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_RPC_TASK_SERVICE_H_
