#include "service/rpc/get_call.h"

#include <memory>
#include <utility>

#include "service/rpc/conversion.h"
#include "service/rpc/status_conversion.h"

namespace taskwatch {

GetCall::GetCall(const CallEnvironment& environment, std::string task_id, v1::GetTaskInfoResponse* response)
    : environment_(environment), counted_(environment.count), task_id_(std::move(task_id)), response_(response) {}

void GetCall::Start(absl::Duration max_staleness, absl::Time deadline) {
  environment_.loop->Post([this, max_staleness, deadline] {
    // The answer may come before Get returns, and with it the end of this object: the id is kept only if it is needed.
    const TaskTracker::GetId id =
        environment_.tracker->Get(task_id_, max_staleness, deadline,
                                  [this](absl::StatusOr<TaskSnapshotPtr> answer) { OnAnswer(std::move(answer)); });
    if (id != 0) get_id_ = id;
  });
}

void GetCall::OnAnswer(absl::StatusOr<TaskSnapshotPtr> answer) {
  finished_ = true;
  if (answer.ok()) FillTaskInfo(**answer, *response_->mutable_task());
  environment_.hand_over->Run([this, status = ToGrpcStatus(answer.status())] { Finish(status); });
}

void GetCall::OnCancel() {
  cancelled_ = true;
  environment_.loop->Post([this] {
    if (finished_) return;
    finished_ = true;
    environment_.tracker->CancelGet(task_id_, get_id_);
    environment_.hand_over->Run([this] { Finish(grpc::Status::CANCELLED); });
  });
}

void GetCall::OnDone() {
  std::unique_ptr<GetCall> self(this);
  // What OnCancel posted still refers to this object.
  if (cancelled_) environment_.loop->Post([self = std::move(self)] {});
}

}  // namespace taskwatch
