#include "service/quota/billing_month.h"

namespace taskwatch {
namespace {

// Fixed rather than looked up as Asia/Shanghai: a minimal system has no time zone database.
absl::TimeZone China() { return absl::FixedTimeZone(8 * 60 * 60); }

constexpr absl::Duration kBeginningOfMonth = absl::Minutes(10);
constexpr absl::Duration kRetryAtBeginningOfMonth = absl::Minutes(1);

}  // namespace

absl::CivilMonth MonthOf(absl::Time now) { return absl::ToCivilMonth(now, China()); }

absl::Duration UntilNextMonth(absl::Time now) { return absl::FromCivil(MonthOf(now) + 1, China()) - now; }

absl::Duration RetryAfterMonthlyRefusal(absl::Time now) {
  if (UntilNextMonth(now - kBeginningOfMonth) <= kBeginningOfMonth) return kRetryAtBeginningOfMonth;
  // Whole seconds, so that nobody comes back a moment too early.
  return absl::Ceil(UntilNextMonth(now), absl::Seconds(1));
}

double ShareOfMonth(absl::Time now) {
  const absl::Time start = absl::FromCivil(MonthOf(now), China());
  return absl::FDivDuration(now - start, now - start + UntilNextMonth(now));
}

}  // namespace taskwatch
