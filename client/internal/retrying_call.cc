#include "client/internal/retrying_call.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

#include "client/internal/call_context.h"

namespace taskwatch::client {
namespace {

// `failure` of an attempt that found no connection, though there was one before.
absl::Status OutOfReachAgain(const absl::Status& failure) {
  return absl::Status(failure.code(), absl::StrCat("connected before, but not now: ", failure.message()));
}

absl::Status Cancelled() { return absl::CancelledError("the call was cancelled"); }

}  // namespace

RetryingCall::Cancelling::Cancelling(const std::shared_ptr<CallControl>& control, const CancelHandle& caller_handle,
                                     const CancelHandle& client_handle)
    : caller(caller_handle.state_, [control] { control->Cancel(); }),
      client(client_handle.state_, [control] { control->Cancel(); }) {}

RetryingCall::RetryingCall(CallOptions options, const CancelHandle& client, const Credentials* credentials,
                           std::unique_ptr<Rpc> rpc)
    : options_(std::move(options)),
      credentials_(credentials),
      rpc_(std::move(rpc)),
      cancelling_(std::make_unique<Cancelling>(control_, options_.cancel, client)) {}

RetryingCall::Result RetryingCall::Run() {
  while (BeginAttempt()) {
    const std::optional<absl::Time> next = EndAttempt(rpc_->Attempt(control_, context_.get()));
    if (!next.has_value()) break;
    control_->SleepUntil(*next);
  }
  return std::move(result_);
}

void RetryingCall::Start(Done done) {
  done_ = std::move(done);
  // The first attempt is made on one of gRPC's threads too, so that nothing is called back before Start returns.
  control_->PauseUntil(absl::UnixEpoch(), [self = shared_from_this()] { self->AttemptAsync(); });
}

void RetryingCall::AttemptAsync() {
  if (!BeginAttempt()) return Close();
  rpc_->AttemptAsync(control_, context_.get(), [self = shared_from_this()](const absl::Status& status) {
    const std::optional<absl::Time> next = self->EndAttempt(status);
    if (!next.has_value()) return self->Close();
    self->control_->PauseUntil(*next, [self] { self->AttemptAsync(); });
  });
}

bool RetryingCall::BeginAttempt() {
  const absl::Time now = absl::Now();
  if (control_->cancelled()) {
    result_ = Cancelled();
    return false;
  }
  if (now >= options_.deadline) {
    result_ = rpc_->DeadlineExceeded();
    return false;
  }
  const absl::Time deadline = std::min(now + rpc_->PrepareAttempt(now), options_.deadline);
  absl::StatusOr<std::shared_ptr<grpc::ClientContext>> context = NewContext(deadline, options_.metadata, *credentials_);
  if (!context.ok()) {
    result_ = context.status();
    return false;
  }
  context_ = *std::move(context);
  control_->SetAttempt(context_);
  return true;
}

std::optional<absl::Time> RetryingCall::EndAttempt(absl::Status status) {
  control_->SetAttempt(nullptr);
  if (HadConnection(*context_, status)) {
    had_contact_ = true;
    rpc_->OnContact();
  } else if (had_contact_ && absl::IsUnavailable(status)) {
    status = OutOfReachAgain(status);
  }
  // It holds the channel. Kept until this call is destroyed, on one of gRPC's threads, it could be the last to do so,
  // and that thread would join itself in the channel's destructor and go on with what is freed.
  context_.reset();
  if (control_->cancelled() && absl::IsCancelled(status)) {
    result_ = Cancelled();
    return std::nullopt;
  }
  if (const std::optional<absl::Status> refusal = RefusalIn(status); refusal.has_value()) {
    result_ = *refusal;
    return std::nullopt;
  }
  const absl::Time now = absl::Now();
  const std::optional<absl::Duration> pause = rpc_->OnAttemptEnd(status, now);
  if (!pause.has_value()) {
    result_ = rpc_->result();
    return std::nullopt;
  }
  return std::min(now + *pause, options_.deadline);
}

void RetryingCall::Close() {
  cancelling_.reset();
  std::exchange(done_, nullptr)(std::move(result_));
}

}  // namespace taskwatch::client
