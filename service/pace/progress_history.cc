#include "service/pace/progress_history.h"

#include <algorithm>
#include <cmath>

namespace taskwatch {
namespace {

// How much longer than up to the next recent point a task must have run for that point to become the recent one.
constexpr double kRecentStep = 1.6;
// Powers of the time that progress is believed to follow: outside of them it is noise.
constexpr double kMinPower = 0.6;
constexpr double kMaxPower = 3;
// The doubt that remains of any estimate, and what is added while there is no recent point to compare with.
constexpr double kLeastDoubt = 0.25;
constexpr double kDoubtOfOneRate = 0.3;
// What a standstill's items add to the one item by which any count may be wrong.
constexpr double kStandstillWeight = 0.5;
// Keeps a run from having taken no time at all.
constexpr double kLeastRunSeconds = 0.001;

double DoneItems(const TaskInfo& info) {
  const double done = static_cast<double>(info.succeeded_count.value_or(0)) +  // Sums of wrong counts would overflow.
                      static_cast<double>(info.failed_count.value_or(0));
  return std::max(0.0, done);
}

}  // namespace

ProgressHistory::ProgressHistory(const TaskSnapshot& snapshot) {
  first_time_ = std::min(snapshot.first_observe_time, snapshot.observe_time);
  Restart({absl::ToDoubleSeconds(snapshot.observe_time - *first_time_), DoneItems(snapshot.info)});
  Observe(snapshot.observe_time, snapshot.info);
}

void ProgressHistory::Restart(const Point& point) {
  last_ = idle_ = point;
  run_age_ = change_age_ = point.age;
  progressing_ = false;
}

void ProgressHistory::Observe(absl::Time time, const TaskInfo& info) {
  const bool first = empty();
  if (first) first_time_ = time;
  const Point point{std::max(last_.age, absl::ToDoubleSeconds(time - *first_time_)), DoneItems(info)};
  const bool was_waiting = waiting_;
  waiting_ = info.state == TaskState::kWaiting;
  total_ = static_cast<double>(info.total_count.value_or(0));
  if (first || waiting_ || point.done < last_.done) return Restart(point);
  // It began to run at some time between the two answers.
  if (was_waiting) run_age_ = (last_.age + point.age) / 2;
  if (point.done > last_.done) {
    if (!progressing_) {
      Begin(point);
    } else {
      standstill_ = std::max(standstill_, ItemsIn(last_.age - change_age_));
    }
    if (point.age - origin_.age >= kRecentStep * (next_recent_.age - origin_.age)) {
      recent_ = next_recent_;
      next_recent_ = point;
    }
    change_age_ = point.age;
  } else if (!progressing_) {
    idle_ = point;
  }
  last_ = point;
}

void ProgressHistory::Begin(const Point& point) {
  progressing_ = true;
  standstill_ = 0;
  // With the run, unless it stood idle for so long that a steady task would have done its first item by then.
  const double items = point.done - idle_.done;
  double begin = run_age_;
  if (items > 1) begin = std::max(begin, point.age - (point.age - idle_.age) * items / (items - 1));
  origin_ = {std::min(begin, point.age - kLeastRunSeconds), idle_.done};
  recent_ = next_recent_ = origin_;
}

double ProgressHistory::ItemsIn(double seconds) const {
  return seconds * (last_.done - origin_.done) / (change_age_ - origin_.age);
}

std::optional<absl::Duration> ProgressHistory::complete_for() const {
  if (waiting_ || !counted() || last_.done < total_) return std::nullopt;
  return absl::Seconds(last_.age - change_age_);
}

std::optional<FinishEstimate> ProgressHistory::EstimateFinish() const {
  if (!progressing_ || !counted() || last_.done >= total_) return std::nullopt;
  const double run = last_.age - origin_.age;
  const double done = last_.done - origin_.done;
  const double recent_run = recent_.age - origin_.age;
  const double recent_done = recent_.done - origin_.done;
  double power = 1;
  double doubt = kLeastDoubt;
  double counted_items = done;
  if (recent_done > 0) {
    power = std::clamp(std::log(done / recent_done) / std::log(run / recent_run), kMinPower, kMaxPower);
    counted_items = done - recent_done;
  } else {
    doubt += kDoubtOfOneRate;
  }
  const double standstill = std::max(standstill_, ItemsIn(last_.age - change_age_));
  doubt += (1 + kStandstillWeight * standstill) / counted_items;
  const double whole = (total_ - origin_.done) / done;
  return FinishEstimate{absl::Seconds(run * (std::pow(whole, 1 / power) - 1)), doubt, absl::Seconds(run)};
}

}  // namespace taskwatch
