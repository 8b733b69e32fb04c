// How many calls a second may be made.
#ifndef TASKWATCH_SERVICE_QUOTA_RATE_LIMITER_H_
#define TASKWATCH_SERVICE_QUOTA_RATE_LIMITER_H_

#include <cstdint>
#include <deque>
#include <optional>

#include "absl/time/time.h"

namespace taskwatch {

// A token bucket whose rate gives way to refusals. Its tokens are called permits here, since tokens are something else
// in this service: a call takes one, and they come back at the rate. With 18 calls a second there is a permit every 56
// ms, and the bucket holds 1.8 of them (a tenth of a second's, at least one), so that no second, wherever it begins,
// has more than 1.1 * 18 calls.
//
// A refusal cuts the rate to 0.7 of the calls that were really made in the last second: if others use the same app, 10
// calls of ours may have been too many already. It grows back within a minute, in a straight line.
//
// Pure logic: time is an argument, and must not run backwards without ShiftBack.
class RateLimiter {
 public:
  // 0: no limit, except for the minute after a refusal.
  explicit RateLimiter(double calls_per_second) : full_rate_(calls_per_second) {}

  // When the next call may be made: `now`, or later.
  absl::Time NextPermit(absl::Time now) const;

  // How much later than the next one the call is that has `calls_ahead` others before it.
  absl::Duration DelayBehind(int64_t calls_ahead, absl::Time now) const;

  // A call is made. Takes its permit, also where that is not there yet.
  void Consume(absl::Time now);

  // A call was refused for the rate. Of calls that are refused within a second of each other the first counts: they
  // were made at the same rate.
  void BackOff(absl::Time now);

  // Calls per second; 0: no limit.
  double RateAt(absl::Time now) const;

  // The clock was set back by `back`; so is all that is remembered.
  void ShiftBack(absl::Duration back);

 private:
  struct Cut {
    double calls_per_second;
    absl::Time time;
  };

  // Those in the bucket; `rate` is that of `now`, and not 0.
  double PermitsAt(absl::Time now, double rate) const;
  void ForgetCallsBefore(absl::Time time);

  const double full_rate_;
  // As of `filled_`.
  double permits_ = 1;
  absl::Time filled_ = absl::InfinitePast();
  // The calls of the last second.
  std::deque<absl::Time> recent_;
  // The last refusal's.
  std::optional<Cut> cut_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_QUOTA_RATE_LIMITER_H_
