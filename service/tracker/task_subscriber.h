// The callbacks of a watcher of a task.
#ifndef TASKWATCH_SERVICE_TRACKER_TASK_SUBSCRIBER_H_
#define TASKWATCH_SERVICE_TRACKER_TASK_SUBSCRIBER_H_

#include "absl/status/status.h"

#include "service/task/task_info.h"

namespace taskwatch {

// Owned by the code that subscribes (TaskTracker::Watch), and must outlive the subscription. Loop thread.
class TaskSubscriber {
 public:
  virtual ~TaskSubscriber() = default;

  // The task's state is `snapshot` now. If the task has ended, so has the subscription. Must not block, nor call
  // anything that changes the tracker.
  virtual void OnUpdate(const TaskSnapshotPtr& snapshot) = 0;

  // The task cannot be watched any longer. The subscription has ended; no call follows. May call the tracker.
  virtual void OnError(const absl::Status& error) = 0;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_TRACKER_TASK_SUBSCRIBER_H_
