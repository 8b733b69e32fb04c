#include "service/quota/billing_month.h"

#include <string>

#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace taskwatch {
namespace {

absl::Time At(const std::string& text) {
  absl::Time time;
  std::string error;
  EXPECT_TRUE(absl::ParseTime(absl::RFC3339_full, text, &time, &error)) << error;
  return time;
}

TEST(NaturalMonth, EndsAtMidnightInChina) {
  struct Row {
    std::string now;
    absl::Duration left;
  };
  const Row rows[] = {
      {"2026-03-31T23:59:59+08:00", absl::Seconds(1)},
      {"2026-03-31T15:59:59Z", absl::Seconds(1)},
      // April has begun in China, though not in Greenwich.
      {"2026-03-31T16:00:00Z", absl::Hours(30 * 24)},
      {"2026-12-31T12:00:00+08:00", absl::Hours(12)},
      {"2026-02-01T00:00:00+08:00", absl::Hours(28 * 24)},
      {"2028-02-01T00:00:00+08:00", absl::Hours(29 * 24)},
      {"2026-03-31T15:59:59.999Z", absl::Milliseconds(1)},
  };
  for (const Row& row : rows) EXPECT_EQ(UntilNextMonth(At(row.now)), row.left) << row.now;
}

TEST(NaturalMonth, IsChinas) {
  EXPECT_EQ(MonthOf(At("2026-03-31T15:59:59Z")), absl::CivilMonth(2026, 3));
  EXPECT_EQ(MonthOf(At("2026-03-31T16:00:00Z")), absl::CivilMonth(2026, 4));
}

TEST(NaturalMonth, IsOverByShares) {
  EXPECT_EQ(ShareOfMonth(At("2026-06-01T00:00:00+08:00")), 0);
  EXPECT_DOUBLE_EQ(ShareOfMonth(At("2026-06-04T00:00:00+08:00")), 0.1);
  EXPECT_LT(ShareOfMonth(At("2026-06-30T23:59:59+08:00")), 1);
}

TEST(NaturalMonth, IsUsedUpUntilItsEndExceptAtItsBeginning) {
  EXPECT_EQ(RetryAfterMonthlyRefusal(At("2026-06-30T23:59:58.5+08:00")), absl::Seconds(2));
  EXPECT_EQ(RetryAfterMonthlyRefusal(At("2026-06-20T00:00:00+08:00")), absl::Hours(11 * 24));
  EXPECT_EQ(RetryAfterMonthlyRefusal(At("2026-07-01T00:00:00+08:00")), absl::Minutes(1));
  EXPECT_EQ(RetryAfterMonthlyRefusal(At("2026-07-01T00:09:59+08:00")), absl::Minutes(1));
  EXPECT_EQ(RetryAfterMonthlyRefusal(At("2026-07-01T00:11:00+08:00")), absl::Hours(31 * 24) - absl::Minutes(11));
}

}  // namespace
}  // namespace taskwatch
