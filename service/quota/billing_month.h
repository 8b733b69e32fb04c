// The month by which DingTalk counts an organisation's calls.
#ifndef TASKWATCH_SERVICE_QUOTA_BILLING_MONTH_H_
#define TASKWATCH_SERVICE_QUOTA_BILLING_MONTH_H_

#include "absl/time/civil_time.h"
#include "absl/time/time.h"

namespace taskwatch {

// The natural month that it is in China (UTC+8, no summer time) at `now`. Pure.
absl::CivilMonth MonthOf(absl::Time now);

// How long from `now` until the next natural month begins in China: when a used-up monthly quota is full again. More
// than zero. Pure.
absl::Duration UntilNextMonth(absl::Time now);

// The share of its month that is over at `now`, in [0, 1). Pure.
double ShareOfMonth(absl::Time now);

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_QUOTA_BILLING_MONTH_H_
