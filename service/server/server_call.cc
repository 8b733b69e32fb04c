#include "service/server/server_call.h"

namespace taskwatch {

void ServerCall::Await(std::unique_ptr<ServerCall> call) {
  ServerCall* const waiting = call.release();
  waiting->context_.AsyncNotifyWhenDone(&waiting->over_);
  waiting->Request(&waiting->arrived_);
}

void ServerCall::OnArrived(bool ok) {
  if (!ok) {
    // The server shuts down; of a call that never began gRPC does not tell that it is over.
    delete this;
    return;
  }
  Await(Another());
  OnRequest();
}

}  // namespace taskwatch
