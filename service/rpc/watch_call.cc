#include "service/rpc/watch_call.h"

#include <algorithm>
#include <utility>

#include "service/rpc/conversion.h"
#include "service/rpc/status_conversion.h"

namespace taskwatch {

void WatchCall::Request(Completion* arrived) {
  environment_.service->RequestWatchTask(&context(), request_slot(), writer(), queue(), queue(), arrived);
}

void WatchCall::OnRequest() {
  absl::StatusOr<WatchSession::Options> options = ReadRequest();
  if (!options.ok()) return Finish(ToGrpcStatus(options.status()));
  DropRequest();
  counted_.emplace(environment_.count);
  session_.emplace(environment_.loop, environment_.tracker, &sink_, *std::move(options));
  environment_.loop->Post([this] {
    environment_.open_calls->Add(this);
    if (!environment_.open_calls->ending().ok()) session_->End(environment_.open_calls->ending());
    session_->Start();
  });
}

absl::StatusOr<WatchSession::Options> WatchCall::ReadRequest() const {
  if (absl::Status status = ValidateTaskId(request().task_id()); !status.ok()) return status;
  if (absl::Status status = ValidateLastEtag(request().last_etag()); !status.ok()) return status;
  WatchSession::Options options;
  options.task_id = request().task_id();
  options.last_etag = request().last_etag();
  options.max_age = environment_.options.max_stream_age;
  options.stall_timeout = environment_.options.stall_timeout;
  options.heartbeat_interval = environment_.options.default_heartbeat_interval;
  if (request().has_heartbeat_interval()) {
    const absl::StatusOr<absl::Duration> interval = ReadDuration(request().heartbeat_interval(), "heartbeat_interval");
    if (!interval.ok()) return interval.status();
    options.heartbeat_interval =
        std::clamp(*interval, environment_.options.min_heartbeat_interval, environment_.options.max_heartbeat_interval);
  }
  if (request().has_poll_interval()) {
    const absl::StatusOr<absl::Duration> interval = ReadDuration(request().poll_interval(), "poll_interval");
    if (!interval.ok()) return interval.status();
    options.poll_interval = *interval;
  }
  return options;
}

void WatchCall::OnWritten(bool ok) {
  environment_.loop->Post([this, ok] { session_->OnWritten(ok); });
}

void WatchCall::OnCancel() {
  if (!session_.has_value()) return;
  environment_.loop->Post([this] { session_->OnCancelled(); });
}

void WatchCall::OnDone() {
  std::unique_ptr<WatchCall> self(this);
  if (session_.has_value()) environment_.loop->Post([self = std::move(self)] {});
}

void WatchCall::SessionSink::Write(const TaskSnapshot& snapshot) {
  call_.message_.Clear();
  FillTaskInfo(snapshot, *call_.message_.mutable_task());
  call_.environment_.hand_over->Run([call = &call_] { call->Write(call->message_); });
}

void WatchCall::SessionSink::Write(const WatchSession::Heartbeat& heartbeat) {
  call_.message_.Clear();
  v1::Heartbeat& message = *call_.message_.mutable_heartbeat();
  message.set_etag(heartbeat.etag);
  if (heartbeat.observe_time.has_value()) FillTimestamp(*heartbeat.observe_time, *message.mutable_observe_time());
  FillTimestamp(heartbeat.next_poll_time, *message.mutable_next_poll_time());
  if (!heartbeat.last_poll_error.ok()) *message.mutable_last_poll_error() = ToStatusProto(heartbeat.last_poll_error);
  call_.environment_.hand_over->Run([call = &call_] { call->Write(call->message_); });
}

void WatchCall::SessionSink::WriteAndFinish(const TaskSnapshot& snapshot) {
  call_.environment_.open_calls->Remove(&call_);
  call_.message_.Clear();
  FillTaskInfo(snapshot, *call_.message_.mutable_task());
  call_.environment_.hand_over->Run([call = &call_] { call->WriteAndFinish(call->message_); });
}

void WatchCall::SessionSink::Finish(const absl::Status& status) {
  call_.environment_.open_calls->Remove(&call_);
  call_.environment_.hand_over->Run([call = &call_, status = ToGrpcStatus(status)] { call->Finish(status); });
}

}  // namespace taskwatch
