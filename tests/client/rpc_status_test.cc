#include "taskwatch/client/rpc_status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/status/status.h"

#include "tests/client/errors.h"
#include "tests/matchers/status_matchers.h"

namespace taskwatch::client {
namespace {

TEST(RpcStatus, KeepsWhatTheServiceSays) {
  const absl::Status status =
      FromGrpcStatus(ServiceError(grpc::StatusCode::UNAVAILABLE, "UPSTREAM_TIMEOUT", absl::Seconds(7)));
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable, "said the service"));
  EXPECT_EQ(ErrorReasonOf(status), "UPSTREAM_TIMEOUT");
  EXPECT_EQ(RetryDelayOf(status), absl::Seconds(7));
  EXPECT_EQ(UpstreamRequestIdOf(status), "request-7");
  EXPECT_EQ(ErrorMetadataOf(status, "upstream_request_id"), "request-7");
  EXPECT_EQ(ErrorMetadataOf(status, "http_status"), "");
}

TEST(RpcStatus, HasNoReasonWhereTheConnectionFailed) {
  const absl::Status status = FromGrpcStatus(grpc::Status(grpc::StatusCode::UNAVAILABLE, "connection refused"));
  EXPECT_EQ(ErrorReasonOf(status), "");
  EXPECT_EQ(RetryDelayOf(status), std::nullopt);
  EXPECT_EQ(UpstreamRequestIdOf(status), "");
}

TEST(RpcStatus, TakesNoReasonFromAnotherService) {
  google::rpc::Status other;
  google::rpc::ErrorInfo info;
  info.set_domain("proxy.example");
  info.set_reason("TASK_NOT_FOUND");
  other.set_code(grpc::StatusCode::NOT_FOUND);
  other.add_details()->PackFrom(info);
  EXPECT_EQ(ErrorReasonOf(FromRpcStatus(other)), "");
}

TEST(RpcStatus, SurvivesDetailsThatCannotBeRead) {
  const absl::Status status = FromGrpcStatus(grpc::Status(grpc::StatusCode::INTERNAL, "broken", "\xff\xff\xff"));
  EXPECT_EQ(status, absl::InternalError("broken"));
}

}  // namespace
}  // namespace taskwatch::client
