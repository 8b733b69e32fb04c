#include "service/rpc/get_call.h"

#include <utility>

#include "service/rpc/conversion.h"
#include "service/rpc/status_conversion.h"

namespace taskwatch {

void GetCall::Request(Completion* arrived) {
  environment_.service->RequestGetTaskInfo(&context(), request_slot(), writer(), queue(), queue(), arrived);
}

void GetCall::OnRequest() {
  if (const absl::Status status = Begin(); !status.ok()) Finish(ToGrpcStatus(status));
}

absl::Status GetCall::Begin() {
  if (absl::Status status = ValidateTaskId(request().task_id()); !status.ok()) return status;
  max_staleness_ = environment_.options.default_max_staleness;
  if (request().has_max_staleness()) {
    const absl::StatusOr<absl::Duration> wanted = ReadDuration(request().max_staleness(), "max_staleness");
    if (!wanted.ok()) return wanted.status();
    max_staleness_ = *wanted;
  }
  if (const TaskSnapshotPtr snapshot =
          environment_.cache->FindFresh(request().task_id(), max_staleness_, environment_.loop->Now())) {
    FillTaskInfo(*snapshot, *response().mutable_task());
    Finish(grpc::Status::OK);
    return absl::OkStatus();
  }
  if (environment_.draining->load(std::memory_order_relaxed)) return DrainingError();
  task_id_ = request().task_id();
  DropRequest();
  counted_.emplace(environment_.count);
  environment_.loop->Post([this] { AskTracker(); });
  return absl::OkStatus();
}

void GetCall::AskTracker() {
  absl::Time deadline = DeadlineOf(context());
  if (deadline == absl::InfiniteFuture())
    deadline = environment_.loop->Now() + environment_.options.default_get_timeout;
  get_id_ = environment_.tracker->Get(task_id_, max_staleness_, deadline,
                                      [this](absl::StatusOr<TaskSnapshotPtr> answer) { OnAnswer(std::move(answer)); });
}

void GetCall::OnAnswer(absl::StatusOr<TaskSnapshotPtr> answer) {
  answer_ = std::move(answer);
  environment_.hand_over->Run([this] { FinishWithAnswer(); });
}

void GetCall::FinishWithAnswer() {
  if (!answer_.ok()) return Finish(ToGrpcStatus(answer_.status()));
  FillTaskInfo(**answer_, *response().mutable_task());
  Finish(grpc::Status::OK);
}

void GetCall::OnCancel() {
  if (!counted_.has_value()) return;
  cancelled_ = true;
  environment_.loop->Post([this] {
    if (!environment_.tracker->CancelGet(task_id_, get_id_)) return;
    environment_.hand_over->Run([this] { Finish(grpc::Status::CANCELLED); });
  });
}

void GetCall::OnDone() {
  std::unique_ptr<GetCall> self(this);
  // What OnCancel posted still refers to this object.
  if (cancelled_) environment_.loop->Post([self = std::move(self)] {});
}

}  // namespace taskwatch
