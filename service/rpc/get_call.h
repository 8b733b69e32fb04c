// One GetTaskInfo call.
#ifndef TASKWATCH_SERVICE_RPC_GET_CALL_H_
#define TASKWATCH_SERVICE_RPC_GET_CALL_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "taskwatch/v1/task_service.pb.h"

#include "service/rpc/call_count.h"
#include "service/rpc/call_environment.h"
#include "service/server/server_call.h"
#include "service/tracker/task_tracker.h"

namespace taskwatch {

// Answers from the snapshot cache at once, on the completion thread. If the cache has nothing fresh enough, asks the
// tracker, on the loop's thread.
class GetCall final : public UnaryCall<v1::GetTaskInfoRequest, v1::GetTaskInfoResponse> {
 public:
  explicit GetCall(const CallEnvironment* environment) : environment_(*environment) {}

 private:
  void Request(Completion* arrived) override;
  std::unique_ptr<ServerCall> Another() const override { return std::make_unique<GetCall>(&environment_); }
  void OnRequest() override;
  void OnCancel() override;
  void OnDone() override;

  // Answers the call, or posts it to the loop. An error is for the caller.
  absl::Status Begin();
  void AskTracker();
  void OnAnswer(absl::StatusOr<TaskSnapshotPtr> answer);
  void FinishWithAnswer();

  const CallEnvironment& environment_;

  // Of a request that the cache could not answer.
  std::string task_id_;
  absl::Duration max_staleness_;
  // Handed from thread to thread with the call, so that the message is allocated where it is freed.
  absl::StatusOr<TaskSnapshotPtr> answer_;

  // Completion thread only.
  std::optional<CallCount::Call> counted_;
  bool cancelled_ = false;

  // Loop thread only.
  TaskTracker::GetId get_id_ = 0;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_RPC_GET_CALL_H_
