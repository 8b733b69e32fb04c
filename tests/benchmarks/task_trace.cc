#include "tests/benchmarks/task_trace.h"

#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "service/dingtalk/doc_task.h"

namespace taskwatch {
namespace {

constexpr absl::string_view kHeader = "family,task_id,second,state,done_items,total_items";
// Some thirty thousand years: far beyond any clock, and well within absl::Duration's exact range.
constexpr double kMaxSecond = 1e12;

struct OpenTrace {
  size_t index = 0;
  double first_second = 0;
  double last_second = 0;
  size_t last_line = 0;
};

absl::Status LineError(size_t line, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("line ", line, ": ", what));
}

absl::StatusOr<std::optional<int64_t>> ParseCount(size_t line, absl::string_view name, absl::string_view text) {
  if (text.empty()) return std::optional<int64_t>();
  int64_t count = 0;
  if (!absl::SimpleAtoi(text, &count)) {
    return LineError(line, absl::StrCat(name, " is \"", text, "\"; it must be a whole number or empty"));
  }
  return std::optional<int64_t>(count);
}

absl::StatusOr<TraceChange> ParseChange(size_t line, const std::vector<absl::string_view>& fields, double* second) {
  if (!absl::SimpleAtod(fields[2], second) || !(std::abs(*second) <= kMaxSecond)) {
    return LineError(line, absl::StrCat("second is \"", fields[2], "\"; it must be a number"));
  }
  TraceChange change;
  if (!absl::SimpleAtoi(fields[3], &change.upstream_status) ||
      TaskStateFromUpstream(change.upstream_status) == TaskState::kUnrecognized) {
    return LineError(line, absl::StrCat("state is \"", fields[3], "\"; it must be -1 (waiting) to 4 (failed)"));
  }
  absl::StatusOr<std::optional<int64_t>> done = ParseCount(line, "done_items", fields[4]);
  if (!done.ok()) return done.status();
  absl::StatusOr<std::optional<int64_t>> total = ParseCount(line, "total_items", fields[5]);
  if (!total.ok()) return total.status();
  change.done_items = *done;
  change.total_items = *total;
  return change;
}

}  // namespace

TaskInfo InfoOf(const TaskTrace& trace, const TraceChange& change) {
  TaskInfo info;
  info.task_id = trace.task_id;
  info.state = TaskStateFromUpstream(change.upstream_status);
  info.upstream_status = change.upstream_status;
  info.total_count = change.total_items;
  info.succeeded_count = change.done_items;
  return info;
}

bool ShowsProgress(const TaskTrace& trace) {
  for (const TraceChange& change : trace.changes) {
    const bool last = &change == &trace.changes.back();
    if (!last && change.total_items.value_or(0) > 0 && change.done_items.value_or(0) > 0) return true;
  }
  return false;
}

absl::StatusOr<std::vector<TaskTrace>> ParseTraces(absl::string_view csv) {
  std::vector<TaskTrace> traces;
  std::map<std::pair<std::string, std::string>, OpenTrace> open;
  size_t number = 0;
  absl::ConsumePrefix(&csv, "\xEF\xBB\xBF");
  for (absl::string_view line : absl::StrSplit(csv, '\n')) {
    ++number;
    absl::ConsumeSuffix(&line, "\r");
    if (number == 1) {
      if (line != kHeader) return LineError(1, absl::StrCat("the header must be \"", kHeader, "\""));
      continue;
    }
    if (line.empty()) continue;
    const std::vector<absl::string_view> fields = absl::StrSplit(line, ',');
    if (fields.size() != 6) return LineError(number, absl::StrCat("has ", fields.size(), " fields instead of 6"));
    if (fields[0].empty()) return LineError(number, "family is empty");
    if (fields[1].empty()) return LineError(number, "task_id is empty");
    double second = 0;
    absl::StatusOr<TraceChange> change = ParseChange(number, fields, &second);
    if (!change.ok()) return change.status();

    const auto [found, inserted] = open.try_emplace({std::string(fields[0]), std::string(fields[1])});
    OpenTrace& state = found->second;
    if (inserted) {
      state.index = traces.size();
      state.first_second = second;
      traces.push_back({std::string(fields[0]), std::string(fields[1]), {}});
    } else {
      const TraceChange& before = traces[state.index].changes.back();
      if (IsDone(TaskStateFromUpstream(before.upstream_status))) {
        return LineError(number, absl::StrCat("task ", fields[1], " has ended in line ", state.last_line));
      }
      if (second < state.last_second) {
        return LineError(number, absl::StrCat("second ", fields[2], " lies before the task's line ", state.last_line));
      }
    }
    state.last_second = second;
    state.last_line = number;
    change->age = absl::Seconds(second - state.first_second);
    traces[state.index].changes.push_back(*std::move(change));
  }
  for (const auto& [key, state] : open) {
    if (IsDone(TaskStateFromUpstream(traces[state.index].changes.back().upstream_status))) continue;
    return LineError(state.last_line, absl::StrCat("task ", key.second, " never ends (state 1 to 4)"));
  }
  if (traces.empty()) return absl::InvalidArgumentError("there is no task in it");
  return traces;
}

std::string FormatTraces(const std::vector<TaskTrace>& traces) {
  const auto text = [](const std::optional<int64_t>& count) {
    return count.has_value() ? absl::StrCat(*count) : std::string();
  };
  std::string csv = absl::StrCat(kHeader, "\n");
  for (const TaskTrace& trace : traces) {
    for (const TraceChange& change : trace.changes) {
      absl::StrAppendFormat(&csv, "%s,%s,%.3f,%d,%s,%s\n", trace.family, trace.task_id,
                            absl::ToDoubleSeconds(change.age), change.upstream_status, text(change.done_items),
                            text(change.total_items));
    }
  }
  return csv;
}

}  // namespace taskwatch
