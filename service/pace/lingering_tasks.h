// What is known of tasks that nobody asks for at the moment.
#ifndef TASKWATCH_SERVICE_PACE_LINGERING_TASKS_H_
#define TASKWATCH_SERVICE_PACE_LINGERING_TASKS_H_

#include <cstddef>
#include <list>
#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "service/pace/error_streak.h"
#include "service/pace/progress_history.h"
#include "service/pace/recent_etags.h"
#include "service/task/task_info.h"

namespace taskwatch {

// What the tracker goes on with when a task is asked for again.
struct LingeringTask {
  // The latest state, or null.
  TaskSnapshotPtr snapshot;
  RecentEtags etags;
  ProgressHistory progress;
  ErrorStreak errors;
  // When the next poll was due, after an error.
  absl::Time poll_time;
  // When a fetch was answered last.
  absl::Time last_answer;
};

// Keeps them for a while, so that a watcher that comes back (after a rotation, say, or in a loop of waits) finds the
// task's pace known. Holds so many at most; the one that nobody has asked for the longest leaves first. Some 500 bytes
// each, without the snapshot, which the cache has as well.
//
// Every operation takes the same short time for any number of them, and there are no timers: those whose time is over
// leave when another one is added or taken.
//
// A value but for its size; reads no clock: `now` is the wall clock's time. If that was set back since a task was
// added, nothing is known of how long ago that was, and the task counts as forgotten.
class LingeringTasks {
 public:
  struct Options {
    absl::Duration duration = absl::Minutes(10);
    size_t max_tasks = 10'000;
  };

  explicit LingeringTasks(const Options& options) : options_(options) {}
  LingeringTasks(const LingeringTasks&) = delete;
  LingeringTasks& operator=(const LingeringTasks&) = delete;

  // Keeps a task that is not among them.
  void Add(absl::string_view task_id, LingeringTask task, absl::Time now);

  // The task, or null. Valid until the next call of Add or Take.
  const LingeringTask* Find(absl::string_view task_id, absl::Time now) const;

  // Removes the task and returns it, or nothing.
  std::optional<LingeringTask> Take(absl::string_view task_id, absl::Time now);

  size_t size() const { return tasks_.size(); }

 private:
  struct Slot {
    std::string task_id;
    absl::Time added;
    LingeringTask task;
  };
  using Slots = std::list<Slot>;

  bool IsOver(const Slot& slot, absl::Time now) const;
  void RemoveOld(absl::Time now);
  void RemoveOldest();

  const Options options_;
  // The oldest first.
  Slots slots_;
  // By the ids in the slots.
  absl::flat_hash_map<absl::string_view, Slots::iterator> tasks_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_PACE_LINGERING_TASKS_H_
