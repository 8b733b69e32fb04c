// The three methods of TaskService as RetryingCall attempts them.
#ifndef TASKWATCH_CLIENT_INTERNAL_TASK_RPCS_H_
#define TASKWATCH_CLIENT_INTERNAL_TASK_RPCS_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "taskwatch/client/options.h"
#include "taskwatch/v1/task_service.grpc.pb.h"

#include "client/internal/resume_policy.h"
#include "client/internal/retrying_call.h"
#include "client/internal/wait_run.h"
#include "client/internal/watch_run.h"

namespace taskwatch::client {

// The stub must outlive the attempts of all of them.

// One GetTaskInfo; with a policy, again after failures of the connection.
class GetRpc final : public Rpc {
 public:
  // `policy` is for options that resume.
  GetRpc(v1::TaskService::StubInterface* stub, const std::string& task_id, const GetOptions& options,
         ResumePolicy policy);

  absl::Duration PrepareAttempt(absl::Time now) override;
  absl::Status Attempt(const std::shared_ptr<CallControl>& control, grpc::ClientContext* context) override;
  void AttemptAsync(const std::shared_ptr<CallControl>& control, grpc::ClientContext* context,
                    AttemptDone done) override;
  void OnContact() override { policy_.OnContact(); }
  std::optional<absl::Duration> OnAttemptEnd(const absl::Status& status, absl::Time now) override;
  absl::StatusOr<v1::TaskInfo> result() const override { return result_; }
  absl::Status DeadlineExceeded() const override;

 private:
  v1::TaskService::StubInterface* const stub_;
  const bool resume_;
  ResumePolicy policy_;
  v1::GetTaskInfoRequest request_;
  v1::GetTaskInfoResponse response_;
  // Why the last attempt failed.
  std::string trouble_;
  absl::StatusOr<v1::TaskInfo> result_ = absl::UnknownError("the call is not over");
};

// WaitTask, as often as WaitRun decides.
class WaitRpc final : public Rpc {
 public:
  WaitRpc(v1::TaskService::StubInterface* stub, WaitRun run) : stub_(stub), run_(std::move(run)) {}

  absl::Duration PrepareAttempt(absl::Time now) override;
  absl::Status Attempt(const std::shared_ptr<CallControl>& control, grpc::ClientContext* context) override;
  void AttemptAsync(const std::shared_ptr<CallControl>& control, grpc::ClientContext* context,
                    AttemptDone done) override;
  void OnContact() override { run_.OnContact(); }
  std::optional<absl::Duration> OnAttemptEnd(const absl::Status& status, absl::Time now) override;
  absl::StatusOr<v1::TaskInfo> result() const override { return run_.result(); }
  absl::Status DeadlineExceeded() const override;

 private:
  v1::TaskService::StubInterface* const stub_;
  WaitRun run_;
  v1::WaitTaskRequest request_;
  v1::WaitTaskResponse response_;
};

// WatchTask streams, one after the other. A stream that is silent for WatchRun's limit is abandoned, and ends with
// UNAVAILABLE.
class WatchRpc final : public Rpc {
 public:
  WatchRpc(v1::TaskService::StubInterface* stub, WatchRun run) : stub_(stub), run_(std::move(run)) {}

  absl::Duration PrepareAttempt(absl::Time now) override;
  absl::Status Attempt(const std::shared_ptr<CallControl>& control, grpc::ClientContext* context) override;
  void AttemptAsync(const std::shared_ptr<CallControl>& control, grpc::ClientContext* context,
                    AttemptDone done) override;
  void OnContact() override { run_.OnContact(); }
  std::optional<absl::Duration> OnAttemptEnd(const absl::Status& status, absl::Time now) override;
  absl::StatusOr<v1::TaskInfo> result() const override { return run_.result(); }
  absl::Status DeadlineExceeded() const override { return run_.DeadlineExceeded(); }

 private:
  class Stream;

  // The status of a stream that ended with `status`.
  absl::Status StreamStatus(const grpc::Status& status, const SilenceAlarm& silence) const;

  v1::TaskService::StubInterface* const stub_;
  WatchRun run_;
  v1::WatchTaskRequest request_;
};

}  // namespace taskwatch::client

#endif  // TASKWATCH_CLIENT_INTERNAL_TASK_RPCS_H_
