#include "service/pace/poll_schedule.h"

#include <algorithm>
#include <cmath>

namespace taskwatch {
namespace {

constexpr absl::Duration kErrorBackoffBase = absl::Seconds(2);
constexpr absl::Duration kErrorBackoffCap = absl::Minutes(1);

// Over how long polls are spread that were put off to the same moment.
constexpr absl::Duration kSpread = absl::Seconds(4);

// More would be no pace at all.
constexpr double kMaxSlowdown = 1e4;

// From the first answer to the second poll. If items are counted the second answer tells when the third is due, so it
// may come later, when more are done.
constexpr absl::Duration kFirstInterval = absl::Seconds(2);
constexpr absl::Duration kFirstIntervalCounted = absl::Seconds(3);

// The pace: kRootFactor * sqrt(age) - kRootOffset, both in seconds, up to kRootLimit; for hours a part of the age.
constexpr double kRootFactor = 1.25;
constexpr double kRootOffset = 1;
constexpr double kRootLimit = 36;
constexpr double kLeastAgeFraction = 0.005;
constexpr double kWaitingStretch = 1.4;
constexpr double kNothingDoneStretch = 1.15;

// The part of the pace by which an estimate may be wrong and still be trusted.
constexpr double kTolerance = 1.0 / 3;
// How much of the estimated rest is waited for at least, whatever the doubt.
constexpr double kLeastPartOfRest = 0.08;
// How far ahead of the evidence for it a poll may be put.
constexpr double kReach = 0.9;
// The end of a task may be anywhere if the estimate may be wrong by all of itself, and is not far ahead either: within
// this many times the evidence. Then a poll is put no further ahead than this, or than the pace.
constexpr double kNear = 4;
constexpr absl::Duration kReachInDoubt = absl::Seconds(30);
// After all items were done, the part of the time since then after which the end is looked for again.
constexpr double kCompleteFraction = 0.2;

// `stretch` is for tasks that are less likely to end next.
absl::Duration Pace(absl::Duration age, double stretch) {
  const double seconds = absl::ToDoubleSeconds(age);
  return absl::Seconds(std::max(std::min(stretch * (kRootFactor * std::sqrt(seconds) - kRootOffset), kRootLimit),
                                kLeastAgeFraction * seconds));
}

absl::Duration ProgressInterval(const ProgressHistory& history, const PollLimits& limits, double slowdown) {
  const absl::Duration age = history.age();
  const bool counted = history.counted() && !history.waiting();
  if (age <= absl::ZeroDuration()) return slowdown * (counted ? kFirstIntervalCounted : kFirstInterval);
  const std::optional<absl::Duration> complete_for = history.complete_for();
  const std::optional<FinishEstimate> finish = history.EstimateFinish();
  const bool nothing_done = counted && !complete_for.has_value() && !finish.has_value();
  const double stretch = history.waiting() ? kWaitingStretch : nothing_done ? kNothingDoneStretch : 1;
  const absl::Duration pace = std::max(slowdown * Pace(age, stretch), limits.min_interval);
  const absl::Duration tolerance = std::max(kTolerance * pace, limits.min_interval);
  if (complete_for.has_value()) return std::clamp(slowdown * kCompleteFraction * *complete_for, tolerance, pace);
  if (!finish.has_value()) return pace;
  const bool trusted = finish->remaining * finish->doubt <= tolerance;
  const absl::Duration aim = finish->remaining * (trusted ? 1.0 : std::max(kLeastPartOfRest, 1.0 - finish->doubt));
  absl::Duration reach = kReach * finish->evidence;
  const bool anywhere = finish->doubt >= 1 && finish->remaining < kNear * finish->evidence;
  if (anywhere) reach = std::min(reach, kReachInDoubt);
  return std::clamp(aim, tolerance, std::max(pace, slowdown * reach));
}

}  // namespace

absl::Duration FullJitterBackoff(int attempt, absl::Duration base, absl::Duration cap, double jitter) {
  // 2^30 bases are beyond any cap; more would overflow the shift.
  const absl::Duration bound = std::min(cap, base * (int64_t{1} << std::clamp(attempt, 0, 30)));
  return bound * (1.0 - jitter);
}

absl::Duration NextPollDelay(const ProgressHistory& history, const PollConditions& conditions, const PollLimits& limits,
                             double jitter) {
  if (conditions.put_off) {
    const absl::Duration least = conditions.retry_after.value_or(absl::ZeroDuration());
    return std::max(least, limits.min_interval) + kSpread * jitter;
  }
  // Not std::clamp: a slowdown that is not a number counts as none.
  const double slowdown = std::min(kMaxSlowdown, conditions.slowdown > 1 ? conditions.slowdown : 1.0);
  absl::Duration interval;
  if (conditions.consecutive_errors > 0) {
    interval = FullJitterBackoff(conditions.consecutive_errors - 1, kErrorBackoffBase, kErrorBackoffCap, jitter);
  } else if (conditions.hint.has_value()) {
    interval = slowdown * *conditions.hint;
  } else {
    interval = ProgressInterval(history, limits, slowdown);
  }
  interval = std::clamp(interval, limits.min_interval, slowdown * limits.max_interval);
  return std::max(interval, conditions.retry_after.value_or(absl::ZeroDuration()));
}

}  // namespace taskwatch
