// Invents task traces that are like life, and as unkind.
#ifndef TASKWATCH_TESTS_BENCHMARKS_TRACE_GENERATOR_H_
#define TASKWATCH_TESTS_BENCHMARKS_TRACE_GENERATOR_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"

#include "tests/benchmarks/task_trace.h"

namespace taskwatch {

struct TraceOptions {
  uint64_t seed = 1;
  int tasks_per_family = 400;
  // Lengths are drawn log-uniformly from this range: as many tasks take seconds as take hours.
  absl::Duration min_length = absl::Seconds(2);
  absl::Duration max_length = absl::Hours(2);
};

// Traces of all families, family by family, in a fixed order. The same options give the same traces.
std::vector<TaskTrace> GenerateTraces(const TraceOptions& options);

}  // namespace taskwatch

#endif  // TASKWATCH_TESTS_BENCHMARKS_TRACE_GENERATOR_H_
