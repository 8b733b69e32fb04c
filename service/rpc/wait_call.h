// One WaitTask call: a WaitSession on a unary gRPC call.
#ifndef TASKWATCH_SERVICE_RPC_WAIT_CALL_H_
#define TASKWATCH_SERVICE_RPC_WAIT_CALL_H_

#include <grpcpp/grpcpp.h>

#include "absl/status/statusor.h"
#include "taskwatch/v1/task_service.pb.h"

#include "service/rpc/call_count.h"
#include "service/rpc/call_environment.h"
#include "service/rpc/open_calls.h"
#include "service/task/task_info.h"
#include "service/tracker/wait_session.h"

namespace taskwatch {

// Owns itself, as WatchCall does.
class WaitCall final : public grpc::ServerUnaryReactor, public OpenCall {
 public:
  WaitCall(const CallEnvironment& environment, WaitSession::Options options, v1::WaitTaskResponse* response);

  // To be called once, before the reactor is returned to gRPC.
  void Start();

  void OnCancel() override;
  void OnDone() override;

  void End(const absl::Status& status) override { session_.End(status); }

 private:
  void OnAnswer(const absl::StatusOr<TaskSnapshotPtr>& answer);

  const CallEnvironment environment_;
  const CallCount::Call counted_;
  v1::WaitTaskResponse* const response_;
  WaitSession session_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_RPC_WAIT_CALL_H_
