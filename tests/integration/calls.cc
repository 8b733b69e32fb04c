#include "tests/integration/calls.h"

#include <ostream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

#include "tests/patience/patience.h"

namespace taskwatch {

std::shared_ptr<grpc::Channel> NewChannel(const std::string& address, grpc::ChannelArguments arguments) {
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

std::shared_ptr<grpc::Channel> NewNarrowChannel(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  return NewChannel(address, arguments);
}

CallError ErrorIn(const grpc::Status& status) {
  CallError error;
  error.code = status.error_code();
  error.message = status.error_message();
  google::rpc::Status proto;
  proto.ParseFromString(status.error_details());
  for (const google::protobuf::Any& any : proto.details()) {
    google::rpc::ErrorInfo info;
    google::rpc::RetryInfo retry;
    google::rpc::BadRequest bad_request;
    google::rpc::RequestInfo request;
    if (any.UnpackTo(&info)) {
      error.reason = info.reason();
      error.domain = info.domain();
      error.metadata.insert(info.metadata().begin(), info.metadata().end());
    } else if (any.UnpackTo(&retry)) {
      error.retry_after = absl::Seconds(retry.retry_delay().seconds()) + absl::Nanoseconds(retry.retry_delay().nanos());
    } else if (any.UnpackTo(&bad_request)) {
      if (bad_request.field_violations_size() > 0) error.field = bad_request.field_violations(0).field();
    } else if (any.UnpackTo(&request)) {
      error.request_id = request.request_id();
    } else if (any.Is<google::rpc::QuotaFailure>()) {
      error.has_quota_failure = true;
    }
  }
  return error;
}

std::ostream& operator<<(std::ostream& stream, const CallError& error) {
  return stream << "code " << error.code << ", reason " << error.reason << ": " << error.message;
}

void SetDuration(absl::Duration duration, google::protobuf::Duration* proto) {
  absl::Duration rest;
  proto->set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &rest));
  proto->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(rest)));
}

GetRequest::GetRequest(v1::TaskService::Stub& stub, absl::string_view task_id, Options options) {
  context_.set_deadline(absl::ToChronoTime(absl::Now() + options.timeout));
  request_.set_task_id(std::string(task_id));
  if (options.max_staleness.has_value()) SetDuration(*options.max_staleness, request_.mutable_max_staleness());
  stub.async()->GetTaskInfo(&context_, &request_, &response_, [this](grpc::Status status) {
    absl::MutexLock lock(&mutex_);
    status_ = std::move(status);
  });
}

GetRequest::~GetRequest() {
  Cancel();
  Await();
}

const grpc::Status& GetRequest::Await() {
  const auto over = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return status_.has_value(); };
  taskwatch::Await(mutex_, absl::Condition(&over),
                   absl::StrCat("the end of GetTaskInfo of '", request_.task_id(), "'"));
  absl::MutexLock lock(&mutex_);
  return *status_;
}

GetResult Get(v1::TaskService::Stub& stub, absl::string_view task_id, GetRequest::Options options) {
  GetRequest request(stub, task_id, options);
  grpc::Status status = request.Await();
  return {std::move(status), request.task()};
}

WatchStream::WatchStream(v1::TaskService::Stub& stub, absl::string_view task_id, const Options& options) {
  context_.set_deadline(absl::ToChronoTime(absl::Now() + options.timeout));
  request_.set_task_id(std::string(task_id));
  request_.set_last_etag(options.last_etag);
  if (options.poll_interval.has_value()) SetDuration(*options.poll_interval, request_.mutable_poll_interval());
  if (options.heartbeat_interval.has_value()) {
    SetDuration(*options.heartbeat_interval, request_.mutable_heartbeat_interval());
  }
  stub.async()->WatchTask(&context_, &request_, this);
  if (options.reads) {
    StartRead(&response_);
  } else {
    absl::MutexLock lock(&mutex_);
    held_ = true;
    // Reads are to be started from outside of the reactions.
    AddHold();
  }
  StartCall();
}

WatchStream::~WatchStream() {
  Cancel();
  // Without a read that is told, gRPC does not see the end.
  StartReading();
  AwaitEnd();
}

void WatchStream::StartReading() {
  {
    absl::MutexLock lock(&mutex_);
    if (!std::exchange(held_, false)) return;
  }
  StartRead(&response_);
  RemoveHold();
}

bool WatchStream::AwaitMessages(size_t count) {
  const auto enough = [this, count]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return messages_.size() >= count || status_.has_value();
  };
  Await(mutex_, absl::Condition(&enough), absl::StrCat(count, " messages of WatchTask of '", request_.task_id(), "'"));
  absl::MutexLock lock(&mutex_);
  return messages_.size() >= count;
}

const grpc::Status& WatchStream::AwaitEnd() {
  const auto over = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return status_.has_value(); };
  Await(mutex_, absl::Condition(&over), absl::StrCat("the end of WatchTask of '", request_.task_id(), "'"));
  absl::MutexLock lock(&mutex_);
  return *status_;
}

std::vector<v1::WatchTaskResponse> WatchStream::messages() const {
  absl::MutexLock lock(&mutex_);
  return messages_;
}

v1::TaskInfo WatchStream::last_task() const {
  absl::MutexLock lock(&mutex_);
  for (auto message = messages_.rbegin(); message != messages_.rend(); ++message) {
    if (message->has_task()) return message->task();
  }
  return {};
}

void WatchStream::OnReadDone(bool ok) {
  if (!ok) return;
  {
    absl::MutexLock lock(&mutex_);
    messages_.push_back(response_);
  }
  StartRead(&response_);
}

void WatchStream::OnDone(const grpc::Status& status) {
  absl::MutexLock lock(&mutex_);
  status_ = status;
}

}  // namespace taskwatch
