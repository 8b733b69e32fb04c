#include "service/quota/poll_pacer.h"

#include <algorithm>

namespace taskwatch {
namespace {

constexpr double kPacedFrom = 1.5;
constexpr double kPacedUntil = 1.2;
constexpr double kBurstShare = 0.1;
// When to ask again, as a share of the wait.
constexpr double kAskAgainAfter = 0.25;
constexpr absl::Duration kShortestWait = absl::Minutes(10);
// Numbers are sums of fractions: the one that is served may lack a little.
constexpr double kTolerance = 1e-6;

}  // namespace

bool PollPacer::PacesAt(double ahead_of_plan) const {
  return pacing_ ? ahead_of_plan > kPacedUntil : ahead_of_plan >= kPacedFrom;
}

absl::Duration PollPacer::Admit(absl::string_view task_id, const MonthlyQuota& quota, absl::Time now) {
  StartOrStop(quota, now);
  if (!pacing_) return absl::ZeroDuration();
  const absl::Duration interval = quota.PollInterval(now);
  serving_ += absl::FDivDuration(now - served_at_, interval);
  served_at_ = now;
  last_number_ = std::max(last_number_, serving_ - std::max(1.0, quota.LeftForPolls(now) * kBurstShare));

  const double ahead = NumberOf(task_id) - serving_;
  if (ahead <= kTolerance) {
    numbers_.erase(task_id);
    return absl::ZeroDuration();
  }
  const absl::Duration wait = ahead * interval;
  return std::min(wait, std::max(wait * kAskAgainAfter, kShortestWait));
}

void PollPacer::Reset() {
  pacing_ = false;
  numbers_.clear();
}

void PollPacer::StartOrStop(const MonthlyQuota& quota, absl::Time now) {
  const bool paces = PacesAt(quota.AheadOfPlan(now));
  if (paces == pacing_) return;
  if (!paces) return Reset();
  pacing_ = true;
  serving_ = quota.LeftForPolls(now) * kBurstShare;
  served_at_ = now;
  last_number_ = 0;
}

double PollPacer::NumberOf(absl::string_view task_id) {
  const auto number = numbers_.find(task_id);
  if (number != numbers_.end()) return number->second;
  ForgetOldNumbers();
  last_number_ += 1;
  numbers_.emplace(std::string(task_id), last_number_);
  return last_number_;
}

void PollPacer::ForgetOldNumbers() {
  if (numbers_.size() < forget_from_) return;
  // A task that has not asked by the time that the next number is served will not ask, or gets another number.
  absl::erase_if(numbers_, [&](const auto& number) { return number.second < serving_ - 1; });
  forget_from_ = std::max(forget_from_, 2 * numbers_.size());
}

}  // namespace taskwatch
