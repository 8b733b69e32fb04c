#include "service/rpc/get_call.h"

#include <memory>
#include <utility>

#include "service/rpc/conversion.h"
#include "service/rpc/status_conversion.h"

namespace taskwatch {

GetCall::GetCall(EventLoop* loop, TaskTracker* tracker, CallCount* count, std::string task_id,
                 v1::GetTaskInfoResponse* response)
    : counted_(count), loop_(loop), tracker_(tracker), task_id_(std::move(task_id)), response_(response) {}

void GetCall::Start(absl::Duration max_staleness, absl::Time deadline) {
  loop_->Post([this, max_staleness, deadline] {
    // The answer may come before Get returns, and with it the end of this object: the id is kept only if it is needed.
    const TaskTracker::GetId id =
        tracker_->Get(task_id_, max_staleness, deadline,
                      [this](absl::StatusOr<TaskSnapshotPtr> answer) { OnAnswer(std::move(answer)); });
    if (id != 0) get_id_ = id;
  });
}

void GetCall::OnAnswer(absl::StatusOr<TaskSnapshotPtr> answer) {
  finished_ = true;
  if (answer.ok()) FillTaskInfo(**answer, *response_->mutable_task());
  // Last: OnDone may delete this at any moment after it.
  Finish(ToGrpcStatus(answer.status()));
}

void GetCall::OnCancel() {
  cancelled_ = true;
  loop_->Post([this] {
    if (finished_) return;
    finished_ = true;
    tracker_->CancelGet(task_id_, get_id_);
    Finish(grpc::Status::CANCELLED);
  });
}

void GetCall::OnDone() {
  std::unique_ptr<GetCall> self(this);
  // What OnCancel posted still refers to this object.
  if (cancelled_) loop_->Post([self = std::move(self)] {});
}

}  // namespace taskwatch
