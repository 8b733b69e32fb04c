// The month by which DingTalk counts an organisation's calls.
#ifndef TASKWATCH_SERVICE_UPSTREAM_NATURAL_MONTH_H_
#define TASKWATCH_SERVICE_UPSTREAM_NATURAL_MONTH_H_

#include "absl/time/time.h"

namespace taskwatch {

// How long from `now` until the next natural month begins in China (UTC+8, no summer time): when a used-up monthly
// quota is full again. More than zero. Pure.
absl::Duration UntilNextMonth(absl::Time now);

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_UPSTREAM_NATURAL_MONTH_H_
