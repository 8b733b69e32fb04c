// Runs poll policies over task traces in virtual time, and sums up what they cost and how late they are.
#ifndef TASKWATCH_TESTS_BENCHMARKS_POLL_REPLAY_H_
#define TASKWATCH_TESTS_BENCHMARKS_POLL_REPLAY_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"

#include "tests/benchmarks/poll_policy_peers.h"
#include "tests/benchmarks/task_trace.h"

namespace taskwatch {

// One task, polled to its end. Polls take no time; the first one is made when the watch begins, at the trace's start,
// and counts.
struct TaskOutcome {
  size_t calls = 0;
  // From the task's end to the poll that saw it.
  double delay_s = 0;
  // The same as a share of the task's length; 0 if both are 0.
  double delay_share = 0;
};

// A task that is being polled.
class PolledTask {
 public:
  // `trace` must outlive it.
  PolledTask(const TaskTrace* trace, Pacer pacer) : trace_(trace), pacer_(std::move(pacer)) {}

  // When the next poll is due, since the watch began.
  absl::Duration next_poll() const { return next_poll_; }

  // Puts the next poll off to `age`.
  void PutOff(absl::Duration age) { next_poll_ = age; }

  // Makes the poll that is due. Returns whether it saw the end.
  bool Poll(double slowdown);

  const TaskOutcome& outcome() const { return outcome_; }

 private:
  const TaskTrace* trace_;
  Pacer pacer_;
  absl::Duration next_poll_;
  // The change that is in force at the last poll.
  size_t change_ = 0;
  TaskOutcome outcome_;
};

struct Quantiles {
  double mean = 0;
  double p50 = 0;
  double p95 = 0;
};

// Quantiles are of the nearest rank: always one of the values. Zeros if there are none.
Quantiles QuantilesOf(std::vector<double> values);

// What one policy does to the tasks of one family.
struct PolicyResult {
  std::string family;
  std::string policy;
  double calls_per_task = 0;
  Quantiles delay_s;
  Quantiles delay_share;
};

// For every family, in the order of their first traces, all policies.
std::vector<PolicyResult> Compare(const std::vector<TaskTrace>& traces, const std::vector<PollPolicy>& policies);

}  // namespace taskwatch

#endif  // TASKWATCH_TESTS_BENCHMARKS_POLL_REPLAY_H_
