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

// When to ask again after DingTalk has said, as it is told at `now`, that the month is used up: in whole seconds, when
// the next month begins. But what is told within 10 minutes after a month has begun is about the month before: clocks
// differ, answers take their time, and a token provider believes in a refusal for up to 5 minutes. Taken for the new
// month's it would cost all of that month, so then it is a minute. Pure.
absl::Duration RetryAfterMonthlyRefusal(absl::Time now);

// The share of its month that is over at `now`, in [0, 1). Pure.
double ShareOfMonth(absl::Time now);

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_QUOTA_BILLING_MONTH_H_
