#include "service/pace/poll_schedule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

#include "service/pace/progress_history.h"
#include "service/task/task_info.h"

namespace taskwatch {
namespace {

constexpr absl::Time kBegin = absl::FromUnixSeconds(1'700'000'000);

struct Seen {
  double second;
  TaskState state;
  int64_t done;
  int64_t total;
};

ProgressHistory HistoryOf(const std::vector<Seen>& answers) {
  ProgressHistory history;
  for (const Seen& seen : answers) {
    TaskInfo info;
    info.state = seen.state;
    if (seen.total > 0) {
      info.succeeded_count = seen.done;
      info.total_count = seen.total;
    }
    history.Observe(kBegin + absl::Seconds(seen.second), info);
  }
  return history;
}

// Running, without counts, seen at the age of zero and at this one.
ProgressHistory Aged(double seconds) {
  return HistoryOf({{0, TaskState::kRunning, 0, 0}, {seconds, TaskState::kRunning, 0, 0}});
}

// Running at ten of a thousand items a second, seen in these seconds: a hundred of them will take it to its end.
ProgressHistory Steady(std::initializer_list<double> seconds) {
  std::vector<Seen> answers{{0, TaskState::kRunning, 0, 1000}};
  for (const double second : seconds) {
    answers.push_back({second, TaskState::kRunning, static_cast<int64_t>(10 * second), 1000});
  }
  return HistoryOf(answers);
}

absl::Duration Delay(const ProgressHistory& history, const PollConditions& conditions = {},
                     const PollLimits& limits = {}) {
  return NextPollDelay(history, conditions, limits, /*jitter=*/0.5);
}

PollConditions Under(double slowdown) {
  PollConditions conditions;
  conditions.slowdown = slowdown;
  return conditions;
}

// To the nearest: estimates are not exact.
int64_t Milliseconds(absl::Duration duration) { return absl::ToInt64Milliseconds(duration + absl::Microseconds(500)); }

TEST(PollSchedule, GrowsTheIntervalWithTheRootOfAnUnforeseeableTasksAge) {
  EXPECT_EQ(Delay(Aged(16)), absl::Seconds(4));
  EXPECT_EQ(Delay(Aged(64)), absl::Seconds(9));
  EXPECT_EQ(Delay(Aged(400)), absl::Seconds(24));
}

TEST(PollSchedule, DoesWhatTheExamplesInItsHeaderSay) {
  EXPECT_EQ(Milliseconds(Delay(HistoryOf({{0, TaskState::kWaiting, 0, 0}, {64, TaskState::kWaiting, 0, 0}}))), 12'600);
  EXPECT_EQ(Milliseconds(Delay(HistoryOf({{0, TaskState::kRunning, 0, 10}, {64, TaskState::kRunning, 0, 10}}))),
            10'350);
  EXPECT_EQ(Delay(Aged(0)), absl::Seconds(2));
  EXPECT_EQ(Delay(HistoryOf({{0, TaskState::kRunning, 0, 10}})), absl::Seconds(3));
  EXPECT_EQ(absl::Floor(Delay(Steady({10, 30, 60})) + absl::Milliseconds(500), absl::Seconds(1)), absl::Seconds(30));
  EXPECT_EQ(Milliseconds(Delay(Steady({30, 60, 90}))), 10'000);
  EXPECT_EQ(Delay(Aged(64), Under(4)), absl::Seconds(36));
  const ProgressHistory complete = HistoryOf(
      {{0, TaskState::kRunning, 0, 10}, {340, TaskState::kRunning, 10, 10}, {400, TaskState::kRunning, 10, 10}});
  EXPECT_EQ(Delay(complete), absl::Seconds(12)) << "all items have been done for a minute";
}

TEST(PollSchedule, AsksForHoursAtAPartOfTheAge) {
  EXPECT_EQ(Delay(Aged(3600)), absl::Seconds(36));
  EXPECT_EQ(Delay(Aged(10 * 3600)), absl::Seconds(180));
}

TEST(PollSchedule, KeepsWithinTheLimits) {
  PollLimits limits;
  limits.min_interval = absl::Seconds(3);
  limits.max_interval = absl::Seconds(30);
  EXPECT_EQ(Delay(Aged(0), {}, limits), absl::Seconds(3));
  EXPECT_EQ(Delay(Aged(36'000), {}, limits), absl::Seconds(30));
}

TEST(PollSchedule, AsksLessOftenWhileATaskWaits) {
  const ProgressHistory waiting = HistoryOf({{0, TaskState::kWaiting, 0, 0}, {100, TaskState::kWaiting, 0, 0}});
  EXPECT_GT(Delay(waiting), Delay(Aged(100)));
}

TEST(PollSchedule, AsksLessOftenWhileNoneOfTheItemsIsDone) {
  EXPECT_GT(Delay(HistoryOf({{0, TaskState::kRunning, 0, 10}, {100, TaskState::kRunning, 0, 10}})), Delay(Aged(100)));
}

TEST(PollSchedule, AsksAtTheForeseenEndOnceItIsKnownWellEnough) {
  EXPECT_EQ(Milliseconds(Delay(Steady({30, 60, 90}))), 10'000) << "ten of a hundred seconds are left";
}

TEST(PollSchedule, AsksShortOfAForeseenEndThatIsFarAhead) {
  const absl::Duration delay = Delay(Steady({10, 30, 60}));
  EXPECT_GT(delay, absl::Seconds(20)) << "not all along the way";
  EXPECT_LT(delay, absl::Seconds(40)) << "the rest may go faster";
}

TEST(PollSchedule, GoesNoFurtherAheadThanItHasLookedBack) {
  EXPECT_LE(Delay(HistoryOf({{0, TaskState::kRunning, 0, 1'000'000}, {10, TaskState::kRunning, 10'000, 1'000'000}})),
            absl::Seconds(10));
}

TEST(PollSchedule, LooksForTheEndLessAndLessOftenAfterAllIsDone) {
  const std::vector<Seen> complete{{0, TaskState::kRunning, 0, 10}, {100, TaskState::kRunning, 10, 10}};
  std::vector<Seen> still = complete;
  still.push_back({130, TaskState::kRunning, 10, 10});
  EXPECT_LT(Delay(HistoryOf(complete)), absl::Seconds(5));
  EXPECT_GT(Delay(HistoryOf(still)), Delay(HistoryOf(complete)));
  still.push_back({4000, TaskState::kRunning, 10, 10});
  EXPECT_LE(Delay(HistoryOf(still)), Delay(Aged(4000)));
}

TEST(PollSchedule, FollowsAHintWithinTheLimits) {
  const PollLimits limits;
  PollConditions conditions;
  conditions.hint = absl::Seconds(7);
  EXPECT_EQ(Delay(Aged(3600), conditions), absl::Seconds(7));
  conditions.hint = absl::Milliseconds(1);
  EXPECT_EQ(Delay(Aged(3600), conditions), limits.min_interval);
  conditions.hint = absl::Hours(1);
  EXPECT_EQ(Delay(Aged(3600), conditions), limits.max_interval);
}

TEST(PollSchedule, BacksOffAfterErrorsWithFullJitter) {
  PollConditions conditions;
  conditions.consecutive_errors = 4;
  EXPECT_EQ(NextPollDelay(Aged(1), conditions, PollLimits(), 0.0), absl::Seconds(16));
  EXPECT_EQ(NextPollDelay(Aged(1), conditions, PollLimits(), 0.75), absl::Seconds(4));
  conditions.consecutive_errors = 1000;
  EXPECT_EQ(NextPollDelay(Aged(1), conditions, PollLimits(), 0.0), absl::Minutes(1));
}

TEST(PollSchedule, BacksOffFromATaskThatWasNeverSeen) {
  PollConditions conditions;
  conditions.consecutive_errors = 1;
  EXPECT_EQ(NextPollDelay(ProgressHistory(), conditions, PollLimits(), 0.0), absl::Seconds(2));
}

TEST(PollSchedule, NeverUndercutsTheUpstreamsWishToWait) {
  PollConditions conditions;
  conditions.consecutive_errors = 1;
  conditions.retry_after = absl::Minutes(20);
  EXPECT_EQ(Delay(Aged(1), conditions), absl::Minutes(20));
}

TEST(PollSchedule, SpreadsWhatWasPutOffOverFourSecondsWithoutBackoff) {
  PollConditions conditions;
  conditions.put_off = true;
  conditions.retry_after = absl::Seconds(300);
  for (const int errors : {0, 1, 40}) {
    conditions.consecutive_errors = errors;
    EXPECT_EQ(NextPollDelay(Aged(64), conditions, PollLimits(), 0.0), absl::Seconds(300));
    EXPECT_EQ(NextPollDelay(Aged(64), conditions, PollLimits(), 0.5), absl::Seconds(302));
    EXPECT_LT(NextPollDelay(Aged(64), conditions, PollLimits(), 0.999), absl::Seconds(304));
  }
}

TEST(PollSchedule, KeepsItsDistanceAlsoFromWhatWasPutOffForLess) {
  PollConditions conditions;
  conditions.put_off = true;
  conditions.retry_after = absl::Milliseconds(10);
  EXPECT_EQ(NextPollDelay(Aged(64), conditions, PollLimits(), 0.0), absl::Seconds(1));
}

TEST(PollSchedule, StretchesIntervalsAndHintsUnderPressure) {
  EXPECT_EQ(Delay(Aged(64), Under(3)), absl::Seconds(27));
  PollConditions conditions = Under(3);
  conditions.hint = absl::Seconds(10);
  EXPECT_EQ(Delay(Aged(64), conditions), absl::Seconds(30));
}

TEST(PollSchedule, GoesBeyondItsLongestIntervalUnderPressure) {
  EXPECT_EQ(Delay(Aged(3600), Under(100)), absl::Hours(1));
}

TEST(PollSchedule, GoesStraightToTheForeseenEndUnderPressure) {
  EXPECT_EQ(Milliseconds(Delay(Steady({10, 30, 60}), Under(5))), 40'000);
}

TEST(PollSchedule, TakesAPressureThatIsNoneForNone) {
  for (const double slowdown : {0.0, -3.0, 0.5, std::nan(""), -std::numeric_limits<double>::infinity()}) {
    EXPECT_EQ(Delay(Aged(64), Under(slowdown)), Delay(Aged(64))) << slowdown;
  }
}

// Any history that answers could make, sensible or not.
ProgressHistory AnyHistory(std::mt19937_64& random) {
  const auto below = [&random](int64_t bound) { return static_cast<int64_t>(random() % bound); };
  const int64_t total = std::vector<int64_t>{0, 1, 2, 10, 1000, -5, std::numeric_limits<int64_t>::max()}[below(7)];
  std::vector<Seen> answers;
  double second = 0;
  int64_t done = 0;
  for (int64_t i = below(12); i >= 0; --i) {
    const TaskState state = below(5) == 0 ? TaskState::kWaiting : TaskState::kRunning;
    answers.push_back({second, state, done, below(20) == 0 ? total / 2 : total});
    second += std::exp(static_cast<double>(below(120)) / 10 - 3) * static_cast<double>(below(4));
    if (below(20) == 0) {
      done /= 2;
    } else {
      const int64_t step = below(total / 4 + 2) * below(3);
      done = done > total - step ? total : done + step;
    }
  }
  return HistoryOf(answers);
}

TEST(PollSchedule, KeepsItsPromisesForAnyHistory) {
  const PollLimits limits;
  std::mt19937_64 random(1);
  for (int i = 0; i < 20'000; ++i) {
    SCOPED_TRACE(absl::StrCat("history ", i));
    const ProgressHistory history = AnyHistory(random);
    const double jitter = static_cast<double>(random() % 1000) / 1000;
    PollConditions conditions;
    if (random() % 3 == 0) conditions.consecutive_errors = static_cast<int>(random() % 40);
    if (random() % 4 == 0) conditions.hint = absl::Seconds(static_cast<double>(random() % 1000) / 2);

    const absl::Duration calm = NextPollDelay(history, conditions, limits, jitter);
    ASSERT_GE(calm, limits.min_interval);
    ASSERT_LE(calm, limits.max_interval);
    absl::Duration before = calm;
    for (const double slowdown : {1.1, 2.0, 7.0, 300.0, 1e9, std::numeric_limits<double>::infinity()}) {
      conditions.slowdown = slowdown;
      const absl::Duration delay = NextPollDelay(history, conditions, limits, jitter);
      ASSERT_GE(delay, before) << "under the pressure of " << slowdown;
      ASSERT_LT(delay, absl::InfiniteDuration());
      before = delay;
    }
    conditions.retry_after = absl::Seconds(static_cast<double>(random() % 4000));
    ASSERT_GE(NextPollDelay(history, conditions, limits, jitter), *conditions.retry_after);
  }
}

TEST(FullJitterBackoff, SpreadsOverTheWholeIntervalButNeverReachesZero) {
  EXPECT_EQ(FullJitterBackoff(0, absl::Seconds(1), absl::Minutes(1), 0.0), absl::Seconds(1));
  EXPECT_GT(FullJitterBackoff(0, absl::Seconds(1), absl::Minutes(1), 0.999), absl::ZeroDuration());
}

}  // namespace
}  // namespace taskwatch
