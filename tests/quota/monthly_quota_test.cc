#include "service/quota/monthly_quota.h"

#include <cstdint>

#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

#include "service/task/priority.h"

namespace taskwatch {
namespace {

constexpr absl::CivilMonth kMonth(2027, 6);
// Of 30 days.
const absl::Time kStart = absl::FromCivil(kMonth, absl::FixedTimeZone(8 * 60 * 60));
constexpr absl::Duration kDay = absl::Hours(24);

MonthlyQuota Quota(int64_t limit, int64_t used = 0) {
  MonthlyQuota quota(limit, 0.1);
  quota.Open(kMonth, used);
  return quota;
}

TEST(MonthlyQuota, IsUsedUpWhenItsCallsAreMade) {
  MonthlyQuota quota = Quota(5000, 4999);
  EXPECT_FALSE(quota.UsedUp());
  quota.Count(Priority::kToken, kStart);
  EXPECT_TRUE(quota.UsedUp());
  EXPECT_EQ(quota.calls(), 5000);
  EXPECT_EQ(quota.LeftForPolls(kStart), 0);
  quota.Open(kMonth + 1, 0);
  EXPECT_FALSE(quota.UsedUp());
}

TEST(MonthlyQuota, IsNeverUsedUpWithoutALimit) {
  MonthlyQuota quota = Quota(0, 1'000'000);
  quota.Count(Priority::kPoll, kStart);
  EXPECT_EQ(quota.calls(), 1'000'001);
  EXPECT_FALSE(quota.UsedUp());
  EXPECT_EQ(quota.AheadOfPlan(kStart), 0);
}

TEST(MonthlyQuota, SlowsPollsDownAsFarAsTheyAreAheadOfTheMonth) {
  struct Row {
    int day;
    int64_t used;
    double slowdown;
  };
  // Without the reserve of 500 polls may take 4500, of which a fiftieth of a month's is kept for the last hours.
  const Row rows[] = {
      {0, 0, 1},      {15, 0, 1},     {15, 2250, 1.17}, {15, 3375, 18.8}, {3, 3750, 100},
      {0, 4000, 100}, {0, 4500, 100}, {0, 4999, 100},   {29, 4490, 1},
  };
  for (const Row& row : rows) {
    EXPECT_NEAR(Quota(5000, row.used).Slowdown(kStart + row.day * kDay), row.slowdown, row.slowdown / 50)
        << row.used << " used on day " << row.day;
  }
  EXPECT_EQ(Quota(0, 4000).Slowdown(kStart), 1);
}

TEST(MonthlyQuota, SpreadsWhatIsLeftForPollsEvenly) {
  // 750 polls in 27 days and a fiftieth of the month.
  const absl::Duration interval = Quota(5000, 3750).PollInterval(kStart + 3 * kDay);
  EXPECT_NEAR(absl::ToDoubleMinutes(interval), 27.6 * 24 * 60 / 750, 0.01);
}

TEST(MonthlyQuota, LeavesCallersWhatTheyWillTakeIfTheyGoOn) {
  MonthlyQuota quota = Quota(5000);
  absl::Time now = kStart;
  EXPECT_EQ(quota.LeftForPolls(now), 4500);
  for (int day = 0; day < 3; ++day) {
    for (int i = 0; i < 50; ++i) quota.Count(Priority::kCaller, now);
    now += kDay;
  }
  // 50 a day for 27 days.
  EXPECT_EQ(quota.LeftForPolls(now), 5000 - 150 - 27 * 50);
}

TEST(MonthlyQuota, LeavesPollsHalfOfWhatIsLeftAndAtLeastOneCall) {
  EXPECT_EQ(Quota(5000, 4600).LeftForPolls(kStart), 200);
  EXPECT_EQ(Quota(5000, 4999).LeftForPolls(kStart), 1);
}

TEST(MonthlyQuota, ExpectsNoMoreOfCallersWhenTheClockIsSetBack) {
  MonthlyQuota quota = Quota(5000);
  absl::Time now = kStart + 10 * kDay;
  quota.Count(Priority::kPoll, now);
  now += 5 * kDay;
  for (int i = 0; i < 250; ++i) quota.Count(Priority::kCaller, now);
  // 50 a day for 15 days.
  EXPECT_NEAR(quota.LeftForPolls(now), 5000 - 251 - 15 * 50, 1);
  now -= kDay;
  quota.ShiftBack(kDay);
  EXPECT_NEAR(quota.LeftForPolls(now), 5000 - 251 - 16 * 50, 1);
}

TEST(MonthlyQuota, TakesBackWhatWasForNothingAndWhatItWouldKeepForCallersBecauseOfIt) {
  MonthlyQuota quota(5000, 0.1);
  quota.Open(kMonth, 0);
  MonthlyQuota untouched = quota;
  const absl::Time now = kStart + 3 * kDay;
  for (const Priority priority : {Priority::kPoll, Priority::kCaller, Priority::kToken}) {
    untouched.Count(priority, kStart);
    quota.Count(priority, kStart);
    for (int i = 0; i < 500; ++i) quota.Count(priority, kStart);
    for (int i = 0; i < 500; ++i) quota.GiveBack(priority);
  }
  EXPECT_EQ(quota.calls(), 3);
  EXPECT_EQ(quota.LeftForPolls(now), untouched.LeftForPolls(now));
  for (int i = 0; i < 10; ++i) quota.GiveBack(Priority::kCaller);
  EXPECT_EQ(quota.calls(), 0) << "a month that was counted anew";
}

}  // namespace
}  // namespace taskwatch
