// What GetCall, WatchCall and WaitCall work with.
#ifndef TASKWATCH_SERVICE_RPC_CALL_ENVIRONMENT_H_
#define TASKWATCH_SERVICE_RPC_CALL_ENVIRONMENT_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <cstddef>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "taskwatch/v1/task_service.grpc.pb.h"

#include "service/rpc/call_count.h"
#include "service/rpc/hand_over.h"
#include "service/rpc/open_calls.h"
#include "service/runtime/event_loop.h"
#include "service/server/call_limit.h"
#include "service/tracker/snapshot_cache.h"
#include "service/tracker/task_tracker.h"

namespace taskwatch {

// Defaults for requests that leave a field unset, and limits that no request can change.
struct CallOptions {
  // For requests without `max_staleness`.
  absl::Duration default_max_staleness = absl::Seconds(1);
  // For watches without `heartbeat_interval`.
  absl::Duration default_heartbeat_interval = absl::Seconds(20);
  // What a watch's `heartbeat_interval` is clamped to: often enough for every proxy, seldom enough to cost nothing.
  absl::Duration min_heartbeat_interval = absl::Seconds(5);
  absl::Duration max_heartbeat_interval = absl::Seconds(60);
  // After about this time a stream ends with STREAM_ROTATED.
  absl::Duration max_stream_age = absl::Minutes(10);
  // A stream is aborted when the write of one message takes longer than this.
  absl::Duration stall_timeout = absl::Seconds(30);
  // The time of a GetTaskInfo whose caller sets no deadline.
  absl::Duration default_get_timeout = absl::Seconds(60);
  // Streams and waits at a time.
  size_t max_watchers = 100'000;
};

// All of it outlives the calls.
struct CallEnvironment {
  v1::TaskService::AsyncService* service;
  EventLoop* loop;
  TaskTracker* tracker;
  const SnapshotCache* cache;
  CallOptions options;
  CallCount* count;
  // Of streams and waits.
  CallLimit* watch_limit;
  OpenCalls* open_calls;
  HandOver* hand_over;
  // Set by TaskService::Drain: new calls are refused, unless the cache can answer them.
  const std::atomic<bool>* draining;
};

// The error of calls that a draining server refuses or ends.
absl::Status DrainingError();

// The caller's deadline; infinite if it has none.
absl::Time DeadlineOf(const grpc::ServerContext& context);

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_RPC_CALL_ENVIRONMENT_H_
