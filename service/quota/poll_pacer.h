// Which poll may go next, when there are fewer calls than polls.
#ifndef TASKWATCH_SERVICE_QUOTA_POLL_PACER_H_
#define TASKWATCH_SERVICE_QUOTA_POLL_PACER_H_

#include <cstddef>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "service/quota/monthly_quota.h"

namespace taskwatch {

// Lets polls go one by one while they are far ahead of the month's plan: from 1.5 times on, until they are 1.2 times
// ahead. They are admitted at MonthlyQuota::PollInterval, evenly, from a bucket with room for a tenth of what polls may
// still take.
//
// A poll that finds the bucket empty gets a number, as at a counter, and may go once that number is served. With 100
// polls waiting and 53 minutes between two of them, the last one's turn is in 3.7 days. It is told to come again after
// a quarter of that, since the wait may turn out shorter, and keeps its number meanwhile.
//
// Pure logic: time is an argument, and must not run backwards without ShiftBack.
class PollPacer {
 public:
  // Whether polls are paced when they are so far ahead (MonthlyQuota::AheadOfPlan).
  bool PacesAt(double ahead_of_plan) const;

  // Asks for the next poll of `task_id`. Zero: it is to be made now. Else the time after which to ask again; until it
  // is admitted the task keeps its number. `quota` must have a limit, and a call left.
  absl::Duration Admit(absl::string_view task_id, const MonthlyQuota& quota, absl::Time now);

  // How many tasks have a number.
  size_t waiting() const { return numbers_.size(); }

  // Paces no more, and forgets all numbers.
  void Reset();

  // The clock was set back by `back`; so is all that is remembered.
  void ShiftBack(absl::Duration back) { served_at_ -= back; }

 private:
  void StartOrStop(const MonthlyQuota& quota, absl::Time now);
  // The number of `task_id`; gives it the next one if it has none.
  double NumberOf(absl::string_view task_id);
  void ForgetOldNumbers();

  bool pacing_ = false;
  // The number that is being served, as of `served_at_`: it grows by one in each interval. As far as nobody waits it is
  // ahead of the last number given out; that is what is in the bucket.
  double serving_ = 0;
  absl::Time served_at_ = absl::InfinitePast();
  double last_number_ = 0;
  absl::flat_hash_map<std::string, double> numbers_;
  size_t forget_from_ = 1000;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_QUOTA_POLL_PACER_H_
