// What Taskwatch promises of its poll schedule, checked against what was measured.
#ifndef TASKWATCH_TESTS_BENCHMARKS_POLL_CLAIMS_H_
#define TASKWATCH_TESTS_BENCHMARKS_POLL_CLAIMS_H_

#include <string>
#include <vector>

#include "tests/benchmarks/poll_replay.h"
#include "tests/benchmarks/task_trace.h"

namespace taskwatch {

struct Claim {
  std::string family;
  std::string text;
  bool holds = false;
  // The figures that decide, or who is better.
  std::string figures;
};

// All claims about the families in `results`:
// - linear: at most half of the calls of the official CLI's schedule, at no more than half of its mean delay share;
// - noisy, front-loaded, back-loaded: at most half of its calls at 0.7 of its mean delay share;
// - where no task of a family shows progress: no more calls than it and a smaller mean delay share;
// - everywhere: no peer is better in both calls and mean delay, be it in seconds or as a share.
// Families are known by their names, with '-' and '_' alike.
std::vector<Claim> CheckClaims(const std::vector<TaskTrace>& traces, const std::vector<PolicyResult>& results);

}  // namespace taskwatch

#endif  // TASKWATCH_TESTS_BENCHMARKS_POLL_CLAIMS_H_
