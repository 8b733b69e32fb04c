#include "service/rpc/task_service.h"

#include <chrono>
#include <string>
#include <utility>

#include "absl/status/statusor.h"

#include "service/rpc/conversion.h"
#include "service/rpc/get_call.h"
#include "service/rpc/status_conversion.h"
#include "service/task/task_error.h"

namespace taskwatch {
namespace {

absl::Status DrainingError() {
  ErrorDetails details;
  details.reason = ErrorReason::kServerDraining;
  details.persistence = Persistence::kTransient;
  details.retry_after = absl::Seconds(1);
  return MakeError(details, "this server is shutting down; call again, and another one will answer");
}

// Ends a call that needs nothing but an answer.
grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context, const absl::Status& status) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  reactor->Finish(ToGrpcStatus(status));
  return reactor;
}

absl::Time DeadlineOf(const grpc::CallbackServerContext& context) {
  const std::chrono::system_clock::time_point deadline = context.deadline();
  return deadline == std::chrono::system_clock::time_point::max() ? absl::InfiniteFuture() : absl::FromChrono(deadline);
}

}  // namespace

TaskService::TaskService(EventLoop* loop, TaskTracker* tracker, const SnapshotCache* cache, const Options& options)
    : loop_(loop), tracker_(tracker), cache_(cache), options_(options) {}

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
  auto* const call = new GetCall(loop_, tracker_, request->task_id(), response);
  call->Start(max_staleness, DeadlineOf(*context));
  return call;
}

void TaskService::Drain() { draining_.store(true, std::memory_order_relaxed); }

}  // namespace taskwatch
