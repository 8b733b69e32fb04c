// One WatchTask call: a WatchSession on a gRPC stream.
#ifndef TASKWATCH_SERVICE_RPC_WATCH_CALL_H_
#define TASKWATCH_SERVICE_RPC_WATCH_CALL_H_

#include <grpcpp/grpcpp.h>

#include "taskwatch/v1/task_service.pb.h"

#include "service/rpc/call_count.h"
#include "service/rpc/call_environment.h"
#include "service/rpc/open_calls.h"
#include "service/tracker/watch_session.h"

namespace taskwatch {

// Owns itself: once gRPC is done with it, it is deleted on the loop's thread, after all that gRPC's threads have posted
// for it. They do nothing else: the session decides everything, on the loop.
class WatchCall final : public grpc::ServerWriteReactor<v1::WatchTaskResponse>,
                        public OpenCall,
                        private WatchSession::Sink {
 public:
  WatchCall(const CallEnvironment& environment, grpc::CallbackServerContext* context, WatchSession::Options options);

  // To be called once, before the reactor is returned to gRPC.
  void Start();

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

  void End(const absl::Status& status) override { session_.End(status); }

 private:
  void Write(const TaskSnapshot& snapshot) override;
  void Write(const WatchSession::Heartbeat& heartbeat) override;
  void WriteAndFinish(const TaskSnapshot& snapshot) override;
  void Finish(const absl::Status& status) override;
  void Abort() override;

  const CallEnvironment environment_;
  const CallCount::Call counted_;
  grpc::CallbackServerContext* const context_;
  // The message in flight.
  v1::WatchTaskResponse response_;
  WatchSession session_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_RPC_WATCH_CALL_H_
