#include "service/rpc/watch_call.h"

#include <memory>
#include <utility>

#include "service/rpc/conversion.h"
#include "service/rpc/status_conversion.h"

namespace taskwatch {
namespace {

using Reactor = grpc::ServerWriteReactor<v1::WatchTaskResponse>;

}  // namespace

WatchCall::WatchCall(const CallEnvironment& environment, grpc::CallbackServerContext* context,
                     WatchSession::Options options)
    : environment_(environment),
      counted_(environment.count),
      context_(context),
      session_(environment.loop, environment.tracker, static_cast<WatchSession::Sink*>(this), std::move(options)) {}

void WatchCall::Start() {
  environment_.loop->Post([this] {
    environment_.open_calls->Add(this);
    if (!environment_.open_calls->ending().ok()) session_.End(environment_.open_calls->ending());
    session_.Start();
  });
}

void WatchCall::OnWriteDone(bool ok) {
  environment_.loop->Post([this, ok] { session_.OnWritten(ok); });
}

void WatchCall::OnCancel() {
  environment_.loop->Post([this] { session_.OnCancelled(); });
}

void WatchCall::OnDone() {
  environment_.loop->Post([self = std::unique_ptr<WatchCall>(this)] {});
}

void WatchCall::Write(const TaskSnapshot& snapshot) {
  response_.Clear();
  FillTaskInfo(snapshot, *response_.mutable_task());
  environment_.hand_over->Run([this] { StartWrite(&response_); });
}

void WatchCall::Write(const WatchSession::Heartbeat& heartbeat) {
  response_.Clear();
  v1::Heartbeat& message = *response_.mutable_heartbeat();
  message.set_etag(heartbeat.etag);
  if (heartbeat.observe_time.has_value()) FillTimestamp(*heartbeat.observe_time, *message.mutable_observe_time());
  FillTimestamp(heartbeat.next_poll_time, *message.mutable_next_poll_time());
  if (!heartbeat.last_poll_error.ok()) *message.mutable_last_poll_error() = ToStatusProto(heartbeat.last_poll_error);
  environment_.hand_over->Run([this] { StartWrite(&response_); });
}

void WatchCall::WriteAndFinish(const TaskSnapshot& snapshot) {
  environment_.open_calls->Remove(this);
  response_.Clear();
  FillTaskInfo(snapshot, *response_.mutable_task());
  environment_.hand_over->Run([this] { StartWriteAndFinish(&response_, grpc::WriteOptions(), grpc::Status::OK); });
}

void WatchCall::Finish(const absl::Status& status) {
  environment_.open_calls->Remove(this);
  environment_.hand_over->Run([this, status = ToGrpcStatus(status)] { Reactor::Finish(status); });
}

void WatchCall::Abort() { context_->TryCancel(); }

}  // namespace taskwatch
