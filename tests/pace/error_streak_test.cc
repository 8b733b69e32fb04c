#include "service/pace/error_streak.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "service/task/task_error.h"
#include "tests/fakes/sample_tasks.h"
#include "tests/matchers/status_matchers.h"

namespace taskwatch {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'800'000'000);

class ErrorStreakTest : public testing::Test {
 protected:
  Persistence Add(const absl::Status& error, absl::Duration after) {
    return streak_.Add(error, DetailsOf(error), kStart + after);
  }

  static absl::Status Doubtful(int http_status, absl::string_view code) {
    ErrorDetails details;
    details.reason = ErrorReason::kUpstreamUnknownError;
    details.persistence = Persistence::kDoubtful;
    details.http_status = http_status;
    details.upstream_code = std::string(code);
    return MakeError(details, "as the test wishes");
  }

  const absl::Status timeout_ = Error(ErrorReason::kUpstreamTimeout, Persistence::kTransient);
  const absl::Status ban_ = Error(ErrorReason::kUpstreamIpBanned, Persistence::kPaused, absl::Minutes(5));
  ErrorStreak streak_;
};

TEST_F(ErrorStreakTest, IsEmptyAtFirst) {
  EXPECT_EQ(streak_.length(), 0);
  EXPECT_FALSE(streak_.failing());
  EXPECT_THAT(streak_.last_error(), IsOk());
  EXPECT_EQ(streak_.retry_after(), std::nullopt);
  EXPECT_EQ(streak_.TransientFor(kStart), absl::ZeroDuration());
}

TEST_F(ErrorStreakTest, CountsErrorsOfAllKindsAndKeepsTheLatest) {
  Add(timeout_, absl::ZeroDuration());
  Add(ban_, absl::Seconds(1));
  EXPECT_EQ(streak_.length(), 2);
  EXPECT_EQ(streak_.last_error(), ban_);
  EXPECT_EQ(streak_.retry_after(), absl::Minutes(5));
  Add(timeout_, absl::Seconds(2));
  EXPECT_EQ(streak_.length(), 3);
  EXPECT_EQ(streak_.last_error(), timeout_);
  EXPECT_EQ(streak_.retry_after(), std::nullopt);
}

TEST_F(ErrorStreakTest, EndsWithASuccess) {
  Add(timeout_, absl::ZeroDuration());
  streak_.Reset();
  EXPECT_EQ(streak_.length(), 0);
  EXPECT_THAT(streak_.last_error(), IsOk());
  Add(timeout_, absl::Minutes(3));
  EXPECT_EQ(streak_.TransientFor(kStart + absl::Minutes(4)), absl::Minutes(1));
}

TEST_F(ErrorStreakTest, KnowsForHowLongErrorsHaveBeenTransient) {
  Add(timeout_, absl::Seconds(10));
  Add(timeout_, absl::Seconds(50));
  EXPECT_EQ(streak_.TransientFor(kStart + absl::Seconds(70)), absl::Minutes(1));
}

TEST_F(ErrorStreakTest, CountsNoPauseAmongTransientErrors) {
  Add(timeout_, absl::ZeroDuration());
  Add(ban_, absl::Minutes(1));
  EXPECT_EQ(streak_.TransientFor(kStart + absl::Minutes(6)), absl::ZeroDuration());
  Add(timeout_, absl::Minutes(6));
  EXPECT_EQ(streak_.TransientFor(kStart + absl::Minutes(7)), absl::Minutes(1)) << "what came before the ban counts";
}

TEST_F(ErrorStreakTest, BelievesADoubtfulErrorWhenTheNextAttemptFailsAlike) {
  EXPECT_EQ(Add(Doubtful(418, "teapot"), absl::ZeroDuration()), Persistence::kTransient);
  EXPECT_EQ(streak_.TransientFor(kStart + absl::Seconds(1)), absl::Seconds(1)) << "it does not count as transient";
  EXPECT_EQ(Add(Doubtful(418, "teapot"), absl::Seconds(1)), Persistence::kPermanent);
}

TEST_F(ErrorStreakTest, DoubtsAnErrorAgainThatIsAnotherOne) {
  Add(Doubtful(418, "teapot"), absl::ZeroDuration());
  EXPECT_EQ(Add(Doubtful(418, "kettle"), absl::Seconds(1)), Persistence::kTransient);
  EXPECT_EQ(Add(Doubtful(417, "kettle"), absl::Seconds(2)), Persistence::kTransient);
  Add(timeout_, absl::Seconds(3));
  EXPECT_EQ(Add(Doubtful(417, "kettle"), absl::Seconds(4)), Persistence::kTransient);
  streak_.Reset();
  EXPECT_EQ(Add(Doubtful(417, "kettle"), absl::Seconds(5)), Persistence::kTransient);
  EXPECT_EQ(Add(Doubtful(417, "kettle"), absl::Seconds(6)), Persistence::kPermanent);
}

TEST_F(ErrorStreakTest, TakesOnlyWhatWasAskedForAnAttempt) {
  ErrorDetails not_asked = DetailsOf(Doubtful(418, "teapot"));
  not_asked.not_asked = true;
  const absl::Status refused = MakeError(not_asked, "the gate is closed");
  EXPECT_EQ(Add(refused, absl::ZeroDuration()), Persistence::kTransient);
  EXPECT_EQ(Add(Doubtful(418, "teapot"), absl::Seconds(1)), Persistence::kTransient);
  EXPECT_EQ(Add(refused, absl::Seconds(2)), Persistence::kTransient);
  EXPECT_EQ(Add(Doubtful(418, "teapot"), absl::Seconds(3)), Persistence::kPermanent);
}

TEST_F(ErrorStreakTest, CountsNothingForWhichTheUpstreamWasNotAskedButKeepsIt) {
  Add(timeout_, absl::ZeroDuration());
  EXPECT_FALSE(streak_.put_off());
  const absl::Status refused = NotAsked(ErrorReason::kUpstreamTimeout, Persistence::kTransient, absl::Seconds(1));
  Add(refused, absl::Minutes(1));
  EXPECT_EQ(streak_.length(), 1);
  EXPECT_TRUE(streak_.failing());
  EXPECT_TRUE(streak_.put_off());
  EXPECT_EQ(streak_.last_error(), refused);
  EXPECT_EQ(streak_.TransientFor(kStart + absl::Minutes(2)), absl::Minutes(2)) << "an outage counts all the same";
}

TEST_F(ErrorStreakTest, TakesABanForAPauseOnlyIfItIsKnownHowLong) {
  Add(ban_, absl::ZeroDuration());
  EXPECT_TRUE(streak_.put_off());
  Add(Error(ErrorReason::kUpstreamIpBanned, Persistence::kPaused), absl::ZeroDuration());
  EXPECT_FALSE(streak_.put_off());
}

TEST_F(ErrorStreakTest, GoesWithAClockThatIsSetBack) {
  Add(timeout_, absl::Hours(1));
  Add(timeout_, absl::ZeroDuration());
  EXPECT_EQ(streak_.TransientFor(kStart + absl::Minutes(2)), absl::Minutes(2));
}

}  // namespace
}  // namespace taskwatch
