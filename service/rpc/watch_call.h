// One WatchTask call: a WatchSession on a gRPC stream.
#ifndef TASKWATCH_SERVICE_RPC_WATCH_CALL_H_
#define TASKWATCH_SERVICE_RPC_WATCH_CALL_H_

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
#include "service/tracker/watch_session.h"

namespace taskwatch {

// The session decides what is sent and when, on the loop's thread; the completion thread begins gRPC's writes and posts
// to the loop what becomes of them. When gRPC is done with the call, the loop deletes it, after all else that was
// posted for it.
class WatchCall final : public StreamCall<v1::WatchTaskRequest, v1::WatchTaskResponse>, public OpenCall {
 public:
  explicit WatchCall(const CallEnvironment* environment) : environment_(*environment) {}

  void End(const absl::Status& status) override { session_->End(status); }

 private:
  // Sends what the session says as messages of this stream. Loop thread.
  class SessionSink final : public WatchSession::Sink {
   public:
    explicit SessionSink(WatchCall* call) : call_(*call) {}
    void Write(const TaskSnapshot& snapshot) override;
    void Write(const WatchSession::Heartbeat& heartbeat) override;
    void WriteAndFinish(const TaskSnapshot& snapshot) override;
    void Finish(const absl::Status& status) override;
    void Abort() override { call_.context().TryCancel(); }

   private:
    WatchCall& call_;
  };

  void Request(Completion* arrived) override;
  std::unique_ptr<ServerCall> Another() const override { return std::make_unique<WatchCall>(&environment_); }
  CallLimit* limit() const override { return environment_.watch_limit; }
  void OnRequest() override;
  void OnWritten(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

  absl::StatusOr<WatchSession::Options> ReadRequest() const;

  const CallEnvironment& environment_;
  std::optional<CallCount::Call> counted_;
  // The message in flight.
  v1::WatchTaskResponse message_;
  SessionSink sink_{this};
  // Set unless the request was refused.
  std::optional<WatchSession> session_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_RPC_WATCH_CALL_H_
