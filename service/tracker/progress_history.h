// What has been seen of one task's progress, and when it may end.
#ifndef TASKWATCH_SERVICE_TRACKER_PROGRESS_HISTORY_H_
#define TASKWATCH_SERVICE_TRACKER_PROGRESS_HISTORY_H_

#include <optional>

#include "absl/time/time.h"

#include "service/task/task_info.h"

namespace taskwatch {

// A guess at how long a task still takes.
struct FinishEstimate {
  absl::Duration remaining;
  // By what part of `remaining` it may well be wrong; 1 or more says that it is worth little.
  double doubt = 0;
  // How long the task has run, as far as it was seen: a guess does not reach much further ahead than it has looked
  // back.
  absl::Duration evidence;
};

// A summary of fixed size (some 150 bytes), fed with every answer about one task. A value; reads no clock.
//
// An estimate comes from three points of the task's way: where its items began to be done, a recent one and the last.
// Between them the progress is taken to follow a power of the time: the power 1 is a steady task, more is one that gets
// faster. Doubt comes from counting in whole items, from having seen little, and from standstills: what has stood still
// while so many items should have been done may do so again, or do them all at once.
class ProgressHistory {
 public:
  ProgressHistory() = default;
  // Takes up a task of which only this is known any more: its age counts, its earlier progress is forgotten.
  explicit ProgressHistory(const TaskSnapshot& snapshot);

  // Takes in an answer. Answers come in the order of time; a clock that was set back stands still.
  void Observe(absl::Time time, const TaskInfo& info);

  bool empty() const { return !first_time_.has_value(); }
  // From the first answer to the last.
  absl::Duration age() const { return absl::Seconds(last_.age); }
  bool waiting() const { return waiting_; }
  // Whether there are items whose counts can tell of progress before the end.
  bool counted() const { return total_ > 1; }
  // Since when, if so, all items are done although the task has not ended.
  std::optional<absl::Duration> complete_for() const;
  // None if no progress has been seen yet, or all items are done.
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

#endif  // TASKWATCH_SERVICE_TRACKER_PROGRESS_HISTORY_H_
