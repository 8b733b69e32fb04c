#include "service/tracker/poll_schedule.h"

#include <gtest/gtest.h>

namespace taskwatch {
namespace {

PollHistory Aged(absl::Duration age) {
  PollHistory history;
  history.age = age;
  return history;
}

TEST(PollSchedule, GrowsTheIntervalWithTheTasksAge) {
  const PollLimits limits;
  EXPECT_EQ(NextPollDelay(Aged(absl::Seconds(20)), limits, 0.5), absl::Seconds(5));
  EXPECT_EQ(NextPollDelay(Aged(absl::Minutes(4)), limits, 0.5), absl::Minutes(1));
}

TEST(PollSchedule, KeepsWithinTheLimits) {
  PollLimits limits;
  limits.min_interval = absl::Seconds(2);
  limits.max_interval = absl::Seconds(30);
  EXPECT_EQ(NextPollDelay(Aged(absl::ZeroDuration()), limits, 0.5), absl::Seconds(2));
  EXPECT_EQ(NextPollDelay(Aged(absl::Hours(10)), limits, 0.5), absl::Seconds(30));
}

TEST(PollSchedule, FollowsAHintWithinTheLimits) {
  const PollLimits limits;
  PollHistory history = Aged(absl::Hours(1));
  history.hint = absl::Seconds(7);
  EXPECT_EQ(NextPollDelay(history, limits, 0.5), absl::Seconds(7));
  history.hint = absl::Milliseconds(1);
  EXPECT_EQ(NextPollDelay(history, limits, 0.5), limits.min_interval);
  history.hint = absl::Hours(1);
  EXPECT_EQ(NextPollDelay(history, limits, 0.5), limits.max_interval);
}

TEST(PollSchedule, BacksOffAfterErrorsWithFullJitter) {
  const PollLimits limits;
  PollHistory history = Aged(absl::Seconds(1));
  history.consecutive_errors = 4;
  EXPECT_EQ(NextPollDelay(history, limits, 0.0), absl::Seconds(16));
  EXPECT_EQ(NextPollDelay(history, limits, 0.75), absl::Seconds(4));
  history.consecutive_errors = 1000;
  EXPECT_EQ(NextPollDelay(history, limits, 0.0), absl::Minutes(1));
}

TEST(PollSchedule, NeverUndercutsTheUpstreamsWishToWait) {
  const PollLimits limits;
  PollHistory history = Aged(absl::Seconds(1));
  history.consecutive_errors = 1;
  history.retry_after = absl::Minutes(20);
  EXPECT_EQ(NextPollDelay(history, limits, 0.5), absl::Minutes(20));
}

TEST(FullJitterBackoff, SpreadsOverTheWholeIntervalButNeverReachesZero) {
  EXPECT_EQ(FullJitterBackoff(0, absl::Seconds(1), absl::Minutes(1), 0.0), absl::Seconds(1));
  EXPECT_GT(FullJitterBackoff(0, absl::Seconds(1), absl::Minutes(1), 0.999), absl::ZeroDuration());
}

}  // namespace
}  // namespace taskwatch
