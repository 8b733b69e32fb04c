#include "tests/simulation/recorded_gate.h"

#include <memory>

#include "service/quota/billing_month.h"
#include "service/task/task_error.h"

namespace taskwatch::simulation {
namespace {

constexpr absl::Duration kShortestPause = absl::Seconds(1);

// Whether `details` of a failed call say that the app is at fault, or too fast, whichever task is asked about.
bool IsAppWide(const ErrorDetails& details) {
  // The month's end depends on two clocks, of which one may be wrong.
  if (details.reason == ErrorReason::kMonthlyQuotaExhausted) return false;
  if (details.persistence == Persistence::kPaused) return true;
  return details.reason == ErrorReason::kUpstreamPermissionDenied ||
         details.reason == ErrorReason::kUpstreamUntrusted || details.reason == ErrorReason::kUpstreamRateLimited ||
         (details.reason == ErrorReason::kUpstreamUnauthenticated && details.persistence == Persistence::kPermanent);
}

// The shortest pause after a refusal with `details`.
absl::Duration PauseAfter(const ErrorDetails& details) {
  return details.persistence == Persistence::kPaused ? details.retry_after.value_or(kShortestPause) : kShortestPause;
}

}  // namespace

CallGate::RequestId RecordedGate::Acquire(CallRequest request, Done done) {
  // Known when Acquire returns, which is before the answer.
  auto id = std::make_shared<RequestId>(0);
  const Priority priority = request.priority;
  std::string task_id = request.task_id;
  *id = gate_->Acquire(std::move(request), [this, id, priority, task_id = std::move(task_id),
                                            done = std::move(done)](const absl::Status& permit) mutable {
    if (permit.ok()) OnPermit(*id, priority, task_id);
    done(permit);
  });
  return *id;
}

void RecordedGate::Report(RequestId id, const absl::Status& outcome) {
  if (id != 0 && out_.erase(id) == 0) {
    journal_->Break(Invariant::kSlotsAreFree, "the outcome of call ", id, ", which has no permit, is reported");
  }
  if (token_calls_.erase(id) == 0 && id != 0) Learn(id, outcome);
  gate_->Report(id, outcome);
}

void RecordedGate::Learn(RequestId id, const absl::Status& outcome) {
  const ErrorDetails details = DetailsOf(outcome);
  const bool probed = trouble_.has_value() && trouble_->probe == id;
  if (probed) trouble_->probe = 0;
  // The probe was not made after all.
  if (details.not_asked) return;
  const bool app_wide = !outcome.ok() && IsAppWide(details);
  const bool transient = !outcome.ok() && details.persistence == Persistence::kTransient;
  if (!app_wide && !transient) {
    trouble_.reset();
  } else if (!trouble_.has_value()) {
    if (!app_wide) return;
    trouble_ = {loop_->Elapsed() + PauseAfter(details), 0, MonthOf(loop_->Now())};
  } else if (probed) {
    // A probe with an old token is repeated at once with a new one.
    if (details.reason == ErrorReason::kUpstreamUnauthenticated && transient) return;
    trouble_->pause_end = loop_->Elapsed() + PauseAfter(details);
  }
}

void RecordedGate::OnPermit(RequestId id, Priority priority, const std::string& task_id) {
  out_.insert(id);
  if (priority == Priority::kToken) {
    token_calls_.insert(id);
    return;
  }
  if (!is_wanted_(task_id)) {
    journal_->Break(Invariant::kCallsAreWanted, "a call about ", task_id, " is made for nobody");
  }
  // Pauses and probes are timed by the wall clock: once it has been set, nothing is known of them.
  const bool timed = loop_->clock_changes() == 0;
  if (trouble_.has_value() && (!timed || trouble_->month != MonthOf(loop_->Now()))) trouble_.reset();
  if (!trouble_.has_value()) return;
  journal_->Count("probes");
  if (trouble_->probe != 0) {
    journal_->Break(Invariant::kOneProbePerPause, "call ", id, " is made while call ", trouble_->probe, " probes");
  } else if (loop_->Elapsed() < trouble_->pause_end) {
    journal_->Break(Invariant::kOneProbePerPause, "call ", id, " is made ",
                    absl::FormatDuration(trouble_->pause_end - loop_->Elapsed()), " before the pause is over");
  }
  trouble_->probe = id;
}

}  // namespace taskwatch::simulation
