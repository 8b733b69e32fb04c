#include "service/quota/rate_limiter.h"

#include <algorithm>

namespace taskwatch {
namespace {

constexpr double kBurstShare = 0.1;
constexpr double kCut = 0.7;
constexpr double kLowestRate = 1;
constexpr absl::Duration kRecovery = absl::Minutes(1);

// Permits are sums of fractions: a whole one may lack a little.
constexpr double kWhole = 1 - 1e-6;

}  // namespace

absl::Time RateLimiter::NextPermit(absl::Time now) const {
  const double rate = RateAt(now);
  if (rate <= 0) return now;
  const double permits = PermitsAt(now, rate);
  return permits >= kWhole ? now : now + absl::Seconds((1 - permits) / rate);
}

absl::Duration RateLimiter::DelayBehind(int64_t calls_ahead, absl::Time now) const {
  const double rate = RateAt(now);
  if (rate <= 0) return absl::ZeroDuration();
  const double spare = std::max(0.0, PermitsAt(now, rate) - 1);
  return absl::Seconds(std::max(0.0, static_cast<double>(calls_ahead) - spare) / rate);
}

void RateLimiter::Consume(absl::Time now) {
  if (const double rate = RateAt(now); rate > 0) {
    permits_ = PermitsAt(now, rate) - 1;
    filled_ = now;
  }
  ForgetCallsBefore(now - absl::Seconds(1));
  recent_.push_back(now);
}

void RateLimiter::BackOff(absl::Time now) {
  if (cut_.has_value() && now - cut_->time < absl::Seconds(1)) return;
  ForgetCallsBefore(now - absl::Seconds(1));
  double made = static_cast<double>(recent_.size());
  if (const double rate = RateAt(now); rate > 0) made = std::min(made, rate);
  double cut = std::max(kLowestRate, made * kCut);
  if (full_rate_ > 0) cut = std::min(cut, full_rate_);
  cut_ = Cut{cut, now};
  permits_ = std::min(permits_, 1.0);
}

double RateLimiter::RateAt(absl::Time now) const {
  if (!cut_.has_value()) return full_rate_;
  const double recovered = absl::FDivDuration(now - cut_->time, kRecovery);
  if (recovered >= 1) return full_rate_;
  // Without a limit there is nothing to grow back to but all.
  if (full_rate_ <= 0) return cut_->calls_per_second / (1 - recovered);
  return cut_->calls_per_second + (full_rate_ - cut_->calls_per_second) * recovered;
}

void RateLimiter::ShiftBack(absl::Duration back) {
  filled_ -= back;
  for (absl::Time& call : recent_) call -= back;
  if (cut_.has_value()) cut_->time -= back;
}

double RateLimiter::PermitsAt(absl::Time now, double rate) const {
  const double burst = std::max(1.0, rate * kBurstShare);
  return std::min(burst, permits_ + absl::ToDoubleSeconds(now - filled_) * rate);
}

void RateLimiter::ForgetCallsBefore(absl::Time time) {
  while (!recent_.empty() && recent_.front() <= time) recent_.pop_front();
}

}  // namespace taskwatch
