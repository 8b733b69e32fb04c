#include "service/tracker/poll_schedule.h"

#include <algorithm>

namespace taskwatch {
namespace {

// The share of a task's age after which it is asked about again.
constexpr double kAgeFraction = 0.25;
constexpr absl::Duration kErrorBackoffBase = absl::Seconds(2);
constexpr absl::Duration kErrorBackoffCap = absl::Minutes(1);

}  // namespace

absl::Duration FullJitterBackoff(int attempt, absl::Duration base, absl::Duration cap, double jitter) {
  // 2^30 bases are beyond any cap; more would overflow the shift.
  const absl::Duration bound = std::min(cap, base * (int64_t{1} << std::clamp(attempt, 0, 30)));
  return bound * (1.0 - jitter);
}

absl::Duration NextPollDelay(const PollHistory& history, const PollLimits& limits, double jitter) {
  const auto within_limits = [&limits](absl::Duration interval) {
    return std::clamp(interval, limits.min_interval, limits.max_interval);
  };
  if (history.consecutive_errors > 0) {
    const absl::Duration backoff =
        within_limits(FullJitterBackoff(history.consecutive_errors - 1, kErrorBackoffBase, kErrorBackoffCap, jitter));
    return std::max(backoff, history.retry_after.value_or(absl::ZeroDuration()));
  }
  return within_limits(history.hint.value_or(history.age * kAgeFraction));
}

}  // namespace taskwatch
