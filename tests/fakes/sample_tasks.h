// States and errors of a task, for tests that do not care for more of them than this.
#ifndef TASKWATCH_TESTS_FAKES_SAMPLE_TASKS_H_
#define TASKWATCH_TESTS_FAKES_SAMPLE_TASKS_H_

#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "service/task/task_error.h"
#include "service/task/task_info.h"

namespace taskwatch {

// Running, with `done_items` of ten items done. FakeTaskSource fills in the task id, as it does for the next one.
inline TaskInfo Running(int done_items) {
  TaskInfo info;
  info.state = TaskState::kRunning;
  info.upstream_status = 0;
  info.total_count = 10;
  info.succeeded_count = done_items;
  return info;
}

inline TaskInfo Succeeded() {
  TaskInfo info;
  info.state = TaskState::kSucceeded;
  info.upstream_status = 1;
  return info;
}

inline absl::Status Error(ErrorReason reason, Persistence persistence,
                          std::optional<absl::Duration> retry_after = std::nullopt) {
  ErrorDetails details;
  details.reason = reason;
  details.persistence = persistence;
  details.retry_after = retry_after;
  return MakeError(details, "as the test wishes");
}

// The same, of a call that was not made.
inline absl::Status NotAsked(ErrorReason reason, Persistence persistence, absl::Duration retry_after) {
  ErrorDetails details;
  details.reason = reason;
  details.persistence = persistence;
  details.retry_after = retry_after;
  details.not_asked = true;
  return MakeError(details, "as the test wishes, without a call");
}

}  // namespace taskwatch

#endif  // TASKWATCH_TESTS_FAKES_SAMPLE_TASKS_H_
