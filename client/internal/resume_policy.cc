#include "client/internal/resume_policy.h"

#include <algorithm>

#include "taskwatch/client/rpc_status.h"

namespace taskwatch::client {

ResumePolicy::ResumePolicy(const Options& options, uint64_t seed, absl::Time start)
    : options_(options), start_(start), random_(seed) {}

void ResumePolicy::OnAnswer() {
  OnContact();
  failures_ = 0;
  unexplained_failures_ = 0;
}

std::optional<absl::Duration> ResumePolicy::DelayAfter(const absl::Status& failure, absl::Time now) {
  if (IsPermanent(failure)) return std::nullopt;
  const absl::Duration asked = std::max(RetryDelayOf(failure).value_or(absl::ZeroDuration()), absl::ZeroDuration());
  const absl::Duration delay = asked + DrawDelay();
  const bool out_of_reach = !contact_ && ErrorReasonOf(failure).empty();
  if (out_of_reach && now + delay - start_ > options_.first_contact_limit) return std::nullopt;
  ++failures_;
  return delay;
}

absl::Duration ResumePolicy::DrawDelay() {
  // Beyond 2^30 the cap counts anyway.
  const absl::Duration bound =
      std::min(options_.max_delay, options_.base_delay * (int64_t{1} << std::min(failures_, 30)));
  return bound * std::uniform_real_distribution<double>(0, 1)(random_);
}

bool ResumePolicy::IsPermanent(const absl::Status& failure) {
  const bool explained = !ErrorReasonOf(failure).empty();
  switch (failure.code()) {
    case absl::StatusCode::kUnavailable:
      return false;
    case absl::StatusCode::kResourceExhausted: {
      const std::optional<absl::Duration> asked = RetryDelayOf(failure);
      if (explained) return !asked.has_value() || *asked > options_.max_retry_delay;
      break;
    }
    case absl::StatusCode::kOk:  // A stream that ended before the task did.
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kInternal:
      if (explained) return true;
      break;
    default:
      return true;
  }
  return ++unexplained_failures_ > options_.max_unexplained_failures;
}

}  // namespace taskwatch::client
