#include "tests/benchmarks/poll_policy_peers.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "service/pace/poll_schedule.h"
#include "service/pace/progress_history.h"

namespace taskwatch {
namespace {

Pacer StartOurs() {
  return [history = ProgressHistory()](absl::Duration age, const TaskInfo& seen, double slowdown) mutable {
    history.Observe(absl::UnixEpoch() + age, seen);
    PollConditions conditions;
    conditions.slowdown = slowdown;
    return NextPollDelay(history, conditions, PollLimits(), /*jitter=*/0.5);
  };
}

PollPolicy Fixed(int seconds) {
  return {absl::StrCat("fixed-", seconds, "s"), [seconds]() -> Pacer {
            return [seconds](absl::Duration, const TaskInfo&, double) { return absl::Seconds(seconds); };
          }};
}

// The CLI `dws`: 2 s five times, 5 s five times, 10 s ten times, then 15 s. It would give up after 285 s.
Pacer StartOfficialCli() {
  return [polls = 0](absl::Duration, const TaskInfo&, double) mutable {
    const int number = polls++;
    if (number < 5) return absl::Seconds(2);
    if (number < 10) return absl::Seconds(5);
    if (number < 20) return absl::Seconds(10);
    return absl::Seconds(15);
  };
}

Pacer StartExponential() {
  return [next = absl::Seconds(2)](absl::Duration, const TaskInfo&, double) mutable {
    return std::exchange(next, std::min(next * 1.5, absl::Seconds(30)));
  };
}

}  // namespace

std::vector<PollPolicy> PollPolicies() {
  return {{kOurPolicy, StartOurs},
          {kOfficialCliPolicy, StartOfficialCli},
          {"exponential", StartExponential},
          Fixed(1),
          Fixed(2),
          Fixed(5),
          Fixed(10)};
}

}  // namespace taskwatch
