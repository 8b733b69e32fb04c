#include "service/server/health_service.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "grpc/health/v1/health.grpc.pb.h"

#include "service/server/grpc_server.h"

namespace taskwatch {
namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using testing::EndsWith;
using testing::StartsWith;

class HealthServiceTest : public testing::Test {
 protected:
  HealthServiceTest() {
    GrpcServer::Options options;
    options.listen = "127.0.0.1:0";
    options.service_names = {"some.Service"};
    server_ = *GrpcServer::Start(options, {});
    stub_ = Health::NewStub(grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials()));
  }

  grpc::Status Check(const std::string& name, HealthCheckResponse::ServingStatus* status) {
    grpc::ClientContext context;
    HealthCheckRequest request;
    request.set_service(name);
    HealthCheckResponse response;
    const grpc::Status result = stub_->Check(&context, request, &response);
    *status = response.status();
    return result;
  }

  std::unique_ptr<grpc::ClientReader<HealthCheckResponse>> Watch(grpc::ClientContext* context,
                                                                 const std::string& name) {
    HealthCheckRequest request;
    request.set_service(name);
    return stub_->Watch(context, request);
  }

  std::unique_ptr<GrpcServer> server_;
  std::unique_ptr<Health::Stub> stub_;
};

TEST_F(HealthServiceTest, ServesTheServerAndItsServicesUntilToldToStop) {
  for (const std::string name : {"", "some.Service"}) {
    HealthCheckResponse::ServingStatus status = HealthCheckResponse::UNKNOWN;
    EXPECT_TRUE(Check(name, &status).ok());
    EXPECT_EQ(status, HealthCheckResponse::SERVING);
  }
  server_->StopServing();
  for (const std::string name : {"", "some.Service"}) {
    HealthCheckResponse::ServingStatus status = HealthCheckResponse::UNKNOWN;
    EXPECT_TRUE(Check(name, &status).ok());
    EXPECT_EQ(status, HealthCheckResponse::NOT_SERVING);
  }
}

TEST_F(HealthServiceTest, ChecksOfUnknownServicesFail) {
  HealthCheckResponse::ServingStatus status = HealthCheckResponse::UNKNOWN;
  const grpc::Status result = Check("no.Service", &status);
  EXPECT_EQ(result.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(result.error_message(), "there is no service \"no.Service\" here");
}

TEST_F(HealthServiceTest, CutsALongNameSoThatItsCallerGetsTheStatus) {
  HealthCheckResponse::ServingStatus status = HealthCheckResponse::UNKNOWN;
  const grpc::Status result = Check(std::string(8000, 'x'), &status);
  EXPECT_EQ(result.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(result.error_message(), StartsWith("there is no service \"xxx"));
  EXPECT_THAT(result.error_message(), EndsWith("xxx...\" here"));
}

TEST_F(HealthServiceTest, ShowsANameThatCannotBePrintedInEscapes) {
  HealthCheckResponse::ServingStatus status = HealthCheckResponse::UNKNOWN;
  EXPECT_EQ(Check("a\n\x1b[2J\"", &status).error_message(), "there is no service \"a\\x0a\\x1b[2J\\\"\" here");
  // The most that the escapes and the percent-encoding of trailers can make of a name.
  const grpc::Status result = Check(std::string(8000, '\x01'), &status);
  EXPECT_EQ(result.error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(HealthServiceTest, WatchesAreToldAtOnceAndAtTheChange) {
  grpc::ClientContext context;
  const auto watch = Watch(&context, "some.Service");
  HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  server_->StopServing();
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
}

TEST_F(HealthServiceTest, WatchesOfUnknownServicesStayOpen) {
  grpc::ClientContext context;
  const auto watch = Watch(&context, "no.Service");
  HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVICE_UNKNOWN);
  context.TryCancel();
  EXPECT_FALSE(watch->Read(&response));
  EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(HealthServiceTest, ShutdownBreaksWatchesOffWithoutAsking) {
  grpc::ClientContext context;
  const auto watch = Watch(&context, "");
  HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  server_->Shutdown(absl::ZeroDuration());
  EXPECT_FALSE(watch->Read(&response));
  EXPECT_FALSE(watch->Finish().ok());
}

}  // namespace
}  // namespace taskwatch
