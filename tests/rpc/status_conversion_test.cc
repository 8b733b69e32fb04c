#include "service/rpc/status_conversion.h"

#include <gmock/gmock.h>
#include <google/rpc/error_details.pb.h>
#include <grpcpp/support/status.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "google/rpc/status.pb.h"

#include "service/task/task_error.h"

namespace taskwatch {
namespace {

using testing::Pair;
using testing::UnorderedElementsAre;

// The detail of that type, if there is exactly one.
template <typename Detail>
std::optional<Detail> DetailIn(const google::rpc::Status& status) {
  std::optional<Detail> found;
  for (const google::protobuf::Any& any : status.details()) {
    Detail detail;
    if (!any.UnpackTo(&detail)) continue;
    EXPECT_FALSE(found.has_value()) << "a second " << detail.GetTypeName();
    found = detail;
  }
  return found;
}

// The public contract's table, written down once more by hand: what proto/taskwatch/v1/task_service.proto promises.
struct ContractRow {
  ErrorReason reason;
  const char* name;
  grpc::StatusCode code;
};

constexpr ContractRow kContract[] = {
    {ErrorReason::kInvalidTaskId, "INVALID_TASK_ID", grpc::StatusCode::INVALID_ARGUMENT},
    {ErrorReason::kInvalidRequest, "INVALID_REQUEST", grpc::StatusCode::INVALID_ARGUMENT},
    {ErrorReason::kUpstreamParamError, "UPSTREAM_PARAM_ERROR", grpc::StatusCode::INVALID_ARGUMENT},
    {ErrorReason::kTaskNotFound, "TASK_NOT_FOUND", grpc::StatusCode::NOT_FOUND},
    {ErrorReason::kUpstreamSystemError, "UPSTREAM_SYSTEM_ERROR", grpc::StatusCode::INTERNAL},
    {ErrorReason::kUpstreamMalformedResponse, "UPSTREAM_MALFORMED_RESPONSE", grpc::StatusCode::INTERNAL},
    {ErrorReason::kUpstreamUnknownError, "UPSTREAM_UNKNOWN_ERROR", grpc::StatusCode::UNKNOWN},
    {ErrorReason::kUpstreamTimeout, "UPSTREAM_TIMEOUT", grpc::StatusCode::UNAVAILABLE},
    {ErrorReason::kUpstreamUnavailable, "UPSTREAM_UNAVAILABLE", grpc::StatusCode::UNAVAILABLE},
    {ErrorReason::kServerDraining, "SERVER_DRAINING", grpc::StatusCode::UNAVAILABLE},
    {ErrorReason::kStreamRotated, "STREAM_ROTATED", grpc::StatusCode::UNAVAILABLE},
    {ErrorReason::kUpstreamUnauthenticated, "UPSTREAM_UNAUTHENTICATED", grpc::StatusCode::FAILED_PRECONDITION},
    {ErrorReason::kUpstreamPermissionDenied, "UPSTREAM_PERMISSION_DENIED", grpc::StatusCode::FAILED_PRECONDITION},
    {ErrorReason::kUpstreamRateLimited, "UPSTREAM_RATE_LIMITED", grpc::StatusCode::RESOURCE_EXHAUSTED},
    {ErrorReason::kMonthlyQuotaExhausted, "MONTHLY_QUOTA_EXHAUSTED", grpc::StatusCode::RESOURCE_EXHAUSTED},
    {ErrorReason::kUpstreamIpBanned, "UPSTREAM_IP_BANNED", grpc::StatusCode::RESOURCE_EXHAUSTED},
    {ErrorReason::kTooManyWatchers, "TOO_MANY_WATCHERS", grpc::StatusCode::RESOURCE_EXHAUSTED},
};

class EveryReason : public testing::TestWithParam<ContractRow> {};

TEST_P(EveryReason, HasTheCodeAndTheErrorInfoOfTheContract) {
  ErrorDetails details;
  details.reason = GetParam().reason;
  const absl::Status error = MakeError(details, "what happened");

  EXPECT_EQ(ToGrpcStatus(error).error_code(), GetParam().code);
  EXPECT_EQ(ToGrpcStatus(error).error_message(), "what happened");
  const auto info = DetailIn<google::rpc::ErrorInfo>(ToStatusProto(error));
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->reason(), GetParam().name);
  EXPECT_EQ(info->domain(), "taskwatch");
  EXPECT_TRUE(info->metadata().empty());
}

TEST_P(EveryReason, CarriesTheSameInTheStatusAndInItsDetails) {
  ErrorDetails details;
  details.reason = GetParam().reason;
  details.retry_after = absl::Seconds(1);
  const absl::Status error = MakeError(details, "what happened");

  google::rpc::Status proto;
  ASSERT_TRUE(proto.ParseFromString(ToGrpcStatus(error).error_details()));
  EXPECT_EQ(proto.code(), GetParam().code);
  EXPECT_EQ(proto.message(), "what happened");
  EXPECT_EQ(proto.SerializeAsString(), ToStatusProto(error).SerializeAsString());
}

TEST_P(EveryReason, HasAQuotaFailureIfAndOnlyIfTheMonthIsUsedUp) {
  ErrorDetails details;
  details.reason = GetParam().reason;
  const auto quota = DetailIn<google::rpc::QuotaFailure>(ToStatusProto(MakeError(details, "x")));
  ASSERT_EQ(quota.has_value(), GetParam().reason == ErrorReason::kMonthlyQuotaExhausted);
  if (!quota.has_value()) return;
  ASSERT_EQ(quota->violations_size(), 1);
  EXPECT_EQ(quota->violations(0).subject(), "organisation");
  EXPECT_THAT(quota->violations(0).description(), testing::HasSubstr("month"));
}

INSTANTIATE_TEST_SUITE_P(StatusConversion, EveryReason, testing::ValuesIn(kContract),
                         [](const auto& row) { return std::string(row.param.name); });

google::rpc::Status ProtoOf(const ErrorDetails& details) { return ToStatusProto(MakeError(details, "what happened")); }

ErrorDetails Timeout() {
  ErrorDetails details;
  details.reason = ErrorReason::kUpstreamTimeout;
  return details;
}

TEST(StatusConversion, TellsWhatTheUpstreamAnswered) {
  ErrorDetails details = Timeout();
  details.http_status = 503;
  details.upstream_code = "operationTimeout";
  details.upstream_request_id = "req-1";
  const google::rpc::Status status = ProtoOf(details);
  EXPECT_THAT(DetailIn<google::rpc::ErrorInfo>(status)->metadata(),
              UnorderedElementsAre(Pair("http_status", "503"), Pair("upstream_code", "operationTimeout"),
                                   Pair("upstream_request_id", "req-1")));
  ASSERT_TRUE(DetailIn<google::rpc::RequestInfo>(status).has_value());
  EXPECT_EQ(DetailIn<google::rpc::RequestInfo>(status)->request_id(), "req-1");
}

TEST(StatusConversion, TellsOnlyWhatIsKnownOfTheUpstreamsAnswer) {
  ErrorDetails details = Timeout();
  details.http_status = 504;
  const google::rpc::Status status = ProtoOf(details);
  EXPECT_THAT(DetailIn<google::rpc::ErrorInfo>(status)->metadata(), UnorderedElementsAre(Pair("http_status", "504")));
  EXPECT_EQ(status.details_size(), 1);
}

struct RetryRow {
  absl::Duration retry_after;
  int64_t seconds;
  int32_t nanos;
};

class RetryAfter : public testing::TestWithParam<RetryRow> {};

TEST_P(RetryAfter, IsTheRetryInfosDelay) {
  ErrorDetails details = Timeout();
  details.retry_after = GetParam().retry_after;
  const auto retry = DetailIn<google::rpc::RetryInfo>(ProtoOf(details));
  ASSERT_TRUE(retry.has_value());
  EXPECT_EQ(retry->retry_delay().seconds(), GetParam().seconds);
  EXPECT_EQ(retry->retry_delay().nanos(), GetParam().nanos);
}

INSTANTIATE_TEST_SUITE_P(StatusConversion, RetryAfter,
                         testing::Values(RetryRow{absl::ZeroDuration(), 0, 0}, RetryRow{absl::Seconds(300), 300, 0},
                                         RetryRow{absl::Milliseconds(1500), 1, 500'000'000},
                                         RetryRow{absl::Hours(24 * 31), 24 * 31 * 3600, 0},
                                         // Never in the past.
                                         RetryRow{absl::Seconds(-3), 0, 0}));

TEST(StatusConversion, SaysNothingOfRetryingWhereNothingIsKnown) {
  EXPECT_FALSE(DetailIn<google::rpc::RetryInfo>(ProtoOf(Timeout())).has_value());
}

TEST(StatusConversion, NamesTheFieldThatIsWrongAndWhy) {
  ErrorDetails details;
  details.reason = ErrorReason::kInvalidTaskId;
  details.field = "task_id";
  const auto bad_request = DetailIn<google::rpc::BadRequest>(ProtoOf(details));
  ASSERT_TRUE(bad_request.has_value());
  ASSERT_EQ(bad_request->field_violations_size(), 1);
  EXPECT_EQ(bad_request->field_violations(0).field(), "task_id");
  EXPECT_EQ(bad_request->field_violations(0).description(), "what happened");
}

TEST(StatusConversion, BlamesNoFieldWhereNoneIsWrong) {
  EXPECT_FALSE(DetailIn<google::rpc::BadRequest>(ProtoOf(Timeout())).has_value());
}

TEST(StatusConversion, PassesAnErrorWithoutDetailsOnAsItIs) {
  const grpc::Status status = ToGrpcStatus(absl::DeadlineExceededError("too late"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(status.error_message(), "too late");
  EXPECT_EQ(status.error_details(), "");
}

TEST(StatusConversion, LeavesOkAlone) {
  EXPECT_TRUE(ToGrpcStatus(absl::OkStatus()).ok());
  EXPECT_EQ(ToGrpcStatus(absl::OkStatus()).error_details(), "");
}

}  // namespace
}  // namespace taskwatch
