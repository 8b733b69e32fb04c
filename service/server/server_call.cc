#include "service/server/server_call.h"

namespace taskwatch {

void ServerCall::Await(CompletionThread* thread, std::unique_ptr<ServerCall> call) {
  ServerCall* const waiting = call.release();
  waiting->thread_ = thread;
  thread->AddCall();
  waiting->context_.AsyncNotifyWhenDone(&waiting->over_);
  waiting->Request(&waiting->arrived_);
}

void ServerCall::OnArrived(bool ok) {
  if (!ok) {
    // The server shuts down. For a call that never began gRPC does not complete `over_`.
    CompletionThread* const thread = thread_;
    delete this;
    thread->RemoveCall();
    return;
  }
  Await(thread_, Another());
  OnRequest();
}

void ServerCall::EndHalf() {
  if (++halves_ < 2) return;
  CompletionThread* const thread = thread_;
  OnDone();
  thread->RemoveCall();
}

}  // namespace taskwatch
