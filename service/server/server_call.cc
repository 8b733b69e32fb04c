#include "service/server/server_call.h"

#include "absl/strings/str_cat.h"

namespace taskwatch {

void ServerCall::Await(const Serving* serving, std::unique_ptr<ServerCall> call) {
  ServerCall* const waiting = call.release();
  waiting->serving_ = serving;
  serving->thread->AddCall();
  waiting->context_.AsyncNotifyWhenDone(&waiting->over_);
  waiting->Request(&waiting->arrived_);
}

void ServerCall::OnArrived(bool ok) {
  if (!ok) {
    // The server shuts down. For a call that never began gRPC does not complete `over_`.
    CompletionThread* const thread = serving_->thread;
    delete this;
    thread->RemoveCall();
    return;
  }
  Await(serving_, Another());
  if (Admit()) OnRequest();
}

bool ServerCall::Admit() {
  CallLimit* const limit = this->limit();
  if (!limit->Take()) {
    refused_ = true;
    Refuse(limit->refusal());
    return false;
  }
  place_ = limit;
  if (const size_t bytes = RequestBytes(); bytes > MaxRequestBytes()) {
    refused_ = true;
    Refuse(TooLarge(bytes));
    return false;
  }
  return true;
}

grpc::Status ServerCall::TooLarge(size_t bytes) const {
  // As gRPC says it of what is too large for every method.
  return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED,
                      absl::StrCat("Received message larger than max (", bytes, " vs. ", MaxRequestBytes(), ")"));
}

void ServerCall::OnOver() {
  if (context_.IsCancelled() && !refused_) OnCancel();
  EndOperation();
}

void ServerCall::OnFinished() {
  EndSending();
  EndOperation();
}

void ServerCall::EndOperation() {
  if (--operations_ > 0) return;
  CompletionThread* const thread = serving_->thread;
  if (place_ != nullptr) place_->Return();
  OnDone();
  thread->RemoveCall();
}

}  // namespace taskwatch
