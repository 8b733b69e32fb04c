// Where the tracker keeps tasks that have ended. The store implements it with a file, so that they outlive a restart.
#ifndef TASKWATCH_SERVICE_TASK_FINISHED_TASKS_H_
#define TASKWATCH_SERVICE_TASK_FINISHED_TASKS_H_

#include "absl/strings/string_view.h"

#include "service/task/task_info.h"

namespace taskwatch {

// A task that has ended never changes again, so a snapshot that is kept is never stale. Loop thread.
class FinishedTasks {
 public:
  virtual ~FinishedTasks() = default;

  // The final snapshot of a task, or null if none is kept. Fast enough for the loop's thread.
  virtual TaskSnapshotPtr Find(absl::string_view task_id) = 0;

  // Keeps the final snapshot of a task, unless one is kept already. Never blocks: the write follows, and is lost if the
  // process crashes before.
  virtual void Put(TaskSnapshotPtr snapshot) = 0;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_TASK_FINISHED_TASKS_H_
