// When to ask next about a task that is being watched.
#ifndef TASKWATCH_SERVICE_TRACKER_POLL_SCHEDULE_H_
#define TASKWATCH_SERVICE_TRACKER_POLL_SCHEDULE_H_

#include <optional>

#include "absl/time/time.h"

namespace taskwatch {

// Everything that the decision depends on. Ages are measured by the loop's clock.
struct PollHistory {
  // How long the task has been watched or known, whichever is longer.
  absl::Duration age;
  // Polls that have failed since the last one that did not.
  int consecutive_errors = 0;
  // The upstream's own wish after a failed poll: not sooner than this.
  std::optional<absl::Duration> retry_after;
  // The smallest `poll_interval` among the watchers.
  std::optional<absl::Duration> hint;
};

struct PollLimits {
  absl::Duration min_interval = absl::Seconds(1);
  absl::Duration max_interval = absl::Minutes(5);
};

// The time from the last poll to the next. A pure function: `jitter` in [0, 1) is the only randomness.
//
// While polls succeed the interval is a fixed fraction of the task's age, so that the delay until its end is noticed
// stays a fixed fraction of how long it took. A hint replaces that. After errors it grows exponentially, fully
// jittered, and never undercuts `retry_after`, which may exceed the limits.
absl::Duration NextPollDelay(const PollHistory& history, const PollLimits& limits, double jitter);

// Full-jitter exponential backoff: uniformly from (0, min(cap, base * 2^attempt)], attempts counted from zero.
absl::Duration FullJitterBackoff(int attempt, absl::Duration base, absl::Duration cap, double jitter);

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_TRACKER_POLL_SCHEDULE_H_
