// The progress of one task as its answers have shown it, and an estimate of when it ends.
#ifndef TASKWATCH_SERVICE_PACE_PROGRESS_HISTORY_H_
#define TASKWATCH_SERVICE_PACE_PROGRESS_HISTORY_H_

#include <optional>

#include "absl/time/time.h"

#include "service/task/task_info.h"

namespace taskwatch {

// An estimate of how long a task still takes: 40 s, give or take a quarter (0.25), after 60 s of observation.
struct FinishEstimate {
  absl::Duration remaining;
  // The relative error to be expected of `remaining`: 0.25 for a quarter of it; 1 or more says that it is a guess.
  double doubt = 0;
  // For how long the task has been seen running. Polls are put no further ahead than about this.
  absl::Duration evidence;
};

// A summary of fixed size (some 150 bytes) that takes in every answer about one task. A value; reads no clock.
//
// The estimate uses three points (seconds, items done): where the first items were done, a recent one and the last. The
// items done are assumed to be proportional to a power of the time: the power 1 is a steady task (10 items after 10 s,
// 20 after 20 s), 2 is one that gets faster (40 after 20 s).
//
// The doubt comes from counting in whole items, from having seen few of them, and from standstills: if nothing was done
// for a time in which 20 items should have been, that may happen again, or the 20 may be done all at once.
class ProgressHistory {
 public:
  ProgressHistory() = default;
  // Begins with a task of which only the latest snapshot is kept: its age counts, its earlier progress is forgotten.
  explicit ProgressHistory(const TaskSnapshot& snapshot);

  // Takes in an answer. Answers come in the order of time; if the clock has been set back, no time has passed.
  void Observe(absl::Time time, const TaskInfo& info);

  bool empty() const { return !first_time_.has_value(); }
  // From the first answer to the last.
  absl::Duration age() const { return absl::Seconds(last_.age); }
  bool waiting() const { return waiting_; }
  // Whether the task counts more than one item, so that its progress shows before its end.
  bool counted() const { return total_ > 1; }
  // For how long all items have been done although the task has not ended; nothing if they are not.
  std::optional<absl::Duration> complete_for() const;
  // Nothing if no progress has been seen yet, or all items are done.
  std::optional<FinishEstimate> EstimateFinish() const;

 private:
  // Seconds since the first answer, and items done by then.
  struct Point {
    double age = 0;
    double done = 0;
  };

  void Restart(const Point& point);
  void Begin(const Point& point);
  // Items that should have been done in `seconds` at the pace up to the last change.
  double ItemsIn(double seconds) const;

  std::optional<absl::Time> first_time_;
  bool waiting_ = false;
  double total_ = 0;
  Point last_;
  // When the last change of the count was seen.
  double change_age_ = 0;
  // Until the first progress: when the task began to run, and the last point at which nothing was done.
  double run_age_ = 0;
  Point idle_;
  // From the first progress on: where it began, a recent point, and the one that will be the recent one next.
  bool progressing_ = false;
  Point origin_;
  Point recent_;
  Point next_recent_;
  // The longest standstill, in items.
  double standstill_ = 0;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_PACE_PROGRESS_HISTORY_H_
