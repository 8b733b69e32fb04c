// When to ask next about a task that is being watched.
#ifndef TASKWATCH_SERVICE_TRACKER_POLL_SCHEDULE_H_
#define TASKWATCH_SERVICE_TRACKER_POLL_SCHEDULE_H_

#include <optional>

#include "absl/time/time.h"

#include "service/tracker/progress_history.h"

namespace taskwatch {

struct PollConditions {
  // Polls that have failed since the last one that did not.
  int consecutive_errors = 0;
  // The upstream's own wish after a failed poll: not sooner than this.
  std::optional<absl::Duration> retry_after;
  // The smallest `poll_interval` among the watchers.
  std::optional<absl::Duration> hint;
  // By how much polls are to be spread so that the month's calls last; less than 1 counts as 1.
  double slowdown = 1;
};

struct PollLimits {
  absl::Duration min_interval = absl::Seconds(1);
  // Without slowdown. With it the limit is stretched as well.
  absl::Duration max_interval = absl::Minutes(5);
};

// The time from the last poll to the next. A pure function: `jitter` in [0, 1) is the only randomness.
//
// While the end cannot be foreseen, the interval grows with the square root of the task's age: that is how a given
// number of calls is spent best on tasks of which as many take minutes as take hours. A task that waits, or that counts
// items of which none is done yet, is less likely to end next and is asked less often.
//
// Once there is progress, the next poll is where the end is expected, if that is known well enough that being wrong
// costs no more than a part of the interval above. Else it is short of it, by as much as the estimate may be wrong, and
// no further ahead than about as long as the task has run; half a minute, or the interval above, if the end may be near
// and the estimate is hardly more than a guess. When all is done but the end, the interval grows from small again.
//
// A hint replaces all of this. Slowdown stretches the intervals and the error that is tolerated, not the estimates: it
// saves calls rather than being late for nothing. After errors the interval grows exponentially, fully jittered, and
// never undercuts `retry_after`, which may exceed the limits. The result never falls as slowdown grows, and is finite.
//
// Measured by //tests/benchmarks:poll_policy; docs/decisions says what else was tried.
absl::Duration NextPollDelay(const ProgressHistory& history, const PollConditions& conditions, const PollLimits& limits,
                             double jitter);

// Full-jitter exponential backoff: uniformly from (0, min(cap, base * 2^attempt)], attempts counted from zero.
absl::Duration FullJitterBackoff(int attempt, absl::Duration base, absl::Duration cap, double jitter);

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_TRACKER_POLL_SCHEDULE_H_
