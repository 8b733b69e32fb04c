// How many calls a month may be made, and how polls and callers share them.
#ifndef TASKWATCH_SERVICE_QUOTA_MONTHLY_QUOTA_H_
#define TASKWATCH_SERVICE_QUOTA_MONTHLY_QUOTA_H_

#include <cstdint>

#include "absl/time/civil_time.h"
#include "absl/time/time.h"

#include "service/task/priority.h"

namespace taskwatch {

// Counts the month's calls, and plans how polls spend what is left of them: evenly over what is left of the month.
// Callers keep the reserve, or what they will take if they go on as they did this month, whichever is more; but polls
// have at least half of what is left. Of 5,000 calls with a reserve of 0.1, polls have 4,500 on the first day. If
// callers then take 50 a day, polls have 5,000 - 150 - 27 * 50 = 3,500 after three days.
//
// As far as polls are ahead of that plan they are to slow down. Three quarters of their calls spent by the middle of
// the month is 2.08 times ahead, with 2 % of the month kept back for its last hours; the intervals between polls are
// then multiplied by Slowdown(), the fourth power of that: 18.7.
//
// Pure logic: time is an argument.
class MonthlyQuota {
 public:
  // `limit` 0: no limit; calls are counted all the same. `reserve` is the share of the limit that is kept for callers.
  MonthlyQuota(int64_t limit, double reserve) : limit_(limit), reserve_(reserve) {}

  // From now on `month` is counted, beginning at `calls`.
  void Open(absl::CivilMonth month, int64_t calls);

  // A call is made.
  void Count(Priority priority, absl::Time now);

  // A call that was counted in this month was for nothing, and DingTalk does not count it.
  void GiveBack(Priority priority);

  absl::CivilMonth month() const { return month_; }
  // Those made in it.
  int64_t calls() const { return calls_; }
  int64_t limit() const { return limit_; }
  bool limited() const { return limit_ > 0; }
  bool UsedUp() const { return limited() && Left() <= 0; }

  // The rest is for a quota with a limit only.

  int64_t Left() const { return limit_ - calls_; }
  // How many of these polls may take; at least one while any is left.
  double LeftForPolls(absl::Time now) const;
  // The time between two polls that spend them evenly.
  absl::Duration PollInterval(absl::Time now) const;

  // What is left of the month, over what is left for polls, both as shares of the whole: 1 is as planned, 2 means that
  // the calls left last for half of the time left. 0 without a limit.
  double AheadOfPlan(absl::Time now) const;
  // The factor by which the intervals between polls are to be multiplied, from 1 to 100. 1 without a limit.
  double Slowdown(absl::Time now) const;

  // The clock was set back by `back`; so is all that is remembered.
  void ShiftBack(absl::Duration back) { counted_since_ -= back; }

 private:
  // How many calls are to be left to callers.
  double KeptForCallers(absl::Time now) const;

  const int64_t limit_;
  const double reserve_;

  absl::CivilMonth month_;
  int64_t calls_ = 0;
  // Those of them that were not polls, as far as they were made since this process counts the month.
  int64_t calls_of_callers_ = 0;
  absl::Time counted_since_ = absl::InfiniteFuture();
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_QUOTA_MONTHLY_QUOTA_H_
