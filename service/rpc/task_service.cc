#include "service/rpc/task_service.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/status/statusor.h"

#include "service/rpc/conversion.h"
#include "service/rpc/get_call.h"
#include "service/rpc/status_conversion.h"
#include "service/rpc/wait_call.h"
#include "service/rpc/watch_call.h"
#include "service/task/task_error.h"
#include "service/tracker/wait_session.h"
#include "service/tracker/watch_session.h"

namespace taskwatch {
namespace {

absl::Status DrainingError() {
  ErrorDetails details;
  details.reason = ErrorReason::kServerDraining;
  details.persistence = Persistence::kTransient;
  details.retry_after = absl::Seconds(1);
  return MakeError(details, "this server is shutting down; call again, and another one will answer");
}

// Heartbeats can be asked for within these bounds: often enough for every proxy, seldom enough to cost nothing.
constexpr absl::Duration kMinHeartbeatInterval = absl::Seconds(5);
constexpr absl::Duration kMaxHeartbeatInterval = absl::Seconds(60);
// The longest that one WaitTask call waits, and what it leaves of the caller's deadline for the answer's way back.
constexpr absl::Duration kMaxWait = absl::Seconds(60);
constexpr absl::Duration kMaxDeadlineMargin = absl::Seconds(1);
constexpr double kDeadlineMarginShare = 0.1;

// Ends a call that needs nothing but an answer.
grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context, const absl::Status& status) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  reactor->Finish(ToGrpcStatus(status));
  return reactor;
}

// Ends a WatchTask call that was refused, without headers, and itself.
class RefusedWatch final : public grpc::ServerWriteReactor<v1::WatchTaskResponse> {
 public:
  explicit RefusedWatch(const absl::Status& status) { Finish(ToGrpcStatus(status)); }
  void OnDone() override { delete this; }
};

absl::StatusOr<WatchSession::Options> ReadWatchRequest(const v1::WatchTaskRequest& request,
                                                       const TaskService::Options& defaults) {
  if (absl::Status status = ValidateTaskId(request.task_id()); !status.ok()) return status;
  WatchSession::Options options;
  options.task_id = request.task_id();
  options.last_etag = request.last_etag();
  options.max_age = defaults.max_stream_age;
  options.stall_timeout = defaults.stall_timeout;
  options.heartbeat_interval = defaults.default_heartbeat_interval;
  if (request.has_heartbeat_interval()) {
    const absl::StatusOr<absl::Duration> interval = ReadDuration(request.heartbeat_interval(), "heartbeat_interval");
    if (!interval.ok()) return interval.status();
    options.heartbeat_interval = std::clamp(*interval, kMinHeartbeatInterval, kMaxHeartbeatInterval);
  }
  if (request.has_poll_interval()) {
    const absl::StatusOr<absl::Duration> interval = ReadDuration(request.poll_interval(), "poll_interval");
    if (!interval.ok()) return interval.status();
    options.poll_interval = *interval;
  }
  return options;
}

absl::Time DeadlineOf(const grpc::CallbackServerContext& context) {
  const std::chrono::system_clock::time_point deadline = context.deadline();
  return deadline == std::chrono::system_clock::time_point::max() ? absl::InfiniteFuture() : absl::FromChrono(deadline);
}

}  // namespace

TaskService::TaskService(EventLoop* loop, TaskTracker* tracker, const SnapshotCache* cache, const Options& options)
    : loop_(loop),
      cache_(cache),
      options_(options),
      open_calls_(loop),
      hand_over_(loop),
      environment_{loop, tracker, &calls_, &open_calls_, &hand_over_} {}

grpc::ServerUnaryReactor* TaskService::GetTaskInfo(grpc::CallbackServerContext* context,
                                                   const v1::GetTaskInfoRequest* request,
                                                   v1::GetTaskInfoResponse* response) {
  if (const absl::Status status = ValidateTaskId(request->task_id()); !status.ok()) return Answer(context, status);
  absl::Duration max_staleness = options_.default_max_staleness;
  if (request->has_max_staleness()) {
    const absl::StatusOr<absl::Duration> wanted = ReadDuration(request->max_staleness(), "max_staleness");
    if (!wanted.ok()) return Answer(context, wanted.status());
    max_staleness = *wanted;
  }
  if (const TaskSnapshotPtr snapshot = cache_->FindFresh(request->task_id(), max_staleness, loop_->Now())) {
    FillTaskInfo(*snapshot, *response->mutable_task());
    return Answer(context, absl::OkStatus());
  }
  if (draining_.load(std::memory_order_relaxed)) return Answer(context, DrainingError());
  // Deletes itself when gRPC has no more use for it.
  auto* const call = new GetCall(environment_, request->task_id(), response);
  call->Start(max_staleness, DeadlineOf(*context));
  return call;
}

grpc::ServerWriteReactor<v1::WatchTaskResponse>* TaskService::WatchTask(grpc::CallbackServerContext* context,
                                                                        const v1::WatchTaskRequest* request) {
  absl::StatusOr<WatchSession::Options> options = ReadWatchRequest(*request, options_);
  if (!options.ok()) return new RefusedWatch(options.status());
  // Deletes itself when gRPC has no more use for it.
  auto* const call = new WatchCall(environment_, context, *std::move(options));
  call->Start();
  return call;
}

grpc::ServerUnaryReactor* TaskService::WaitTask(grpc::CallbackServerContext* context,
                                                const v1::WaitTaskRequest* request, v1::WaitTaskResponse* response) {
  if (const absl::Status status = ValidateTaskId(request->task_id()); !status.ok()) return Answer(context, status);
  WaitSession::Options options;
  options.task_id = request->task_id();
  options.last_etag = request->last_etag();
  options.timeout = kMaxWait;
  if (request->has_timeout()) {
    const absl::StatusOr<absl::Duration> timeout = ReadDuration(request->timeout(), "timeout");
    if (!timeout.ok()) return Answer(context, timeout.status());
    options.timeout = std::min(*timeout, kMaxWait);
  }
  const absl::Duration left = DeadlineOf(*context) - loop_->Now();
  options.timeout = std::min(options.timeout, left - std::min(kMaxDeadlineMargin, left * kDeadlineMarginShare));
  // Deletes itself when gRPC has no more use for it.
  auto* const call = new WaitCall(environment_, std::move(options), response);
  call->Start();
  return call;
}

void TaskService::Drain() {
  draining_.store(true, std::memory_order_relaxed);
  loop_->Post([this] { open_calls_.EndAll(DrainingError()); });
}

}  // namespace taskwatch
