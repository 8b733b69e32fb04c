// When to ask next about a task that is being watched.
#ifndef TASKWATCH_SERVICE_PACE_POLL_SCHEDULE_H_
#define TASKWATCH_SERVICE_PACE_POLL_SCHEDULE_H_

#include <optional>

#include "absl/time/time.h"

#include "service/pace/progress_history.h"

namespace taskwatch {

struct PollConditions {
  // How many polls have failed in a row; 0 if the last one succeeded.
  int consecutive_errors = 0;
  // Whether the last one was put off, rather than made without success: a poll for `retry_after` later was asked for.
  bool put_off = false;
  // With an error: the shortest time that the upstream wants to be left alone.
  std::optional<absl::Duration> retry_after;
  // The shortest `poll_interval` that a watcher has asked for.
  std::optional<absl::Duration> hint;
  // The factor by which intervals grow so that the month's calls last; less than 1 counts as 1.
  double slowdown = 1;
};

struct PollLimits {
  absl::Duration min_interval = absl::Seconds(1);
  // For a slowdown of 1; multiplied by the slowdown.
  absl::Duration max_interval = absl::Minutes(5);
};

// The time from the last poll to the next. A pure function: `jitter` in [0, 1) is the only randomness.
//
// While the end cannot be estimated, the interval grows with the square root of the task's age, which is the time since
// the first answer. If as many tasks take minutes as take hours, that is how a given number of calls is spent best:
//
//   age 16 s: 4 s    64 s: 9 s    400 s: 24 s    1 hour: 36 s    10 hours: 3 min (0.5 % of the age)
//
// A task that waits to be run, or that counts items of which none is done yet, is less likely to end next: at 64 s they
// are polled after 12.6 s and 10.35 s. The first interval is 2 s, or 3 s if items are counted.
//
// Once there is progress, the next poll is where the end is expected, if that is known well enough: if the estimate is
// wrong by as much as it may be, the poll must not be off by more than a third of the interval above. Otherwise the
// poll comes before the expected end, by the part by which the estimate may be wrong. Of 1,000 items, 10 a second are
// done:
//
//   seen at 10, 30 and 60 s, the end is expected in 40 s: poll in 30 s
//   seen at 30, 60 and 90 s, the end is expected in 10 s: poll in 10 s
//
// No poll is put further ahead than about as long as the task has run; and no further than half a minute, or the
// interval above, if the end may be near and the estimate is hardly more than a guess. When all items are done but the
// task has not ended, the interval is a fifth of the time since, between a third of the interval above and all of it.
//
// A hint replaces all of this: with 30 s the interval is 30 s. Slowdown multiplies the intervals and the error that is
// tolerated, but not the estimates: with 4, the interval at 64 s is 36 s. After errors the interval is random, up to
// 2 s, 4 s, 8 s and so on to a minute (full jitter), and at least `retry_after`, which may exceed the limits. What was
// put off comes again after `retry_after` and up to 4 s, at random: it holds for many tasks, which are not to come in
// one moment. The result never falls as slowdown grows, and is finite.
//
// Measured by //tests/benchmarks:poll_policy; docs/decisions says what else was tried.
absl::Duration NextPollDelay(const ProgressHistory& history, const PollConditions& conditions, const PollLimits& limits,
                             double jitter);

// Full-jitter exponential backoff: uniformly from (0, min(cap, base * 2^attempt)], attempts counted from zero.
absl::Duration FullJitterBackoff(int attempt, absl::Duration base, absl::Duration cap, double jitter);

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_PACE_POLL_SCHEDULE_H_
