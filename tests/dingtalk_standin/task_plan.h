// The life of one of the stand-in's tasks: what DingTalk would say of it at any moment.
#ifndef TASKWATCH_TESTS_DINGTALK_STANDIN_TASK_PLAN_H_
#define TASKWATCH_TESTS_DINGTALK_STANDIN_TASK_PLAN_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace taskwatch::standin {

// How the counts grow while a task runs.
enum class ProgressShape {
  kLinear,
  // Slowly at first, then faster: an estimate from the early counts comes out too late.
  kAccelerating,
  // Fast at first, then slower: an estimate from the early counts comes out too early.
  kSlowing,
  // No counts at all until the task has ended.
  kNone,
};

// A task waits, runs and ends. The numbers of statuses are DingTalk's: -1 waiting, 0 running, 1 success, 2 partial
// failure, 3 all failed, 4 failed.
struct TaskPlan {
  // So long after its creation nobody knows the task yet. Part of the time below.
  absl::Duration hidden = absl::ZeroDuration();
  absl::Duration waiting = absl::Seconds(2);
  absl::Duration running = absl::Seconds(10);
  int64_t items = 20;
  // The final status. Not checked: a value that DingTalk does not have yet is a case to test.
  int outcome = 1;
  // How many of the items fail in the end; unset, what suits the outcome: none for 1, a quarter (at least one) for 2,
  // all for 3, none for 4, which also leaves the rest undone. Set, the rest succeed: DingTalk's own example is a
  // partial failure (2) of one item with none failed.
  std::optional<int64_t> failed_items;
  ProgressShape shape = ProgressShape::kLinear;
};

// The task of DingTalk's API page, over from the start.
TaskPlan ExamplePlan();

// The JSON body that describes a task `age` after its creation, with the keys in the order of DingTalk's example.
std::string TaskBody(absl::string_view task_id, const TaskPlan& plan, absl::Duration age);

// `body` of a task with half of its items done; the same if the task has ended or tells no counts.
std::string WithFewerDone(const std::string& body);

}  // namespace taskwatch::standin

#endif  // TASKWATCH_TESTS_DINGTALK_STANDIN_TASK_PLAN_H_
