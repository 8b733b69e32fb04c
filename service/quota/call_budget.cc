#include "service/quota/call_budget.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "service/quota/billing_month.h"
#include "service/task/task_error.h"

namespace taskwatch {
namespace {

// Shorter pauses are waited for in the queue; longer ones are for the caller to decide.
constexpr absl::Duration kLongestHeldPause = absl::Seconds(5);
// For a refusal that does not say how long to wait.
constexpr absl::Duration kDefaultPause = absl::Minutes(1);

// Whole seconds, so that nobody comes back a moment too early.
absl::Duration RoundedUp(absl::Duration duration) {
  return std::max(absl::Ceil(duration, absl::Seconds(1)), absl::Seconds(1));
}

// An error with `details`, which says that DingTalk was not asked and when to come again.
absl::Status NotAsked(ErrorDetails details, absl::Duration retry_after, absl::string_view message) {
  details.persistence = Persistence::kPaused;
  details.retry_after = RoundedUp(retry_after);
  details.not_asked = true;
  return MakeError(details, message);
}

absl::Status NotAsked(ErrorReason reason, absl::Duration retry_after, absl::string_view message) {
  ErrorDetails details;
  details.reason = reason;
  return NotAsked(std::move(details), retry_after, message);
}

}  // namespace

void CallBudget::OpenMonth(absl::CivilMonth month, int64_t calls) {
  month_.Open(month, calls);
  pacer_.Reset();
  if (ReasonOf(pause_.refusal()) == ErrorReason::kMonthlyQuotaExhausted) pause_.End();
}

void CallBudget::ObserveTime(absl::Time now) {
  const absl::Duration back = latest_ - now;
  latest_ = now;
  if (back <= absl::ZeroDuration()) return;
  rate_.ShiftBack(back);
  month_.ShiftBack(back);
  pacer_.ShiftBack(back);
  pause_.ShiftBack(back);
}

absl::Status CallBudget::Check(absl::Time now) const {
  if (const absl::Duration left = pause_.LeftAt(now); left > kLongestHeldPause) {
    return NotAsked(DetailsOf(pause_.refusal()), left, pause_.refusal().message());
  }
  if (month_.UsedUp()) {
    return NotAsked(
        ErrorReason::kMonthlyQuotaExhausted, UntilNextMonth(now),
        absl::StrCat("all ", month_.limit(), " calls of this month are used up until the next one begins in China"));
  }
  return absl::OkStatus();
}

absl::Status CallBudget::AdmitPoll(absl::string_view task_id, absl::Time now) {
  ObserveTime(now);
  if (absl::Status refusal = Check(now); !refusal.ok() || !month_.limited()) return refusal;
  const absl::Duration wait = pacer_.Admit(task_id, month_, now);
  if (wait == absl::ZeroDuration()) return absl::OkStatus();
  return NotAsked(ErrorReason::kPollDeferred, std::min(wait, UntilNextMonth(now)), PacingMessage(now));
}

absl::Time CallBudget::NextPermit(Priority priority, absl::Time now) const {
  if (priority == Priority::kToken) return now;
  return std::max(now + pause_.LeftAt(now), rate_.NextPermit(now));
}

absl::Time CallBudget::PermitAfter(int64_t calls_ahead, absl::Time now) const {
  return NextPermit(Priority::kCaller, now) + rate_.DelayBehind(calls_ahead, now);
}

void CallBudget::Count(Priority priority, absl::Time now) {
  ObserveTime(now);
  month_.Count(priority, now);
  if (priority != Priority::kToken) rate_.Consume(now);
}

void CallBudget::Report(const absl::Status& outcome, absl::Time now) {
  ObserveTime(now);
  const ErrorDetails details = DetailsOf(outcome);
  if (outcome.ok() || details.not_asked) return;
  const bool too_fast =
      details.reason == ErrorReason::kUpstreamRateLimited && details.persistence == Persistence::kTransient;
  if (!too_fast && details.persistence != Persistence::kPaused) return;
  if (too_fast) rate_.BackOff(now);
  const bool month = details.reason == ErrorReason::kMonthlyQuotaExhausted;
  const absl::Duration length = details.retry_after.value_or(month      ? UntilNextMonth(now)
                                                             : too_fast ? absl::Seconds(1)
                                                                        : kDefaultPause);
  pause_.Begin(outcome, length, now);
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
  if (const absl::Duration left = pause_.LeftAt(now); left > absl::ZeroDuration()) {
    stats.restraint = Restraint::kPaused;
    stats.reason = std::string(pause_.refusal().message());
    stats.until = now + left;
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
