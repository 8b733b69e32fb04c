#include "service/quota/monthly_quota.h"

#include <algorithm>
#include <cmath>

#include "service/quota/billing_month.h"

namespace taskwatch {
namespace {

constexpr double kMaxSlowdown = 100;
// Calls fall by less than intervals grow, since most of them are made where an end is expected: hence the power.
constexpr double kSlowdownSteepness = 4;
// The part of the month by which everything is planned to last longer, so that something is left for its last hours.
constexpr double kKeptBack = 0.02;
// Until then it is not known how many calls callers will take.
constexpr absl::Duration kShortestCount = absl::Hours(48);
// A larger reserve changes what polls get, but not what counts as their plan.
constexpr double kMaxPlannedReserve = 0.5;

}  // namespace

void MonthlyQuota::Open(absl::CivilMonth month, int64_t calls) {
  month_ = month;
  calls_ = calls;
  calls_of_callers_ = 0;
  counted_since_ = absl::InfiniteFuture();
}

void MonthlyQuota::Count(Priority priority, absl::Time now) {
  ++calls_;
  if (counted_since_ == absl::InfiniteFuture()) counted_since_ = now;
  if (priority != Priority::kPoll) ++calls_of_callers_;
}

void MonthlyQuota::GiveBack(Priority priority) {
  // A month that is counted anew, since the clock was set back, may not know of the call.
  if (calls_ > 0) --calls_;
  if (priority != Priority::kPoll && calls_of_callers_ > 0) --calls_of_callers_;
}

double MonthlyQuota::KeptForCallers(absl::Time now) const {
  const absl::Duration counted = std::max(now - counted_since_, kShortestCount);
  const double expected = static_cast<double>(calls_of_callers_) * absl::FDivDuration(UntilNextMonth(now), counted);
  return std::max(static_cast<double>(limit_) * reserve_, expected);
}

double MonthlyQuota::LeftForPolls(absl::Time now) const {
  const auto left = static_cast<double>(Left());
  return left > 0 ? std::max({left - KeptForCallers(now), left / 2, 1.0}) : 0;
}

absl::Duration MonthlyQuota::PollInterval(absl::Time now) const {
  const absl::Duration left = UntilNextMonth(now);
  const absl::Duration kept_back = left / (1 - ShareOfMonth(now)) * kKeptBack;
  return (left + kept_back) / LeftForPolls(now);
}

double MonthlyQuota::AheadOfPlan(absl::Time now) const {
  if (!limited()) return 0;
  const double whole = static_cast<double>(limit_) * (1 - std::min(reserve_, kMaxPlannedReserve));
  const double left = LeftForPolls(now) / whole;
  const double time_left = std::min(1.0, 1 - ShareOfMonth(now) + kKeptBack);
  return left <= 0 ? kMaxSlowdown : time_left / left;
}

double MonthlyQuota::Slowdown(absl::Time now) const {
  return std::clamp(std::pow(AheadOfPlan(now), kSlowdownSteepness), 1.0, kMaxSlowdown);
}

}  // namespace taskwatch
