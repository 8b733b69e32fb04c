// Server-side calls on gRPC's completion-queue API, from waiting for the request to the end.
#ifndef TASKWATCH_SERVICE_SERVER_SERVER_CALL_H_
#define TASKWATCH_SERVICE_SERVER_SERVER_CALL_H_

#include <grpcpp/grpcpp.h>

#include <cstddef>
#include <memory>

#include "service/server/call_limit.h"
#include "service/server/completion_thread.h"
#include "service/server/time_limit.h"

namespace taskwatch {

// What the calls of one server have in common. All of it outlives them.
struct Serving {
  CompletionThread* thread;
  // A call that has a message or its end to send, and cannot for so long, is cancelled: its caller does not read.
  TimeLimit* stall_limit;
  // Where calls count unless they say otherwise.
  CallLimit* open_calls;
};

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
//   ServerCall::Await(server->serving(), std::make_unique<PingCall>(&service));
//
// (tests/server/server_call_test.cc runs it, and a stream.)
//
// What is common to all calls is done here: a call for which its limit has no place, and one whose request is too
// large, ends without having seen the request; one whose caller does not read what it is sent is cancelled in time.
//
// Lives on the completion thread: gRPC calls its virtual methods there, and Finish and Write must be called there. From
// Await on a call owns itself. It must call Finish exactly once, also when it has been cancelled; OnDone comes after
// that, as the last. Only a call that never gets a request, because the server shuts down, is deleted without OnDone.
class ServerCall {
 public:
  ServerCall(const ServerCall&) = delete;
  ServerCall& operator=(const ServerCall&) = delete;
  virtual ~ServerCall() = default;

  // Waits for a request of `call`, and then for further ones: one such call is always waiting.
  static void Await(const Serving* serving, std::unique_ptr<ServerCall> call);

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

  // Where the call counts from its request to OnDone.
  virtual CallLimit* limit() const { return serving_->open_calls; }
  // Ends a call that is not to see its request.
  virtual void Refuse(const grpc::Status& status) = 0;
  // The size of the request that has arrived, and how large it may be, in bytes.
  virtual size_t RequestBytes() const = 0;
  virtual size_t MaxRequestBytes() const { return kMaxRequestBytes; }

  // For Request: the queue of both the call and the notification.
  grpc::ServerCompletionQueue* queue() const { return serving_->thread->queue(); }

  grpc::ServerContext& context() { return context_; }
  const grpc::ServerContext& context() const { return context_; }

  // How a request is refused that is too large.
  grpc::Status TooLarge(size_t bytes) const;

  // The call is not over before each further operation that has begun has been told to have ended.
  void BeginOperation() { ++operations_; }
  void EndOperation();

  // Something begins to be sent, and has been: one message or the end at a time.
  void BeginSending() { serving_->stall_limit->Begin(unsent_); }
  void EndSending() { unsent_.End(); }

  // The tag of the operation that finishes the call, which begins now.
  Completion* BeginFinish() {
    BeginSending();
    return &finished_;
  }

 private:
  static constexpr size_t kMaxRequestBytes = 64 * 1024;

  void OnArrived(bool ok);
  // Takes a place for the call and looks at the request's size; or refuses the call.
  bool Admit();
  void OnOver();
  void OnFinished();
  const Serving* serving_ = nullptr;
  // Where the call has its place, or null.
  CallLimit* place_ = nullptr;
  grpc::ServerContext context_;
  // Those after whose ends the call is over, in whatever order they come: at least `finished_`, and gRPC's `over_`.
  int operations_ = 2;
  bool refused_ = false;
  TimeLimit::Wait unsent_{[this] { context_.TryCancel(); }};
  Completion arrived_{[this](bool ok) { OnArrived(ok); }};
  Completion over_{[this](bool) { OnOver(); }};
  Completion finished_{[this](bool) { OnFinished(); }};
};

// A call whose request is a `RequestMessage` and whose answers go to a `Writer` of gRPC's.
template <typename RequestMessage, typename Writer>
class TypedCall : public ServerCall {
 protected:
  const RequestMessage& request() const { return request_; }
  // Frees the request, which may hold far more than what a call needs of it: the sender decides. Finish does it as
  // well.
  void DropRequest() { request_ = RequestMessage(); }

  // For Request: where gRPC puts the request, and takes the answers.
  RequestMessage* request_slot() { return &request_; }
  Writer* writer() { return &writer_; }

  size_t RequestBytes() const override { return request_.ByteSizeLong(); }

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
    this->DropRequest();
    if (status.ok()) {
      this->writer()->Finish(response_, status, this->BeginFinish());
    } else {
      this->writer()->FinishWithError(status, this->BeginFinish());
    }
  }
  void Refuse(const grpc::Status& status) override { Finish(status); }

 private:
  Response response_;
};

// A call whose answer is a stream of messages. Only one message may be in flight: the next Write or Finish waits for
// OnWritten.
template <typename RequestMessage, typename Response>
class StreamCall : public TypedCall<RequestMessage, grpc::ServerAsyncWriter<Response>> {
 protected:
  void Write(const Response& response) {
    this->BeginSending();
    this->writer()->Write(response, &written_);
  }
  // The message is on its way, or lost (`ok` false): then the call is cancelled.
  virtual void OnWritten(bool ok) = 0;
  // The last message, and OK.
  void WriteAndFinish(const Response& response) {
    this->DropRequest();
    this->writer()->WriteAndFinish(response, grpc::WriteOptions(), grpc::Status::OK, this->BeginFinish());
  }
  void Finish(const grpc::Status& status) {
    this->DropRequest();
    this->writer()->Finish(status, this->BeginFinish());
  }
  void Refuse(const grpc::Status& status) override { Finish(status); }

 private:
  Completion written_{[this](bool ok) {
    this->EndSending();
    OnWritten(ok);
  }};
};

// A call in which both sides send a stream of messages. Only one may be in flight each way: the next Read waits for
// OnRead, and the next Write or Finish for OnWritten. A Finish during a Read is allowed; OnRead does not come then.
template <typename RequestMessage, typename Response>
class BidiCall : public ServerCall {
 protected:
  using Stream = grpc::ServerAsyncReaderWriter<Response, RequestMessage>;

  // For Request.
  Stream* stream() { return &stream_; }

  void Read() {
    BeginOperation();
    stream_.Read(&request_, &read_);
  }
  // request() is the next one; or, `ok` being false, the caller sends no more.
  virtual void OnRead(bool ok) = 0;
  const RequestMessage& request() const { return request_; }

  void Write(const Response& response) {
    BeginSending();
    stream_.Write(response, &written_);
  }
  // As in StreamCall.
  virtual void OnWritten(bool ok) = 0;

  void Finish(const grpc::Status& status) {
    finishing_ = true;
    stream_.Finish(status, BeginFinish());
  }
  void Refuse(const grpc::Status& status) override { Finish(status); }
  // None has come when the call begins. Those that come are looked at one by one.
  size_t RequestBytes() const override { return 0; }

 private:
  void OnReadOver(bool ok) {
    if (!finishing_) {
      const size_t bytes = ok ? request_.ByteSizeLong() : 0;
      if (bytes > MaxRequestBytes()) {
        Finish(TooLarge(bytes));
      } else {
        OnRead(ok);
      }
    }
    EndOperation();
  }

  RequestMessage request_;
  Stream stream_{&context()};
  bool finishing_ = false;
  Completion read_{[this](bool ok) { OnReadOver(ok); }};
  Completion written_{[this](bool ok) {
    EndSending();
    OnWritten(ok);
  }};
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_SERVER_SERVER_CALL_H_
