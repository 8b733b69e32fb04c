#include "service/rpc/watch_call.h"

#include <memory>
#include <utility>

#include "service/rpc/conversion.h"
#include "service/rpc/status_conversion.h"

namespace taskwatch {
namespace {

using Reactor = grpc::ServerWriteReactor<v1::WatchTaskResponse>;

}  // namespace

WatchCall::WatchCall(EventLoop* loop, TaskTracker* tracker, CallCount* count, OpenCalls* open_calls,
                     grpc::CallbackServerContext* context, WatchSession::Options options)
    : counted_(count),
      loop_(loop),
      open_calls_(open_calls),
      context_(context),
      session_(loop, tracker, static_cast<WatchSession::Sink*>(this), std::move(options)) {}

void WatchCall::Start() {
  loop_->Post([this] {
    open_calls_->Add(this);
    if (!open_calls_->ending().ok()) session_.End(open_calls_->ending());
    session_.Start();
  });
}

void WatchCall::OnWriteDone(bool ok) {
  loop_->Post([this, ok] { session_.OnWritten(ok); });
}

void WatchCall::OnCancel() {
  loop_->Post([this] { session_.OnCancelled(); });
}

void WatchCall::OnDone() {
  loop_->Post([self = std::unique_ptr<WatchCall>(this)] {});
}

void WatchCall::Write(const TaskSnapshot& snapshot) {
  response_.Clear();
  FillTaskInfo(snapshot, *response_.mutable_task());
  StartWrite(&response_);
}

void WatchCall::Write(const WatchSession::Heartbeat& heartbeat) {
  response_.Clear();
  v1::Heartbeat& message = *response_.mutable_heartbeat();
  message.set_etag(heartbeat.etag);
  if (heartbeat.observe_time.has_value()) FillTimestamp(*heartbeat.observe_time, *message.mutable_observe_time());
  FillTimestamp(heartbeat.next_poll_time, *message.mutable_next_poll_time());
  if (!heartbeat.last_poll_error.ok()) *message.mutable_last_poll_error() = ToStatusProto(heartbeat.last_poll_error);
  StartWrite(&response_);
}

void WatchCall::WriteAndFinish(const TaskSnapshot& snapshot) {
  open_calls_->Remove(this);
  response_.Clear();
  FillTaskInfo(snapshot, *response_.mutable_task());
  StartWriteAndFinish(&response_, grpc::WriteOptions(), grpc::Status::OK);
}

void WatchCall::Finish(const absl::Status& status) {
  open_calls_->Remove(this);
  Reactor::Finish(ToGrpcStatus(status));
}

void WatchCall::Abort() { context_->TryCancel(); }

}  // namespace taskwatch
