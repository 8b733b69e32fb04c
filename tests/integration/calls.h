// Clients of a real gRPC server, as tests need them: many at a time, and none in a hurry.
#ifndef TASKWATCH_TESTS_INTEGRATION_CALLS_H_
#define TASKWATCH_TESTS_INTEGRATION_CALLS_H_

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "taskwatch/v1/task_service.grpc.pb.h"

namespace taskwatch {

// A connection of its own to `address`, shared with no other channel.
std::shared_ptr<grpc::Channel> NewChannel(const std::string& address, grpc::ChannelArguments arguments = {});

// The same, but it takes in no more than 64 KiB of a stream that nobody reads; gRPC's own estimate of what the
// connection can bear would be some megabytes between two processes of one machine.
std::shared_ptr<grpc::Channel> NewNarrowChannel(const std::string& address);

// The google.rpc details of a failed call, decoded.
struct CallError {
  grpc::StatusCode code = grpc::StatusCode::OK;
  std::string message;
  std::string reason;
  std::string domain;
  std::map<std::string, std::string> metadata;
  std::optional<absl::Duration> retry_after;
  // Of BadRequest's first violation.
  std::string field;
  bool has_quota_failure = false;
  std::string request_id;
};
CallError ErrorIn(const grpc::Status& status);
std::ostream& operator<<(std::ostream& stream, const CallError& error);

// Matches how a call has ended, a grpc::Status, and shows its details when it does not.
MATCHER(IsOkCall, negation ? "is not OK" : "is OK") {
  *result_listener << "which has " << ErrorIn(arg);
  return arg.ok();
}

// The longest that a call of a test may take: it ends a test that hangs, and is no expectation of any.
inline constexpr absl::Duration kLongDeadline = absl::Minutes(4);

void SetDuration(absl::Duration duration, google::protobuf::Duration* proto);

// One GetTaskInfo call under way.
class GetRequest {
 public:
  struct Options {
    std::optional<absl::Duration> max_staleness;
    absl::Duration timeout = kLongDeadline;
  };

  GetRequest(v1::TaskService::Stub& stub, absl::string_view task_id, Options options);
  GetRequest(v1::TaskService::Stub& stub, absl::string_view task_id) : GetRequest(stub, task_id, Options()) {}
  // Cancels the call if it is not over, and waits until it is.
  ~GetRequest();

  void Cancel() { context_.TryCancel(); }
  // Waits for the end.
  const grpc::Status& Await();
  // To be called after the end.
  const v1::TaskInfo& task() const { return response_.task(); }

 private:
  grpc::ClientContext context_;
  v1::GetTaskInfoRequest request_;
  v1::GetTaskInfoResponse response_;
  absl::Mutex mutex_;
  std::optional<grpc::Status> status_ ABSL_GUARDED_BY(mutex_);
};

// A GetTaskInfo call from its beginning to its end.
struct GetResult {
  grpc::Status status;
  v1::TaskInfo task;
};
GetResult Get(v1::TaskService::Stub& stub, absl::string_view task_id, GetRequest::Options options = {});

// One WatchTask stream, which keeps all that it is told.
class WatchStream final : private grpc::ClientReadReactor<v1::WatchTaskResponse> {
 public:
  struct Options {
    std::string last_etag;
    std::optional<absl::Duration> poll_interval;
    std::optional<absl::Duration> heartbeat_interval;
    // Whether to read from the start; a stream that does not fills what gRPC buffers for it and then holds the server
    // up.
    bool reads = true;
    absl::Duration timeout = kLongDeadline;
  };

  WatchStream(v1::TaskService::Stub& stub, absl::string_view task_id, const Options& options);
  WatchStream(v1::TaskService::Stub& stub, absl::string_view task_id) : WatchStream(stub, task_id, Options()) {}
  // Cancels the stream if it has not ended, and waits until it has.
  ~WatchStream() override;

  void Cancel() { context_.TryCancel(); }
  // Begins to read, once, if the options say that it does not.
  void StartReading();
  // Waits until that many messages have come, or the stream has ended; whether they have come.
  bool AwaitMessages(size_t count);
  const grpc::Status& AwaitEnd();

  std::vector<v1::WatchTaskResponse> messages() const;
  // The latest task told; empty if none.
  v1::TaskInfo last_task() const;

 private:
  void OnReadDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

  grpc::ClientContext context_;
  v1::WatchTaskRequest request_;
  v1::WatchTaskResponse response_;
  mutable absl::Mutex mutex_;
  bool held_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<v1::WatchTaskResponse> messages_ ABSL_GUARDED_BY(mutex_);
  std::optional<grpc::Status> status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace taskwatch

#endif  // TASKWATCH_TESTS_INTEGRATION_CALLS_H_
