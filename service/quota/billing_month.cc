#include "service/quota/billing_month.h"

namespace taskwatch {
namespace {

// Fixed rather than looked up as Asia/Shanghai: a minimal system has no time zone database.
absl::TimeZone China() { return absl::FixedTimeZone(8 * 60 * 60); }

}  // namespace

absl::CivilMonth MonthOf(absl::Time now) { return absl::ToCivilMonth(now, China()); }

absl::Duration UntilNextMonth(absl::Time now) { return absl::FromCivil(MonthOf(now) + 1, China()) - now; }

double ShareOfMonth(absl::Time now) {
  const absl::Time start = absl::FromCivil(MonthOf(now), China());
  return absl::FDivDuration(now - start, now - start + UntilNextMonth(now));
}

}  // namespace taskwatch
