#include "service/task/task_error.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/cord.h"

namespace taskwatch {
namespace {

// With a value other than the default in every member.
ErrorDetails Example() {
  ErrorDetails details;
  details.reason = ErrorReason::kUpstreamRateLimited;
  details.persistence = Persistence::kPaused;
  details.retry_after = absl::Milliseconds(1500);
  details.not_asked = true;
  details.http_status = 403;
  details.upstream_code = "Forbidden.AccessDenied.QpsLimitForApi";
  details.upstream_request_id = "8F3C-1";
  details.field = "task_id";
  details.log_detail = "see --upstream_qps";
  return details;
}

void ExpectEqual(const ErrorDetails& read, const ErrorDetails& details) {
  EXPECT_EQ(read.reason, details.reason);
  EXPECT_EQ(read.persistence, details.persistence);
  EXPECT_EQ(read.retry_after, details.retry_after);
  EXPECT_EQ(read.not_asked, details.not_asked);
  EXPECT_EQ(read.http_status, details.http_status);
  EXPECT_EQ(read.upstream_code, details.upstream_code);
  EXPECT_EQ(read.upstream_request_id, details.upstream_request_id);
  EXPECT_EQ(read.field, details.field);
  EXPECT_EQ(read.log_detail, details.log_detail);
}

// The one payload of `status`, by its URL.
std::string PayloadUrl(const absl::Status& status) {
  std::vector<std::string> urls;
  status.ForEachPayload([&urls](absl::string_view url, const absl::Cord&) { urls.emplace_back(url); });
  EXPECT_EQ(urls.size(), 1u);
  return urls.empty() ? "" : urls[0];
}

TEST(TaskError, CarriesItsDetailsThroughAStatus) {
  const absl::Status status = MakeError(Example(), "slow down");
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status.message(), "slow down");
  ExpectEqual(DetailsOf(status), Example());
  EXPECT_EQ(ReasonOf(status), ErrorReason::kUpstreamRateLimited);
}

TEST(TaskError, CarriesTheDefaultsToo) { ExpectEqual(DetailsOf(MakeError({}, "oops")), {}); }

TEST(TaskError, CarriesTextsOfAnyLengthAndContent) {
  ErrorDetails details = Example();
  details.upstream_code = std::string(100'000, 'x');
  details.upstream_request_id = std::string("\0|\n\xff", 4);
  details.field = "";
  ExpectEqual(DetailsOf(MakeError(details, "oops")), details);
}

TEST(TaskError, CarriesARetryAfterOfZeroOrLess) {
  ErrorDetails details;
  for (const absl::Duration delay : {absl::ZeroDuration(), -absl::Seconds(5)}) {
    details.retry_after = delay;
    EXPECT_EQ(DetailsOf(MakeError(details, "oops")).retry_after, delay);
  }
}

TEST(TaskError, CarriesEveryReasonAndPersistence) {
  for (int reason = 0; reason <= static_cast<int>(ErrorReason::kStreamRotated); ++reason) {
    for (int persistence = 0; persistence <= static_cast<int>(Persistence::kDoubtful); ++persistence) {
      ErrorDetails details = Example();
      details.reason = static_cast<ErrorReason>(reason);
      details.persistence = static_cast<Persistence>(persistence);
      ExpectEqual(DetailsOf(MakeError(details, "oops")), details);
    }
  }
}

TEST(TaskError, FailsLikeOneWithTheSameReasonStatusAndCode) {
  const absl::Status error = MakeError(Example(), "slow down");
  ErrorDetails other = Example();
  other.upstream_request_id = "8F3C-2";
  other.retry_after.reset();
  EXPECT_TRUE(FailAlike(error, MakeError(other, "slower")));
  std::vector<ErrorDetails> variants(3, Example());
  variants[0].reason = ErrorReason::kUpstreamIpBanned;
  variants[1].http_status = 429;
  variants[2].upstream_code = "busy";
  for (const ErrorDetails& variant : variants) EXPECT_FALSE(FailAlike(error, MakeError(variant, "slow down")));
}

TEST(TaskError, KeepsItsDetailsInCopies) {
  absl::Status original = MakeError(Example(), "slow down");
  const absl::Status copy = original;
  original.SetPayload("test/other", absl::Cord("x"));
  ExpectEqual(DetailsOf(copy), Example());
  ExpectEqual(DetailsOf(original), Example());
}

TEST(TaskError, IsEqualToAnErrorOfTheSameDetailsOnly) {
  EXPECT_EQ(MakeError(Example(), "slow down"), MakeError(Example(), "slow down"));
  std::vector<ErrorDetails> variants(11, Example());
  variants[0].reason = ErrorReason::kUpstreamIpBanned;  // of the same code
  variants[1].persistence = Persistence::kTransient;
  variants[2].retry_after = absl::Milliseconds(1501);
  variants[3].retry_after = std::nullopt;
  variants[4].not_asked = false;
  variants[5].http_status = 0;
  variants[6].upstream_code = "Forbidden.AccessDenied.QpsLimitForApi8";  // the same texts, cut elsewhere
  variants[6].upstream_request_id = "F3C-1";
  variants[7].upstream_request_id = "8F3C-2";
  variants[8].field = "";
  variants[9].upstream_code = "";
  variants[10].log_detail = "";
  for (const ErrorDetails& variant : variants) {
    EXPECT_NE(MakeError(variant, "slow down"), MakeError(Example(), "slow down")) << &variant - variants.data();
  }
}

TEST(TaskError, ReadsNoDetailsFromAPlainStatus) {
  for (const absl::Status& status : {absl::InternalError("oops"), absl::OkStatus()}) {
    ExpectEqual(DetailsOf(status), {});
    EXPECT_EQ(ReasonOf(status), ErrorReason::kNone);
  }
}

TEST(TaskError, DoesNotBelieveAForgedPayload) {
  const absl::Status genuine = MakeError(Example(), "slow down");
  const std::string url = PayloadUrl(genuine);
  const std::string record(*genuine.GetPayload(url));
  std::vector<std::string> forged = {"", "soon", std::string(1000, '\xff')};
  for (size_t size = 0; size < record.size(); ++size) forged.push_back(record.substr(0, size));
  for (const std::string& payload : forged) {
    absl::Status status = absl::InternalError("oops");
    status.SetPayload(url, absl::Cord(payload));
    ExpectEqual(DetailsOf(status), {});
    EXPECT_EQ(ReasonOf(status), ErrorReason::kNone);
  }
}

}  // namespace
}  // namespace taskwatch
