// The tasks that have ended: the seam between who sees their ends and what outlives a restart.
#ifndef TASKWATCH_SERVICE_TASK_FINISHED_TASKS_H_
#define TASKWATCH_SERVICE_TASK_FINISHED_TASKS_H_

#include "absl/strings/string_view.h"

#include "service/task/task_info.h"

namespace taskwatch {

// Loop thread. A task that has ended never changes, so what is kept is never stale.
class FinishedTasks {
 public:
  virtual ~FinishedTasks() = default;

  // The final snapshot of a task, or null if none is kept. Fast enough for the loop's thread.
  virtual TaskSnapshotPtr Find(absl::string_view task_id) = 0;

  // Keeps the final snapshot of a task; the first one stands. Never blocks; it may be lost in a crash that comes soon.
  virtual void Put(TaskSnapshotPtr snapshot) = 0;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_TASK_FINISHED_TASKS_H_
