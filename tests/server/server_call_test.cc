#include "service/server/server_call.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"

#include "service/server/grpc_server.h"
#include "tests/patience/patience.h"
#include "tests/server/ping.grpc.pb.h"

namespace taskwatch {
namespace {

using ping::PingManyRequest;
using ping::PingRequest;
using ping::PingResponse;
using ping::PingService;
using testing::ElementsAre;

// As in the manual, server_call.h.
class PingCall final : public UnaryCall<PingRequest, PingResponse> {
 public:
  explicit PingCall(PingService::AsyncService* service) : service_(service) {}

 private:
  void Request(Completion* arrived) override {
    service_->RequestPing(&context(), request_slot(), writer(), queue(), queue(), arrived);
  }
  std::unique_ptr<ServerCall> Another() const override { return std::make_unique<PingCall>(service_); }
  void OnRequest() override {
    response().set_text(request().text());
    Finish(grpc::Status::OK);
  }

  PingService::AsyncService* const service_;
};

// What the calls of one test have in common.
struct Pings {
  PingService::AsyncService service;
  // Calls that exist, those that wait for a request included.
  std::atomic<int> calls{0};
  absl::Notification hanging;
};

class HangingCall final : public UnaryCall<PingRequest, PingResponse> {
 public:
  explicit HangingCall(Pings* pings) : pings_(pings) { ++pings_->calls; }
  ~HangingCall() override { --pings_->calls; }

 private:
  void Request(Completion* arrived) override {
    pings_->service.RequestHang(&context(), request_slot(), writer(), queue(), queue(), arrived);
  }
  std::unique_ptr<ServerCall> Another() const override { return std::make_unique<HangingCall>(pings_); }
  void OnRequest() override { pings_->hanging.Notify(); }
  void OnCancel() override { Finish(grpc::Status::CANCELLED); }

  Pings* const pings_;
};

class PingManyCall final : public StreamCall<PingManyRequest, PingResponse> {
 public:
  explicit PingManyCall(Pings* pings) : pings_(pings) { ++pings_->calls; }
  ~PingManyCall() override { --pings_->calls; }

 private:
  void Request(Completion* arrived) override {
    pings_->service.RequestPingMany(&context(), request_slot(), writer(), queue(), queue(), arrived);
  }
  std::unique_ptr<ServerCall> Another() const override { return std::make_unique<PingManyCall>(pings_); }
  void OnRequest() override { WriteNext(); }
  void OnWritten(bool ok) override {
    if (!ok) return Finish(grpc::Status::CANCELLED);
    WriteNext();
  }
  void WriteNext() {
    response_.set_text(absl::StrCat(++count_));
    if (count_ < request().count()) return Write(response_);
    WriteAndFinish(response_);
  }

  Pings* const pings_;
  PingResponse response_;
  int count_ = 0;
};

class ServerCallTest : public testing::Test {
 protected:
  explicit ServerCallTest(GrpcServer::Options options = {}) {
    options.listen = "127.0.0.1:0";
    server_ = *GrpcServer::Start(options, {&pings_.service});
    ServerCall::Await(server_->serving(), std::make_unique<PingCall>(&pings_.service));
    ServerCall::Await(server_->serving(), std::make_unique<HangingCall>(&pings_));
    ServerCall::Await(server_->serving(), std::make_unique<PingManyCall>(&pings_));
    stub_ = PingService::NewStub(grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials()));
  }

  std::string Ping(const std::string& text) {
    grpc::ClientContext context;
    PingRequest request;
    request.set_text(text);
    PingResponse response;
    const grpc::Status status = stub_->Ping(&context, request, &response);
    return status.ok() ? response.text() : status.error_message();
  }

  std::vector<std::string> PingMany(int count, grpc::Status* status) {
    grpc::ClientContext context;
    PingManyRequest request;
    request.set_count(count);
    const auto reader = stub_->PingMany(&context, request);
    std::vector<std::string> texts;
    for (PingResponse response; reader->Read(&response);) texts.push_back(response.text());
    *status = reader->Finish();
    return texts;
  }

  // The server hears of the end of a call somewhat later than its caller.
  void AwaitNoOpenCalls() {
    const absl::Time end = absl::Now() + Patience();
    while (server_->open_calls() > 0) {
      if (absl::Now() > end) GiveUp("all places of calls to be free");
      absl::SleepFor(absl::Milliseconds(1));
    }
  }

  Pings pings_;
  std::unique_ptr<GrpcServer> server_;
  std::unique_ptr<PingService::Stub> stub_;
};

TEST_F(ServerCallTest, AnswersOneRequestAfterTheOther) {
  EXPECT_EQ(Ping("a"), "a");
  EXPECT_EQ(Ping("b"), "b");
}

TEST_F(ServerCallTest, StreamsMessagesInTheirOrderAndEndsWithOk) {
  grpc::Status status;
  EXPECT_THAT(PingMany(3, &status), ElementsAre("1", "2", "3"));
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_F(ServerCallTest, HearsOfACancelledCallWhileOthersGoOn) {
  grpc::ClientContext context;
  PingRequest request;
  PingResponse response;
  grpc::Status status;
  absl::Notification over;
  stub_->async()->Hang(&context, &request, &response, [&](const grpc::Status& result) {
    status = result;
    over.Notify();
  });
  Await(pings_.hanging, "the call that hangs");
  EXPECT_EQ(Ping("meanwhile"), "meanwhile");
  context.TryCancel();
  Await(over, "the end of the call that hangs");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(ServerCallTest, LeavesNoCallBehindWhenTheServerGoes) {
  grpc::ClientContext context;
  PingRequest request;
  PingResponse response;
  absl::Notification over;
  stub_->async()->Hang(&context, &request, &response, [&](const grpc::Status&) { over.Notify(); });
  Await(pings_.hanging, "the call that hangs");
  grpc::ClientContext unread;
  PingManyRequest many;
  many.set_count(1'000'000);
  const auto reader = stub_->PingMany(&unread, many);
  ASSERT_TRUE(reader->Read(&response));
  server_.reset();
  EXPECT_EQ(pings_.calls, 0);
  Await(over, "the end of the call that hangs");
  while (reader->Read(&response)) {
  }
  EXPECT_FALSE(reader->Finish().ok());
}

class FullServer : public ServerCallTest {
 protected:
  FullServer() : ServerCallTest(ForOneCall()) {}

 private:
  static GrpcServer::Options ForOneCall() {
    GrpcServer::Options options;
    options.max_open_calls = 1;
    options.too_many_calls = grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "full");
    return options;
  }
};

TEST_F(FullServer, RefusesCallsUntilOneIsOver) {
  grpc::ClientContext context;
  PingRequest request;
  PingResponse response;
  absl::Notification over;
  stub_->async()->Hang(&context, &request, &response, [&](const grpc::Status&) { over.Notify(); });
  Await(pings_.hanging, "the call that hangs");

  EXPECT_EQ(Ping("a"), "full");
  grpc::Status status;
  EXPECT_THAT(PingMany(3, &status), ElementsAre());
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(server_->open_calls(), 1u);

  context.TryCancel();
  Await(over, "the end of the call that hangs");
  AwaitNoOpenCalls();
  EXPECT_EQ(Ping("b"), "b");
}

class ServerForLargeRequests : public ServerCallTest {
 protected:
  ServerForLargeRequests() : ServerCallTest(ForLargeRequests()) {}

 private:
  static GrpcServer::Options ForLargeRequests() {
    GrpcServer::Options options;
    options.max_request_bytes = 1024 * 1024;
    return options;
  }
};

TEST_F(ServerForLargeRequests, StillBoundsTheRequestsOfEachMethod) {
  const std::string largest(64 * 1024 - 4, 'x');
  EXPECT_EQ(Ping(largest), largest);
  EXPECT_EQ(Ping(largest + "x"), "Received message larger than max (65537 vs. 65536)");
  AwaitNoOpenCalls();
}

}  // namespace
}  // namespace taskwatch
