// A month of tasks on a standard organisation's quota: which of them a poll policy can see to the end.
#ifndef TASKWATCH_TESTS_BENCHMARKS_POLL_MONTH_H_
#define TASKWATCH_TESTS_BENCHMARKS_POLL_MONTH_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tests/benchmarks/poll_policy_peers.h"
#include "tests/benchmarks/poll_replay.h"
#include "tests/benchmarks/task_trace.h"

namespace taskwatch {

struct MonthOptions {
  uint64_t seed = 1;
  int calls = 5000;
  int tasks = 300;
};

struct MonthResult {
  std::string policy;
  int tasks = 0;
  // Calls spent.
  int calls = 0;
  // The share of the tasks whose end was seen before the month was over, and how late.
  double seen_share = 0;
  Quantiles delay_s;
  Quantiles delay_share;
};

// Draws tasks from `traces`, the same for every policy, and lets them begin at random in a month of 30 days, early
// enough to end in it. Once the calls are spent nobody is polled any more. Only ours heeds the budget: CallBudget
// slows its polls down and puts them off, as in the service.
std::vector<MonthResult> CompareOverMonth(const std::vector<TaskTrace>& traces, const std::vector<PollPolicy>& policies,
                                          const MonthOptions& options);

}  // namespace taskwatch

#endif  // TASKWATCH_TESTS_BENCHMARKS_POLL_MONTH_H_
