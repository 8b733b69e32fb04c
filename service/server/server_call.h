// Calls on gRPC's completion-queue API: what every call goes through, from waiting for its request to its end.
#ifndef TASKWATCH_SERVICE_SERVER_SERVER_CALL_H_
#define TASKWATCH_SERVICE_SERVER_SERVER_CALL_H_

#include <grpcpp/grpcpp.h>

#include <memory>

#include "service/server/completion_thread.h"

namespace taskwatch {

// A call that waits for its request, is answered, and is over. Lives on the completion thread: gRPC calls its virtual
// methods there, and its operations must be begun there.
//
// Owns itself from Await on. Each call must be finished exactly once, also when it has been cancelled; OnDone is the
// last that is heard of it. Only a call that never gets a request, because the server shuts down, is deleted without
// that.
class ServerCall {
 public:
  ServerCall(const ServerCall&) = delete;
  ServerCall& operator=(const ServerCall&) = delete;
  virtual ~ServerCall() = default;

  // Waits for a request of `call`, and then for further ones: one such call is always waiting.
  static void Await(std::unique_ptr<ServerCall> call);

 protected:
  ServerCall() = default;

  // Asks gRPC for the next request; `arrived` is the tag.
  virtual void Request(Completion* arrived) = 0;
  // The call that waits in this one's place.
  virtual std::unique_ptr<ServerCall> Another() const = 0;
  // The request is there.
  virtual void OnRequest() = 0;
  // The caller has gone; the call is still to be finished, if it is not.
  virtual void OnCancel() {}
  // gRPC has no more use for the call. Whoever overrides this sees to its deletion.
  virtual void OnDone() { delete this; }

  grpc::ServerContext& context() { return context_; }
  const grpc::ServerContext& context() const { return context_; }

  // The tag of the operation that finishes the call.
  Completion* finished() { return &finished_; }

 private:
  void OnArrived(bool ok);
  // Counts the two things that end a call: it has been finished, and gRPC has said that it is over.
  void EndHalf() {
    if (++halves_ == 2) OnDone();
  }

  grpc::ServerContext context_;
  int halves_ = 0;
  Completion arrived_{[this](bool ok) { OnArrived(ok); }};
  Completion over_{[this](bool) {
    if (context_.IsCancelled()) OnCancel();
    EndHalf();
  }};
  Completion finished_{[this](bool) { EndHalf(); }};
};

// A call whose request is a `RequestMessage` and whose answers go to a `Writer` of gRPC's.
template <typename RequestMessage, typename Writer>
class TypedCall : public ServerCall {
 protected:
  const RequestMessage& request() const { return request_; }

  // For Request: where gRPC puts the request, and takes the answers.
  RequestMessage* request_slot() { return &request_; }
  Writer* writer() { return &writer_; }

 private:
  RequestMessage request_;
  Writer writer_{&context()};
};

// A call with one answer.
template <typename RequestMessage, typename Response>
class UnaryCall : public TypedCall<RequestMessage, grpc::ServerAsyncResponseWriter<Response>> {
 protected:
  // To be filled before Finish(OK).
  Response& response() { return response_; }

  void Finish(const grpc::Status& status) {
    if (status.ok()) {
      this->writer()->Finish(response_, status, this->finished());
    } else {
      this->writer()->FinishWithError(status, this->finished());
    }
  }

 private:
  Response response_;
};

// A call whose answer is a stream of messages, one in flight at a time.
template <typename RequestMessage, typename Response>
class StreamCall : public TypedCall<RequestMessage, grpc::ServerAsyncWriter<Response>> {
 protected:
  // OnWritten tells when the next message may follow.
  void Write(const Response& response) { this->writer()->Write(response, &written_); }
  virtual void OnWritten(bool ok) = 0;
  void WriteAndFinish(const Response& response) {
    this->writer()->WriteAndFinish(response, grpc::WriteOptions(), grpc::Status::OK, this->finished());
  }
  // Not while a message is in flight.
  void Finish(const grpc::Status& status) { this->writer()->Finish(status, this->finished()); }

 private:
  Completion written_{[this](bool ok) { OnWritten(ok); }};
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_SERVER_SERVER_CALL_H_
