// Server-side calls on gRPC's completion-queue API, from waiting for the request to the end.
#ifndef TASKWATCH_SERVICE_SERVER_SERVER_CALL_H_
#define TASKWATCH_SERVICE_SERVER_SERVER_CALL_H_

#include <grpcpp/grpcpp.h>

#include <memory>

#include "service/server/completion_thread.h"

namespace taskwatch {

// A call that waits for its request, is answered, and is over. The smallest one, of a unary method:
//
//   class PingCall final : public UnaryCall<PingRequest, PingResponse> {
//    public:
//     explicit PingCall(PingService::AsyncService* service) : service_(service) {}
//
//    private:
//     void Request(Completion* arrived) override {
//       service_->RequestPing(&context(), request_slot(), writer(), queue(), queue(), arrived);
//     }
//     std::unique_ptr<ServerCall> Another() const override { return std::make_unique<PingCall>(service_); }
//     void OnRequest() override {
//       response().set_text(request().text());
//       Finish(grpc::Status::OK);
//     }
//
//     PingService::AsyncService* const service_;
//   };
//
//   ServerCall::Await(server->completions(), std::make_unique<PingCall>(&service));
//
// (tests/server/server_call_test.cc runs it, and a stream.)
//
// Lives on the completion thread: gRPC calls its virtual methods there, and Finish and Write must be called there. From
// Await on a call owns itself. It must call Finish exactly once, also when it has been cancelled; OnDone comes after
// that, as the last. Only a call that never gets a request, because the server shuts down, is deleted without OnDone.
class ServerCall {
 public:
  ServerCall(const ServerCall&) = delete;
  ServerCall& operator=(const ServerCall&) = delete;
  virtual ~ServerCall() = default;

  // Waits on `thread` for a request of `call`, and then for further ones: one such call is always waiting.
  static void Await(CompletionThread* thread, std::unique_ptr<ServerCall> call);

 protected:
  ServerCall() = default;

  // Asks gRPC for the next request; `arrived` is the tag.
  virtual void Request(Completion* arrived) = 0;
  // The call that waits in this one's place.
  virtual std::unique_ptr<ServerCall> Another() const = 0;
  // The request has arrived.
  virtual void OnRequest() = 0;
  // The caller has cancelled the call or is gone. The call must still be finished, unless it has been.
  virtual void OnCancel() {}
  // The call is over and gRPC will not touch it again. An override must see to its deletion.
  virtual void OnDone() { delete this; }

  // For Request: the queue of both the call and the notification.
  grpc::ServerCompletionQueue* queue() const { return thread_->queue(); }

  grpc::ServerContext& context() { return context_; }
  const grpc::ServerContext& context() const { return context_; }

  // The tag of the operation that finishes the call.
  Completion* finished() { return &finished_; }

 private:
  void OnArrived(bool ok);
  // Two completions end a call, in either order: `finished_`, and gRPC's `over_`.
  void EndHalf();

  CompletionThread* thread_ = nullptr;
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

// A call whose answer is a stream of messages. Only one message may be in flight: the next Write or Finish waits for
// OnWritten.
template <typename RequestMessage, typename Response>
class StreamCall : public TypedCall<RequestMessage, grpc::ServerAsyncWriter<Response>> {
 protected:
  void Write(const Response& response) { this->writer()->Write(response, &written_); }
  // The message is on its way, or lost (`ok` false): then the call is cancelled.
  virtual void OnWritten(bool ok) = 0;
  // The last message, and OK.
  void WriteAndFinish(const Response& response) {
    this->writer()->WriteAndFinish(response, grpc::WriteOptions(), grpc::Status::OK, this->finished());
  }
  void Finish(const grpc::Status& status) { this->writer()->Finish(status, this->finished()); }

 private:
  Completion written_{[this](bool ok) { OnWritten(ok); }};
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_SERVER_SERVER_CALL_H_
