// Finished tasks kept in memory, where the test sees them.
#ifndef TASKWATCH_TESTS_FAKES_FAKE_FINISHED_TASKS_H_
#define TASKWATCH_TESTS_FAKES_FAKE_FINISHED_TASKS_H_

#include <map>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

#include "service/task/finished_tasks.h"
#include "service/task/task_info.h"

namespace taskwatch {

class FakeFinishedTasks final : public FinishedTasks {
 public:
  TaskSnapshotPtr Find(absl::string_view task_id) override {
    ++lookups;
    const auto task = tasks.find(task_id);
    return task == tasks.end() ? nullptr : task->second;
  }

  void Put(TaskSnapshotPtr snapshot) override { tasks.emplace(snapshot->info.task_id, std::move(snapshot)); }

  std::map<std::string, TaskSnapshotPtr, std::less<>> tasks;
  int lookups = 0;
};

}  // namespace taskwatch

#endif  // TASKWATCH_TESTS_FAKES_FAKE_FINISHED_TASKS_H_
