#include "service/rpc/wait_call.h"

#include <algorithm>
#include <utility>

#include "service/rpc/conversion.h"
#include "service/rpc/status_conversion.h"

namespace taskwatch {
namespace {

// The longest that one call waits, and what it leaves of the caller's deadline for the answer's way back.
constexpr absl::Duration kMaxWait = absl::Seconds(60);
constexpr absl::Duration kMaxDeadlineMargin = absl::Seconds(1);
constexpr double kDeadlineMarginShare = 0.1;

}  // namespace

void WaitCall::Request(Completion* arrived) {
  environment_.service->RequestWaitTask(&context(), request_slot(), writer(), queue(), queue(), arrived);
}

void WaitCall::OnRequest() {
  absl::StatusOr<WaitSession::Options> options = ReadRequest();
  if (!options.ok()) return Finish(ToGrpcStatus(options.status()));
  DropRequest();
  counted_.emplace(environment_.count);
  session_.emplace(environment_.loop, environment_.tracker, *std::move(options),
                   [this](const absl::StatusOr<TaskSnapshotPtr>& answer) { OnAnswer(answer); });
  environment_.loop->Post([this] {
    environment_.open_calls->Add(this);
    if (environment_.open_calls->ending().ok()) {
      session_->Start();
    } else {
      session_->End(environment_.open_calls->ending());
    }
  });
}

absl::StatusOr<WaitSession::Options> WaitCall::ReadRequest() const {
  if (absl::Status status = ValidateTaskId(request().task_id()); !status.ok()) return status;
  if (absl::Status status = ValidateLastEtag(request().last_etag()); !status.ok()) return status;
  WaitSession::Options options;
  options.task_id = request().task_id();
  options.last_etag = request().last_etag();
  options.timeout = kMaxWait;
  if (request().has_timeout()) {
    const absl::StatusOr<absl::Duration> timeout = ReadDuration(request().timeout(), "timeout");
    if (!timeout.ok()) return timeout.status();
    options.timeout = std::min(*timeout, kMaxWait);
  }
  const absl::Duration left = DeadlineOf(context()) - environment_.loop->Now();
  options.timeout = std::min(options.timeout, left - std::min(kMaxDeadlineMargin, left * kDeadlineMarginShare));
  return options;
}

void WaitCall::OnCancel() {
  if (!session_.has_value()) return;
  environment_.loop->Post([this] { session_->End(absl::CancelledError("the caller has gone")); });
}

void WaitCall::OnDone() {
  std::unique_ptr<WaitCall> self(this);
  if (session_.has_value()) environment_.loop->Post([self = std::move(self)] {});
}

void WaitCall::OnAnswer(const absl::StatusOr<TaskSnapshotPtr>& answer) {
  environment_.open_calls->Remove(this);
  if (answer.ok()) FillTaskInfo(**answer, *response().mutable_task());
  environment_.hand_over->Run([this, status = ToGrpcStatus(answer.status())] { Finish(status); });
}

}  // namespace taskwatch
