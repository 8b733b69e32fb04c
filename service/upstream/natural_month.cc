#include "service/upstream/natural_month.h"

#include "absl/time/civil_time.h"

namespace taskwatch {

absl::Duration UntilNextMonth(absl::Time now) {
  // Fixed rather than looked up as Asia/Shanghai: a minimal system has no time zone database.
  const absl::TimeZone china = absl::FixedTimeZone(8 * 60 * 60);
  return absl::FromCivil(absl::ToCivilMonth(now, china) + 1, china) - now;
}

}  // namespace taskwatch
