// The pause that DingTalk asks for.
#ifndef TASKWATCH_SERVICE_QUOTA_UPSTREAM_PAUSE_H_
#define TASKWATCH_SERVICE_QUOTA_UPSTREAM_PAUSE_H_

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace taskwatch {

// One pause at a time: a second for the rate, a minute, 300 s for a banned address, the rest of the month.
//
// Pure logic: time is an argument, and must not run backwards without ShiftBack.
class UpstreamPause {
 public:
  // No call is to be made for `length`, because of `refusal`. Of two pauses the one that ends later counts.
  void Begin(const absl::Status& refusal, absl::Duration length, absl::Time now);

  // Makes calls possible again.
  void End() { *this = UpstreamPause(); }

  // How long it still lasts; not more than zero if there is none.
  absl::Duration LeftAt(absl::Time now) const { return start_ + length_ - now; }

  // The refusal that it is for; OK if there was none.
  const absl::Status& refusal() const { return refusal_; }

  // The clock was set back by `back`; so is all that is remembered.
  void ShiftBack(absl::Duration back) { start_ -= back; }

 private:
  absl::Status refusal_;
  absl::Time start_ = absl::InfinitePast();
  absl::Duration length_ = absl::ZeroDuration();
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_QUOTA_UPSTREAM_PAUSE_H_
