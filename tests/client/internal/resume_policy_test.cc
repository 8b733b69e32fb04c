#include "client/internal/resume_policy.h"

#include <gtest/gtest.h>

#include <string>

#include "taskwatch/client/rpc_status.h"

#include "tests/client/errors.h"

namespace taskwatch::client {
namespace {

constexpr absl::Time kStart = absl::UnixEpoch();

absl::Status Failure(grpc::StatusCode code, const std::string& reason = "",
                     std::optional<absl::Duration> retry_delay = std::nullopt) {
  if (reason.empty()) return FromGrpcStatus(grpc::Status(code, "said the connection"));
  return FromGrpcStatus(ServiceError(code, reason, retry_delay));
}

struct Case {
  grpc::StatusCode code;
  std::string reason;
  std::optional<absl::Duration> retry_delay;
  bool resumes;
};

class Failures : public testing::TestWithParam<Case> {};

TEST_P(Failures, AreResumedOrPermanent) {
  const Case& failure = GetParam();
  ResumePolicy policy({}, 1, kStart);
  const auto delay = policy.DelayAfter(Failure(failure.code, failure.reason, failure.retry_delay), kStart);
  EXPECT_EQ(delay.has_value(), failure.resumes);
}

INSTANTIATE_TEST_SUITE_P(
    ResumePolicy, Failures,
    testing::Values(
        // What passes.
        Case{grpc::StatusCode::UNAVAILABLE, "", {}, true},  // a server that was killed
        Case{grpc::StatusCode::UNAVAILABLE, "STREAM_ROTATED", absl::Seconds(1), true},
        Case{grpc::StatusCode::UNAVAILABLE, "SERVER_DRAINING", absl::Seconds(1), true},
        Case{grpc::StatusCode::UNAVAILABLE, "UPSTREAM_TIMEOUT", absl::Hours(1), true},
        Case{grpc::StatusCode::INTERNAL, "", {}, true},  // a proxy reset the stream
        Case{grpc::StatusCode::UNKNOWN, "", {}, true}, Case{grpc::StatusCode::CANCELLED, "", {}, true},
        Case{grpc::StatusCode::OK, "", {}, true},                  // ended before the task did
        Case{grpc::StatusCode::RESOURCE_EXHAUSTED, "", {}, true},  // a proxy's limit
        Case{grpc::StatusCode::RESOURCE_EXHAUSTED, "TOO_MANY_WATCHERS", absl::Seconds(5), true},
        Case{grpc::StatusCode::RESOURCE_EXHAUSTED, "UPSTREAM_IP_BANNED", absl::Seconds(300), true},
        // What does not.
        Case{grpc::StatusCode::RESOURCE_EXHAUSTED, "MONTHLY_QUOTA_EXHAUSTED", absl::Hours(300), false},
        Case{grpc::StatusCode::RESOURCE_EXHAUSTED, "UPSTREAM_RATE_LIMITED", {}, false},
        Case{grpc::StatusCode::INVALID_ARGUMENT, "INVALID_TASK_ID", {}, false},
        Case{grpc::StatusCode::NOT_FOUND, "TASK_NOT_FOUND", {}, false},
        Case{grpc::StatusCode::INTERNAL, "UPSTREAM_SYSTEM_ERROR", {}, false},
        Case{grpc::StatusCode::UNKNOWN, "UPSTREAM_UNKNOWN_ERROR", {}, false},
        Case{grpc::StatusCode::FAILED_PRECONDITION, "UPSTREAM_UNAUTHENTICATED", {}, false},
        Case{grpc::StatusCode::UNAUTHENTICATED, "", {}, false},
        Case{grpc::StatusCode::PERMISSION_DENIED, "", {}, false},
        Case{grpc::StatusCode::UNIMPLEMENTED, "", {}, false}));

TEST(ResumePolicy, DoublesTheRangeOfItsDelaysUpToTheLongest) {
  ResumePolicy::Options options;
  options.base_delay = absl::Seconds(1);
  options.max_delay = absl::Seconds(8);
  ResumePolicy policy(options, 1, kStart);
  for (const int bound : {1, 2, 4, 8, 8, 8}) {
    EXPECT_LE(*policy.DelayAfter(Failure(grpc::StatusCode::UNAVAILABLE), kStart), absl::Seconds(bound));
  }
}

TEST(ResumePolicy, SpreadsTheDelaysOverTheWholeRange) {
  absl::Duration shortest = absl::InfiniteDuration(), longest = absl::ZeroDuration();
  for (uint64_t seed = 0; seed < 100; ++seed) {
    ResumePolicy::Options options;
    options.base_delay = absl::Seconds(1);
    ResumePolicy policy(options, seed, kStart);
    const absl::Duration delay = *policy.DelayAfter(Failure(grpc::StatusCode::UNAVAILABLE), kStart);
    shortest = std::min(shortest, delay);
    longest = std::max(longest, delay);
  }
  EXPECT_LT(shortest, absl::Milliseconds(100));
  EXPECT_GT(longest, absl::Milliseconds(900));
}

TEST(ResumePolicy, StartsOverAfterAnAnswer) {
  ResumePolicy::Options options;
  options.base_delay = absl::Seconds(1);
  ResumePolicy policy(options, 1, kStart);
  for (int i = 0; i < 10; ++i) static_cast<void>(policy.DelayAfter(Failure(grpc::StatusCode::UNAVAILABLE), kStart));
  policy.OnAnswer();
  EXPECT_LE(*policy.DelayAfter(Failure(grpc::StatusCode::UNAVAILABLE), kStart), absl::Seconds(1));
}

TEST(ResumePolicy, IsNeverSoonerThanTheServiceAsks) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    ResumePolicy policy({}, seed, kStart);
    const absl::Status rotated = Failure(grpc::StatusCode::UNAVAILABLE, "STREAM_ROTATED", absl::Seconds(3));
    EXPECT_GE(*policy.DelayAfter(rotated, kStart), absl::Seconds(3));
  }
}

TEST(ResumePolicy, BelievesAnUnexplainedFailureThatDoesNotEnd) {
  ResumePolicy::Options options;
  options.max_unexplained_failures = 2;
  ResumePolicy policy(options, 1, kStart);
  const absl::Status internal = Failure(grpc::StatusCode::INTERNAL);
  EXPECT_TRUE(policy.DelayAfter(internal, kStart).has_value());
  EXPECT_TRUE(policy.DelayAfter(internal, kStart).has_value());
  EXPECT_FALSE(policy.DelayAfter(internal, kStart).has_value());
}

TEST(ResumePolicy, GivesUpOnAServiceThatIsNotThereAtFirst) {
  ResumePolicy::Options options;
  options.first_contact_limit = absl::Seconds(10);
  ResumePolicy policy(options, 1, kStart);
  const absl::Status refused = Failure(grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(policy.DelayAfter(refused, kStart + absl::Seconds(1)).has_value());
  EXPECT_FALSE(policy.DelayAfter(refused, kStart + absl::Seconds(10)).has_value());
}

TEST(ResumePolicy, NeverGivesUpOnAServiceThatWasThere) {
  ResumePolicy::Options options;
  options.first_contact_limit = absl::Seconds(10);
  ResumePolicy policy(options, 1, kStart);
  policy.OnAnswer();
  EXPECT_TRUE(policy.DelayAfter(Failure(grpc::StatusCode::UNAVAILABLE), kStart + absl::Hours(9)).has_value());
}

}  // namespace
}  // namespace taskwatch::client
