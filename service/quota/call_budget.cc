#include "service/quota/call_budget.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "service/quota/billing_month.h"
#include "service/task/task_error.h"

namespace taskwatch {
namespace {

// Shorter pauses are waited for in the queue; longer ones are for the caller to decide.
constexpr absl::Duration kLongestHeldPause = absl::Seconds(5);
// How soon to look again whether a DingTalk that hangs has answered, if nothing is reported.
constexpr absl::Duration kLookAgain = absl::Seconds(1);

// Whole seconds, so that nobody comes back a moment too early.
absl::Duration RoundedUp(absl::Duration duration) {
  return std::max(absl::Ceil(duration, absl::Seconds(1)), absl::Seconds(1));
}

// An error with `details`, which says that DingTalk was not asked and when to come again.
absl::Status NotAsked(ErrorDetails details, absl::Duration retry_after, absl::string_view message) {
  details.retry_after = RoundedUp(retry_after);
  details.not_asked = true;
  return MakeError(details, message);
}

absl::Status Paused(ErrorReason reason, absl::Duration retry_after, absl::string_view message) {
  ErrorDetails details;
  details.reason = reason;
  details.persistence = Persistence::kPaused;
  return NotAsked(std::move(details), retry_after, message);
}

bool IsTooFast(const ErrorDetails& details) {
  return details.reason == ErrorReason::kUpstreamRateLimited && details.persistence == Persistence::kTransient;
}

// Whether DingTalk certainly does not count a call that failed so.
bool IsFree(const ErrorDetails& details) {
  if (details.not_asked || details.reason == ErrorReason::kUpstreamUntrusted) return true;
  if (details.reason != ErrorReason::kUpstreamRateLimited || details.http_status != 403) return false;
  const std::string code = absl::AsciiStrToLower(details.upstream_code);
  return absl::StrContains(code, "qpslimit") || absl::StrContains(code, "qpmlimit");
}

uint64_t HashOf(absl::string_view task_id) { return absl::Hash<absl::string_view>()(task_id); }

}  // namespace

void CallBudget::OpenMonth(absl::CivilMonth month, int64_t calls) {
  month_.Open(month, calls);
  pacer_.Reset();
  if (ReasonOf(breaker_.error()) == ErrorReason::kMonthlyQuotaExhausted) breaker_.Close();
}

void CallBudget::ObserveTime(absl::Time now) {
  const absl::Duration back = latest_ - now;
  latest_ = now;
  if (back <= absl::ZeroDuration()) return;
  rate_.ShiftBack(back);
  month_.ShiftBack(back);
  pacer_.ShiftBack(back);
  breaker_.ShiftBack(back);
  in_flight_.ShiftBack(back);
}

absl::Status CallBudget::Check(Priority priority, absl::Time now) const {
  const absl::Duration wait = breaker_.WaitAt(now);
  if (wait > (breaker_.pausing() ? kLongestHeldPause : absl::ZeroDuration())) {
    ErrorDetails details = DetailsOf(breaker_.error());
    const bool holds = priority != Priority::kToken || details.persistence == Persistence::kPaused;
    if (breaker_.pausing()) details.persistence = Persistence::kPaused;
    if (holds) return NotAsked(std::move(details), wait, breaker_.error().message());
  }
  if (month_.UsedUp()) {
    return Paused(
        ErrorReason::kMonthlyQuotaExhausted, UntilNextMonth(now),
        absl::StrCat("all ", month_.limit(), " calls of this month are used up until the next one begins in China"));
  }
  return absl::OkStatus();
}

absl::Status CallBudget::AdmitPoll(absl::string_view task_id, absl::Time now) {
  ObserveTime(now);
  if (absl::Status refusal = Check(Priority::kPoll, now); !refusal.ok() || !month_.limited()) return refusal;
  const absl::Duration wait = pacer_.Admit(task_id, month_, now);
  if (wait == absl::ZeroDuration()) return absl::OkStatus();
  return Paused(ErrorReason::kPollDeferred, std::min(wait, UntilNextMonth(now)), PacingMessage(now));
}

absl::Time CallBudget::NextPermit(Priority priority, absl::Time now) const {
  if (priority == Priority::kToken) return now;
  const absl::Duration hang = in_flight_.HaveRoomAt(now) ? absl::ZeroDuration() : kLookAgain;
  return std::max(now + std::max(breaker_.WaitAt(now), hang), rate_.NextPermit(now));
}

absl::Time CallBudget::PermitAfter(int64_t calls_ahead, absl::Time now) const {
  return NextPermit(Priority::kCaller, now) + rate_.DelayBehind(calls_ahead, now);
}

void CallBudget::Count(CallId id, Priority priority, absl::string_view task_id, absl::Time now) {
  ObserveTime(now);
  month_.Count(priority, now);
  in_flight_.Add(id, {priority, HashOf(task_id), month(), now});
  if (priority == Priority::kToken) return;
  rate_.Consume(now);
  breaker_.OnCall(id, now);
}

bool CallBudget::Report(CallId id, const absl::Status& outcome, absl::Time now) {
  ObserveTime(now);
  if (outcome.ok()) return ReportSuccess(id, now);
  ReportError(id, outcome, DetailsOf(outcome), now);
  return true;
}

bool CallBudget::ReportSuccess(CallId id, absl::Time now) {
  const bool held_back = breaker_.open() || !in_flight_.HaveRoomAt(now);
  const std::optional<CallsInFlight::Call> call = in_flight_.Remove(id);
  if (!call.has_value() || call->priority == Priority::kToken) return held_back;
  in_flight_.NoteAnswer(now);
  breaker_.ReportSuccess(id);
  return held_back;
}

void CallBudget::ReportError(CallId id, const absl::Status& error, const ErrorDetails& details, absl::Time now) {
  const std::optional<CallsInFlight::Call> call = in_flight_.Remove(id);
  if (call.has_value() && call->month == month() && IsFree(details)) {
    month_.GiveBack(call->priority);
    ++given_back_;
  }
  // Of another API, or not of this budget: such a call tells of pauses only, which hold for all.
  const bool about_task = call.has_value() && call->priority != Priority::kToken;
  if (!about_task && (details.persistence != Persistence::kPaused || details.not_asked)) return;
  if (about_task && details.http_status != 0 && !details.not_asked) in_flight_.NoteAnswer(now);
  // A probe is alone: not the rate of our calls is what DingTalk refuses.
  if (IsTooFast(details) && !details.not_asked && !breaker_.IsProbe(id)) rate_.BackOff(now);
  breaker_.Report(about_task ? id : 0, about_task ? call->task : 0, error, details, now);
}

CallBudget::Stats CallBudget::StatsAt(absl::Time now) const {
  Stats stats;
  stats.month = month();
  stats.calls = calls();
  stats.monthly_calls = month_.limit();
  if (month_.limited()) stats.left_for_polls = static_cast<int64_t>(month_.LeftForPolls(now));
  stats.slowdown = Slowdown(now);
  stats.full_rate = options_.qps;
  stats.rate = rate_.RateAt(now);
  stats.calls_out = in_flight_.size();
  stats.probes = breaker_.probes();
  stats.given_back = given_back_;
  if (breaker_.open()) {
    stats.restraint = breaker_.pausing() ? Restraint::kPaused : Restraint::kFailing;
    stats.reason = std::string(breaker_.error().message());
    stats.until = now + breaker_.WaitAt(now);
  } else if (month_.UsedUp()) {
    stats.restraint = Restraint::kUsedUp;
    stats.reason = "this month's calls (--upstream_monthly_calls) are used up";
    stats.until = now + UntilNextMonth(now);
  } else if (pacer_.PacesAt(month_.AheadOfPlan(now))) {
    stats.restraint = Restraint::kPaced;
    stats.reason = PacingMessage(now);
  }
  return stats;
}

std::string CallBudget::PacingMessage(absl::Time now) const {
  return absl::StrCat("of this month's calls ", month_.Left(), " are left; polls go on, one every ",
                      absl::FormatDuration(RoundedUp(month_.PollInterval(now))), " on average");
}

}  // namespace taskwatch
