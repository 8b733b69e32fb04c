// One GetTaskInfo call that the tracker has to answer.
#ifndef TASKWATCH_SERVICE_RPC_GET_CALL_H_
#define TASKWATCH_SERVICE_RPC_GET_CALL_H_

#include <grpcpp/grpcpp.h>

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "taskwatch/v1/task_service.pb.h"

#include "service/rpc/call_count.h"
#include "service/rpc/call_environment.h"
#include "service/tracker/task_tracker.h"

namespace taskwatch {

// Owns itself: gRPC's OnDone deletes it. Everything that decides happens on the loop's thread; gRPC's threads only hand
// their news over.
class GetCall final : public grpc::ServerUnaryReactor {
 public:
  GetCall(const CallEnvironment& environment, std::string task_id, v1::GetTaskInfoResponse* response);

  // To be called once, before the reactor is returned to gRPC.
  void Start(absl::Duration max_staleness, absl::Time deadline);

  void OnCancel() override;
  void OnDone() override;

 private:
  void OnAnswer(absl::StatusOr<TaskSnapshotPtr> answer);

  const CallEnvironment environment_;
  const CallCount::Call counted_;
  const std::string task_id_;
  v1::GetTaskInfoResponse* const response_;

  // Loop thread only.
  bool finished_ = false;
  TaskTracker::GetId get_id_ = 0;

  // gRPC's reactions only, which do not overlap.
  bool cancelled_ = false;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_RPC_GET_CALL_H_
