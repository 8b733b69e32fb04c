#include "service/rpc/wait_call.h"

#include <memory>
#include <utility>

#include "service/rpc/conversion.h"
#include "service/rpc/status_conversion.h"

namespace taskwatch {

WaitCall::WaitCall(const CallEnvironment& environment, WaitSession::Options options, v1::WaitTaskResponse* response)
    : environment_(environment),
      counted_(environment.count),
      response_(response),
      session_(environment.loop, environment.tracker, std::move(options),
               [this](const absl::StatusOr<TaskSnapshotPtr>& answer) { OnAnswer(answer); }) {}

void WaitCall::Start() {
  environment_.loop->Post([this] {
    environment_.open_calls->Add(this);
    if (environment_.open_calls->ending().ok()) {
      session_.Start();
    } else {
      session_.End(environment_.open_calls->ending());
    }
  });
}

void WaitCall::OnCancel() {
  environment_.loop->Post([this] { session_.End(absl::CancelledError("the caller has gone")); });
}

void WaitCall::OnDone() {
  environment_.loop->Post([self = std::unique_ptr<WaitCall>(this)] {});
}

void WaitCall::OnAnswer(const absl::StatusOr<TaskSnapshotPtr>& answer) {
  environment_.open_calls->Remove(this);
  if (answer.ok()) FillTaskInfo(**answer, *response_->mutable_task());
  environment_.hand_over->Run([this, status = ToGrpcStatus(answer.status())] { Finish(status); });
}

}  // namespace taskwatch
