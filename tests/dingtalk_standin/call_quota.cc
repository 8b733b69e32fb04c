#include "tests/dingtalk_standin/call_quota.h"

namespace taskwatch::standin {

bool RateLimit::Take(absl::Time now) {
  if (limit_ <= 0) return true;
  while (!taken_.empty() && taken_.front() <= now - absl::Seconds(1)) taken_.pop_front();
  if (static_cast<int64_t>(taken_.size()) >= limit_) return false;
  taken_.push_back(now);
  return true;
}

void MonthlyLimit::Observe(absl::Time now) {
  const absl::CivilMonth month(absl::ToCivilSecond(now, absl::FixedTimeZone(8 * 60 * 60)));
  if (month == month_) return;
  used_ = month_.has_value() ? 0 : used_before_;
  month_ = month;
}

bool MonthlyLimit::Take(absl::Time now) {
  Observe(now);
  if (limit_ > 0 && used_ >= limit_) return false;
  ++used_;
  return true;
}

}  // namespace taskwatch::standin
