#include "service/quota/circuit_breaker.h"

#include <algorithm>

#include "service/quota/billing_month.h"
#include "service/runtime/growing_pause.h"

namespace taskwatch {
namespace {

constexpr double kJitter = 0.1;
// For a refusal that asks for a pause and does not say how long.
constexpr absl::Duration kDefaultPause = absl::Minutes(1);

// What an outage is: so many calls in a row. The tasks are as many as Streak has room for.
constexpr int kFailuresOfOutage = 5;

// About how long a probe takes.
constexpr absl::Duration kProbeTime = absl::Seconds(1);
constexpr absl::Duration kLongestProbe = absl::Minutes(1);

// What a failed call says of the app.
enum class Meaning {
  // That DingTalk serves the app; the reason is the task's own.
  kWell,
  kPause,
  kFault,
  // That the token was an old one.
  kOldToken,
  // Nothing, unless it is not alone.
  kFailure,
};

Meaning MeaningOf(const ErrorDetails& details) {
  if (details.persistence == Persistence::kPaused) return Meaning::kPause;
  switch (details.reason) {
    case ErrorReason::kUpstreamRateLimited:
      return Meaning::kPause;
    case ErrorReason::kUpstreamPermissionDenied:
    case ErrorReason::kUpstreamUntrusted:
      return Meaning::kFault;
    case ErrorReason::kUpstreamUnauthenticated:
      return details.persistence == Persistence::kPermanent ? Meaning::kFault : Meaning::kOldToken;
    default:
      return details.persistence == Persistence::kTransient ? Meaning::kFailure : Meaning::kWell;
  }
}

// How long DingTalk asks for a pause; zero if it does not.
absl::Duration PauseAskedFor(const ErrorDetails& details, absl::Time now) {
  if (details.persistence != Persistence::kPaused) return details.retry_after.value_or(absl::ZeroDuration());
  const bool month = details.reason == ErrorReason::kMonthlyQuotaExhausted;
  return details.retry_after.value_or(month ? RetryAfterMonthlyRefusal(now) : kDefaultPause);
}

}  // namespace

absl::Duration CircuitBreaker::WaitAt(absl::Time now) const {
  if (!open()) return absl::ZeroDuration();
  const bool probing = probe_ != 0 && now - probe_start_ < kLongestProbe;
  return std::max(until_ - now, probing ? kProbeTime : absl::ZeroDuration());
}

void CircuitBreaker::BeginProbe(uint64_t id, absl::Time now) {
  probe_ = id;
  probe_start_ = now;
  ++probes_;
}

void CircuitBreaker::Report(uint64_t id, uint64_t task, const absl::Status& outcome, const ErrorDetails& details,
                            absl::Time now) {
  if (outcome.ok()) return ReportSuccess(id);
  const bool probed = IsProbe(id);
  if (probed) probe_ = 0;
  // The probe is still to be made.
  if (details.not_asked) return;
  const Meaning meaning = MeaningOf(details);
  if (meaning == Meaning::kFailure) return OnTransientFailure(task, outcome, probed, now);
  streak_ = Streak();
  switch (meaning) {
    case Meaning::kFailure:
      break;
    case Meaning::kWell:
      if (probed || cause_ == Cause::kOutage) Close();
      break;
    case Meaning::kPause:
      Open(Cause::kPause, outcome, details, probed, now);
      break;
    case Meaning::kFault:
      Open(Cause::kApp, outcome, details, probed, now);
      break;
    case Meaning::kOldToken:
      OnOldToken(outcome, details, probed, now);
      break;
  }
}

void CircuitBreaker::ReportSuccess(uint64_t id) {
  streak_ = Streak();
  if (IsProbe(id) || cause_ == Cause::kOutage) Close();
}

void CircuitBreaker::OnOldToken(const absl::Status& outcome, ErrorDetails details, bool probed, absl::Time now) {
  if (!open()) {
    cause_ = Cause::kPause;
    error_ = outcome;
    until_ = now;
  } else if (probed && !repeated_) {
    repeated_ = true;
  } else if (probed) {
    // Each of the two was the newest token at its time.
    details.persistence = Persistence::kPermanent;
    Open(Cause::kApp, MakeError(details, outcome.message()), details, probed, now);
  }
}

void CircuitBreaker::OnTransientFailure(uint64_t task, const absl::Status& outcome, bool probed, absl::Time now) {
  // It says nothing of the new token; if there is an outage, others will tell.
  if (probed && failures_ == 0) Close();
  if (open()) {
    // Calls that were made before are late to tell what is known.
    if (probed) Open(Cause::kOutage, outcome, ErrorDetails(), probed, now);
    return;
  }
  ++streak_.failures;
  const auto end = streak_.task.begin() + streak_.tasks;
  if (streak_.tasks < streak_.task.size() && std::find(streak_.task.begin(), end, task) == end) {
    streak_.task[streak_.tasks++] = task;
  }
  if (streak_.failures < kFailuresOfOutage || streak_.tasks < streak_.task.size()) return;
  Open(Cause::kOutage, outcome, ErrorDetails(), probed, now);
}

void CircuitBreaker::Close() {
  cause_ = Cause::kNone;
  error_ = absl::OkStatus();
  until_ = absl::InfinitePast();
  failures_ = 0;
  probe_ = 0;
  repeated_ = false;
  streak_ = Streak();
}

void CircuitBreaker::Open(Cause cause, const absl::Status& error, const ErrorDetails& details, bool probed,
                          absl::Time now) {
  // Calls that were made together are refused together: only a probe's failure says that it goes on.
  // An old token opens it without a failure.
  const bool known = failures_ > 0 && !probed;
  if (!known) ++failures_;
  absl::Duration pause = PauseAskedFor(details, now);
  if (details.persistence != Persistence::kPaused) pause = std::max(pause, GrownPause());
  // Of two pauses the one that ends later counts.
  if (now + pause <= until_) return;
  cause_ = cause;
  error_ = error;
  until_ = now + pause;
  repeated_ = false;
}

absl::Duration CircuitBreaker::GrownPause() {
  const double jitter = std::uniform_real_distribution<double>(0, kJitter)(random_);
  return std::min(GrowingPause(failures_) * (1 + jitter), kLongestGrowingPause);
}

}  // namespace taskwatch
