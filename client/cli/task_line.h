// Tasks as lines of text.
#ifndef TASKWATCH_CLIENT_CLI_TASK_LINE_H_
#define TASKWATCH_CLIENT_CLI_TASK_LINE_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "taskwatch/v1/task_service.pb.h"

#include "client/cli/progress_estimate.h"

namespace taskwatch::client {

// What is known of one task that is being watched.
struct TaskView {
  std::string task_id;
  // Unset until the first answer.
  std::optional<v1::TaskInfo> task;
  // When it was last confirmed.
  absl::Time observe_time;
  ProgressEstimate estimate;
  // What is wrong at the moment, upstream or on the way to the service; or empty.
  std::string trouble;
  // No more will come: the task is done, or its watch ended with `trouble`.
  bool over = false;
};

// The layout that the lines of all tasks share.
struct LineLayout {
  // Columns that a line may take at most.
  int width = 80;
  // Columns for the task's id; longer ones are shortened.
  int id_width = 20;
  bool color = false;
};

// "running", "partially failed", ...
absl::string_view StateWord(v1::TaskState state);

// The state for a log or a pipe: "t1: running, 3 of 10 done, 1 failed".
std::string PlainLine(const v1::TaskInfo& task);

// The line of a task on a live screen: state, bar, counts, rate, estimated time left and age of the information, as
// many of them as there is room for; and a second one with the trouble, if there is any. Pure: `now` is an argument. No
// line is wider than the layout's width, escape sequences for colours aside.
std::vector<std::string> LiveLines(const TaskView& view, const LineLayout& layout, absl::Time now);

}  // namespace taskwatch::client

#endif  // TASKWATCH_CLIENT_CLI_TASK_LINE_H_
