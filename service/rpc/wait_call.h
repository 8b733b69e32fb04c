// One WaitTask call: a WaitSession on a unary gRPC call.
#ifndef TASKWATCH_SERVICE_RPC_WAIT_CALL_H_
#define TASKWATCH_SERVICE_RPC_WAIT_CALL_H_

#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "taskwatch/v1/task_service.pb.h"

#include "service/rpc/call_count.h"
#include "service/rpc/call_environment.h"
#include "service/rpc/open_calls.h"
#include "service/server/call_limit.h"
#include "service/server/server_call.h"
#include "service/task/task_info.h"
#include "service/tracker/wait_session.h"

namespace taskwatch {

// Lives and ends as WatchCall does.
class WaitCall final : public UnaryCall<v1::WaitTaskRequest, v1::WaitTaskResponse>, public OpenCall {
 public:
  explicit WaitCall(const CallEnvironment* environment) : environment_(*environment) {}

  void End(const absl::Status& status) override { session_->End(status); }

 private:
  void Request(Completion* arrived) override;
  std::unique_ptr<ServerCall> Another() const override { return std::make_unique<WaitCall>(&environment_); }
  CallLimit* limit() const override { return environment_.watch_limit; }
  void OnRequest() override;
  void OnCancel() override;
  void OnDone() override;

  void OnAnswer(const absl::StatusOr<TaskSnapshotPtr>& answer);
  absl::StatusOr<WaitSession::Options> ReadRequest() const;

  const CallEnvironment& environment_;
  std::optional<CallCount::Call> counted_;
  // Set unless the request was refused.
  std::optional<WaitSession> session_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_RPC_WAIT_CALL_H_
