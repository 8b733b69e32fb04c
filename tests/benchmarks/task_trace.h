// What DingTalk would have answered about a task at every moment of its life: what the poll policies are measured on.
#ifndef TASKWATCH_TESTS_BENCHMARKS_TASK_TRACE_H_
#define TASKWATCH_TESTS_BENCHMARKS_TASK_TRACE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "service/task/task_info.h"

namespace taskwatch {

// The answer from `age` on, until the next change. Status and counts are DingTalk's, whatever they say.
struct TraceChange {
  // Since the trace's first change, which is when the task is created and the watch begins.
  absl::Duration age;
  int32_t upstream_status = 0;
  std::optional<int64_t> done_items;
  std::optional<int64_t> total_items;
};

struct TaskTrace {
  std::string family;
  std::string task_id;
  // In the order of time. The last one ends the task, and only that.
  std::vector<TraceChange> changes;

  absl::Duration Length() const { return changes.back().age; }
};

// What an answer that begins with `change` says.
TaskInfo InfoOf(const TaskTrace& trace, const TraceChange& change);

// Whether an answer before the end counts finished items, of a known number: whether there is progress to be seen.
bool ShowsProgress(const TaskTrace& trace);

// Reads traces from the text of a CSV file: `family,task_id,second,state,done_items,total_items` as the first line,
// then a line per change. `state` is DingTalk's number (-1 waiting .. 4 failed); `second` may have a fraction and
// begin anywhere; counts may be empty. Tasks may be interleaved, and are told apart by family and id. Errors are
// INVALID_ARGUMENT and name the line.
absl::StatusOr<std::vector<TaskTrace>> ParseTraces(absl::string_view csv);

// The text that ParseTraces reads, to the millisecond.
std::string FormatTraces(const std::vector<TaskTrace>& traces);

}  // namespace taskwatch

#endif  // TASKWATCH_TESTS_BENCHMARKS_TASK_TRACE_H_
