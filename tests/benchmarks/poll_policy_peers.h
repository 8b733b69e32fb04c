// The poll policies that are compared: ours, and what others do.
#ifndef TASKWATCH_TESTS_BENCHMARKS_POLL_POLICY_PEERS_H_
#define TASKWATCH_TESTS_BENCHMARKS_POLL_POLICY_PEERS_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"

#include "service/task/task_info.h"

namespace taskwatch {

// Decides when one task is polled: is called after each poll that found it unfinished, `age` after the watch began,
// with what was seen. Returns the time until the next poll. `slowdown` is the pressure of the month's budget, 1 if
// there is none; only ours heeds it.
using Pacer = absl::AnyInvocable<absl::Duration(absl::Duration age, const TaskInfo& seen, double slowdown)>;

struct PollPolicy {
  std::string name;
  // A pacer for one more task.
  std::function<Pacer()> start;
};

inline constexpr char kOurPolicy[] = "taskwatch";
inline constexpr char kOfficialCliPolicy[] = "official-cli";

// Ours first.
std::vector<PollPolicy> PollPolicies();

}  // namespace taskwatch

#endif  // TASKWATCH_TESTS_BENCHMARKS_POLL_POLICY_PEERS_H_
