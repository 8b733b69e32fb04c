#include "service/tracker/error_streak.h"

#include <algorithm>

namespace taskwatch {

void ErrorStreak::Add(const absl::Status& error, const ErrorDetails& details, absl::Time now) {
  ++length_;
  last_error_ = error;
  retry_after_ = details.retry_after;
  if (details.persistence == Persistence::kTransient) {
    // Not later than now, should the clock have been set back.
    transient_since_ = std::min(transient_since_.value_or(now), now);
  } else {
    transient_since_.reset();
  }
}

absl::Duration ErrorStreak::TransientFor(absl::Time now) const {
  return transient_since_.has_value() ? now - *transient_since_ : absl::ZeroDuration();
}

}  // namespace taskwatch
