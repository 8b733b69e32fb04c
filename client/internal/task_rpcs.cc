#include "client/internal/task_rpcs.h"

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "taskwatch/client/rpc_status.h"

#include "client/internal/call_control.h"
#include "client/internal/proto_time.h"

namespace taskwatch::client {

namespace {

// Nothing that the service says of the task or of DingTalk.
bool IsOfConnection(const absl::Status& failure) {
  const std::string reason = ErrorReasonOf(failure);
  return reason.empty() || reason == "SERVER_DRAINING";
}

}  // namespace

GetRpc::GetRpc(v1::TaskService::StubInterface* stub, const std::string& task_id, const GetOptions& options,
               ResumePolicy policy)
    : stub_(stub), resume_(options.resume), policy_(std::move(policy)) {
  request_.set_task_id(task_id);
  if (options.max_staleness.has_value()) *request_.mutable_max_staleness() = ToProto(*options.max_staleness);
}

absl::Duration GetRpc::PrepareAttempt(absl::Time /*now*/) { return absl::InfiniteDuration(); }

absl::Status GetRpc::Attempt(const std::shared_ptr<CallControl>& /*control*/, grpc::ClientContext* context) {
  return FromGrpcStatus(stub_->GetTaskInfo(context, request_, &response_));
}

void GetRpc::AttemptAsync(const std::shared_ptr<CallControl>& /*control*/, grpc::ClientContext* context,
                          AttemptDone done) {
  stub_->async()->GetTaskInfo(context, &request_, &response_,
                              [done = std::move(done)](const grpc::Status& status) { done(FromGrpcStatus(status)); });
}

std::optional<absl::Duration> GetRpc::OnAttemptEnd(const absl::Status& status, absl::Time now) {
  if (status.ok()) {
    result_ = std::move(*response_.mutable_task());
    return std::nullopt;
  }
  result_ = status;
  trouble_ = std::string(status.message());
  return resume_ && IsOfConnection(status) ? policy_.DelayAfter(status, now) : std::nullopt;
}

absl::Status GetRpc::DeadlineExceeded() const {
  return absl::DeadlineExceededError(absl::StrCat("the deadline passed before there was an answer",
                                                  trouble_.empty() ? "" : "; the last trouble was: ", trouble_));
}

absl::Duration WaitRpc::PrepareAttempt(absl::Time now) {
  request_ = run_.NextRequest(now);
  return run_.call_timeout();
}

absl::Status WaitRpc::Attempt(const std::shared_ptr<CallControl>& /*control*/, grpc::ClientContext* context) {
  return FromGrpcStatus(stub_->WaitTask(context, request_, &response_));
}

void WaitRpc::AttemptAsync(const std::shared_ptr<CallControl>& /*control*/, grpc::ClientContext* context,
                           AttemptDone done) {
  stub_->async()->WaitTask(context, &request_, &response_,
                           [done = std::move(done)](const grpc::Status& status) { done(FromGrpcStatus(status)); });
}

std::optional<absl::Duration> WaitRpc::OnAttemptEnd(const absl::Status& status, absl::Time now) {
  return run_.OnAnswer(status, response_, now);
}

absl::Status WaitRpc::DeadlineExceeded() const {
  return absl::DeadlineExceededError("the deadline passed before the task was done");
}

// One stream with callbacks. Deletes itself when gRPC is done with it.
class WatchRpc::Stream final : public grpc::ClientReadReactor<v1::WatchTaskResponse> {
 public:
  Stream(WatchRpc* rpc, const std::shared_ptr<CallControl>& control, grpc::ClientContext* context, AttemptDone done)
      : rpc_(*rpc), done_(std::move(done)), silence_(control, rpc_.run_.silence_limit()) {
    rpc_.stub_->async()->WatchTask(context, &rpc_.request_, this);
    StartRead(&message_);
    StartCall();
  }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    silence_.Touch();
    rpc_.run_.OnMessage(message_);
    StartRead(&message_);
  }

  void OnDone(const grpc::Status& status) override {
    const absl::Status result = rpc_.StreamStatus(status, silence_);
    const AttemptDone done = std::move(done_);
    delete this;
    done(result);
  }

 private:
  WatchRpc& rpc_;
  AttemptDone done_;
  SilenceAlarm silence_;
  v1::WatchTaskResponse message_;
};

absl::Duration WatchRpc::PrepareAttempt(absl::Time /*now*/) {
  request_ = run_.OpenStream();
  return absl::InfiniteDuration();
}

absl::Status WatchRpc::Attempt(const std::shared_ptr<CallControl>& control, grpc::ClientContext* context) {
  const auto reader = stub_->WatchTask(context, request_);
  SilenceAlarm silence(control, run_.silence_limit());
  v1::WatchTaskResponse message;
  while (reader->Read(&message)) {
    silence.Touch();
    run_.OnMessage(message);
  }
  return StreamStatus(reader->Finish(), silence);
}

void WatchRpc::AttemptAsync(const std::shared_ptr<CallControl>& control, grpc::ClientContext* context,
                            AttemptDone done) {
  new Stream(this, control, context, std::move(done));
}

std::optional<absl::Duration> WatchRpc::OnAttemptEnd(const absl::Status& status, absl::Time now) {
  return run_.OnStreamEnd(status, now);
}

absl::Status WatchRpc::StreamStatus(const grpc::Status& status, const SilenceAlarm& silence) const {
  if (!silence.expired()) return FromGrpcStatus(status);
  return absl::UnavailableError(absl::StrCat("no message for ", absl::FormatDuration(run_.silence_limit()),
                                             ": the connection is taken for dead"));
}

}  // namespace taskwatch::client
