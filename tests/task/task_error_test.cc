#include "service/task/task_error.h"

#include <gtest/gtest.h>

namespace taskwatch {
namespace {

TEST(TaskError, CarriesItsDetailsThroughAStatus) {
  ErrorDetails details;
  details.reason = ErrorReason::kUpstreamRateLimited;
  details.persistence = Persistence::kPaused;
  details.retry_after = absl::Milliseconds(1500);
  details.not_asked = true;
  details.http_status = 403;
  details.upstream_code = "Forbidden.AccessDenied.QpsLimitForApi";
  details.upstream_request_id = "8F3C-1";
  details.field = "task_id";
  const absl::Status status = MakeError(details, "slow down");

  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status.message(), "slow down");
  const ErrorDetails read = DetailsOf(status);
  EXPECT_EQ(read.reason, details.reason);
  EXPECT_EQ(read.persistence, details.persistence);
  EXPECT_EQ(read.retry_after, details.retry_after);
  EXPECT_TRUE(read.not_asked);
  EXPECT_EQ(read.http_status, 403);
  EXPECT_EQ(read.upstream_code, details.upstream_code);
  EXPECT_EQ(read.upstream_request_id, details.upstream_request_id);
  EXPECT_EQ(read.field, details.field);
}

TEST(TaskError, ReadsNoDetailsFromAPlainStatus) {
  const ErrorDetails details = DetailsOf(absl::InternalError("oops"));
  EXPECT_EQ(details.reason, ErrorReason::kNone);
  EXPECT_EQ(details.retry_after, std::nullopt);
  EXPECT_FALSE(details.not_asked);
  EXPECT_EQ(details.http_status, 0);
}

TEST(TaskError, DoesNotBelieveAForgedPayload) {
  absl::Status status = absl::InternalError("oops");
  status.SetPayload("taskwatch/reason", absl::Cord("4711"));
  status.SetPayload("taskwatch/persistence", absl::Cord("-1"));
  status.SetPayload("taskwatch/retry_after", absl::Cord("soon"));
  const ErrorDetails details = DetailsOf(status);
  EXPECT_EQ(details.reason, ErrorReason::kNone);
  EXPECT_EQ(details.persistence, Persistence::kPermanent);
  EXPECT_EQ(details.retry_after, std::nullopt);
}

}  // namespace
}  // namespace taskwatch
