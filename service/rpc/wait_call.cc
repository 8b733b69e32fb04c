#include "service/rpc/wait_call.h"

#include <memory>
#include <utility>

#include "service/rpc/conversion.h"
#include "service/rpc/status_conversion.h"

namespace taskwatch {

WaitCall::WaitCall(EventLoop* loop, TaskTracker* tracker, CallCount* count, OpenCalls* open_calls,
                   WaitSession::Options options, v1::WaitTaskResponse* response)
    : counted_(count),
      loop_(loop),
      open_calls_(open_calls),
      response_(response),
      session_(loop, tracker, std::move(options),
               [this](const absl::StatusOr<TaskSnapshotPtr>& answer) { OnAnswer(answer); }) {}

void WaitCall::Start() {
  loop_->Post([this] {
    open_calls_->Add(this);
    if (open_calls_->ending().ok()) {
      session_.Start();
    } else {
      session_.End(open_calls_->ending());
    }
  });
}

void WaitCall::OnCancel() {
  loop_->Post([this] { session_.End(absl::CancelledError("the caller has gone")); });
}

void WaitCall::OnDone() {
  loop_->Post([self = std::unique_ptr<WaitCall>(this)] {});
}

void WaitCall::OnAnswer(const absl::StatusOr<TaskSnapshotPtr>& answer) {
  open_calls_->Remove(this);
  if (answer.ok()) FillTaskInfo(**answer, *response_->mutable_task());
  Finish(ToGrpcStatus(answer.status()));
}

}  // namespace taskwatch
