#include "service/rpc/get_call.h"

#include <utility>

#include "service/rpc/conversion.h"
#include "service/rpc/status_conversion.h"

namespace taskwatch {

void GetCall::Request(Completion* arrived) {
  environment_.service->RequestGetTaskInfo(&context(), request_slot(), writer(), environment_.queue, environment_.queue,
                                           arrived);
}

void GetCall::OnRequest() {
  if (const absl::Status status = Begin(); !status.ok()) Finish(ToGrpcStatus(status));
}

absl::Status GetCall::Begin() {
  if (absl::Status status = ValidateTaskId(request().task_id()); !status.ok()) return status;
  absl::Duration max_staleness = environment_.options.default_max_staleness;
  if (request().has_max_staleness()) {
    const absl::StatusOr<absl::Duration> wanted = ReadDuration(request().max_staleness(), "max_staleness");
    if (!wanted.ok()) return wanted.status();
    max_staleness = *wanted;
  }
  if (const TaskSnapshotPtr snapshot =
          environment_.cache->FindFresh(request().task_id(), max_staleness, environment_.loop->Now())) {
    FillTaskInfo(*snapshot, *response().mutable_task());
    Finish(grpc::Status::OK);
    return absl::OkStatus();
  }
  if (environment_.draining->load(std::memory_order_relaxed)) return DrainingError();
  counted_.emplace(environment_.count);
  environment_.loop->Post([this, max_staleness] { AskTracker(max_staleness); });
  return absl::OkStatus();
}

void GetCall::AskTracker(absl::Duration max_staleness) {
  // The answer may come before Get returns, and with it the end of this object: the id is kept only if it is needed.
  const TaskTracker::GetId id =
      environment_.tracker->Get(request().task_id(), max_staleness, DeadlineOf(context()),
                                [this](const absl::StatusOr<TaskSnapshotPtr>& answer) { OnAnswer(answer); });
  if (id != 0) get_id_ = id;
}

void GetCall::OnAnswer(const absl::StatusOr<TaskSnapshotPtr>& answer) {
  finished_ = true;
  if (answer.ok()) FillTaskInfo(**answer, *response().mutable_task());
  environment_.hand_over->Run([this, status = ToGrpcStatus(answer.status())] { Finish(status); });
}

void GetCall::OnCancel() {
  if (!counted_.has_value()) return;
  cancelled_ = true;
  environment_.loop->Post([this] {
    if (finished_) return;
    finished_ = true;
    environment_.tracker->CancelGet(request().task_id(), get_id_);
    environment_.hand_over->Run([this] { Finish(grpc::Status::CANCELLED); });
  });
}

void GetCall::OnDone() {
  std::unique_ptr<GetCall> self(this);
  // What OnCancel posted still refers to this object.
  if (cancelled_) environment_.loop->Post([self = std::move(self)] {});
}

}  // namespace taskwatch
