#include "service/pace/error_streak.h"

#include <algorithm>

namespace taskwatch {

Persistence ErrorStreak::Add(const absl::Status& error, const ErrorDetails& details, absl::Time now) {
  Persistence persistence = details.persistence;
  if (persistence == Persistence::kDoubtful) {
    const bool again = !details.not_asked && !doubtful_.ok() && FailAlike(doubtful_, error);
    persistence = again ? Persistence::kPermanent : Persistence::kTransient;
  }
  // What was refused without a call says nothing new of the upstream.
  if (!details.not_asked) {
    doubtful_ = details.persistence == Persistence::kDoubtful ? error : absl::OkStatus();
    ++length_;
  }
  last_error_ = error;
  retry_after_ = details.retry_after;
  put_off_ = details.not_asked || (persistence == Persistence::kPaused && details.retry_after.has_value());
  if (persistence == Persistence::kTransient) {
    // Not later than now, should the clock have been set back.
    transient_since_ = std::min(transient_since_.value_or(now), now);
  } else {
    transient_since_.reset();
  }
  return persistence;
}

absl::Duration ErrorStreak::TransientFor(absl::Time now) const {
  return transient_since_.has_value() ? now - *transient_since_ : absl::ZeroDuration();
}

}  // namespace taskwatch
