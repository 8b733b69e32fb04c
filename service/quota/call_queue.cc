#include "service/quota/call_queue.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

#include "service/quota/billing_month.h"
#include "service/task/task_error.h"

namespace taskwatch {
namespace {

// Callers that may go one after the other while a poll waits.
constexpr int kCallersPerPoll = 9;
// Who would be left with less than this after its turn would not hear the answer.
constexpr absl::Duration kShortestCall = absl::Milliseconds(100);
// Shares of the month's calls whose spending is told.
constexpr int kPercents[] = {50, 75, 90, 100};

std::string InChina(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S +08:00", time, absl::FixedTimeZone(8 * 60 * 60));
}

}  // namespace

CallQueue::CallQueue(EventLoop* loop, CallLedger* ledger, const Options& options)
    : loop_(loop), ledger_(ledger), options_(options), budget_(options.budget) {
  KeepMonth();
}

CallQueue::~CallQueue() {
  loop_->CancelTimer(timer_);
  if (ledger_ != nullptr && recorded_ != budget_.calls()) {
    ledger_->Record(budget_.month(), budget_.calls(), [](const absl::Status&) {});
  }
}

CallGate::Ticket CallQueue::Ask(Terms terms, Answer answer) {
  KeepMonth();
  const absl::Time now = loop_->Now();
  const Purpose purpose = terms.purpose;
  const absl::Status refusal = budget_.Refusal(purpose, terms.task_id, now);
  if (!refusal.ok()) {
    LogChanges(now);
    Refuse(purpose, refusal, std::move(answer));
    return 0;
  }
  const bool nobody_waits = callers_.empty() && polls_.empty();
  if (nobody_waits && terms.deadline > now && budget_.NextTurn(purpose, now) <= now && MayCount()) {
    LetThrough(purpose, std::move(answer), now);
    return 0;
  }
  LogChanges(now);
  const Ticket ticket = ++last_ticket_;
  const Place place = PlaceOf(terms, ticket);
  if (purpose != Purpose::kToken) {
    const absl::Time turn = budget_.TurnAfter(CallsAhead(place, purpose), now);
    if (turn > now && turn + kShortestCall >= terms.deadline) {
      Refuse(purpose, TooLate(turn - now), std::move(answer));
      return 0;
    }
  }
  places_[ticket] = {purpose, place};
  LineOf(purpose).emplace(place, Waiting{std::move(terms), std::move(answer)});
  Pump();
  return places_.contains(ticket) ? ticket : 0;
}

void CallQueue::Join(Ticket ticket, Purpose purpose, absl::Time deadline) {
  const auto found = places_.find(ticket);
  if (found == places_.end()) return;
  auto& [old_purpose, old_place] = found->second;
  Line& line = LineOf(old_purpose);
  auto node = line.extract(old_place);
  Terms& terms = node.mapped().terms;
  terms.purpose = std::max(terms.purpose, purpose);
  terms.deadline = std::max(terms.deadline, deadline);
  old_purpose = terms.purpose;
  old_place = PlaceOf(terms, ticket);
  node.key() = old_place;
  LineOf(old_purpose).insert(std::move(node));
  Pump();
}

void CallQueue::Report(const absl::Status& outcome) {
  if (outcome.ok()) return;
  const ErrorDetails details = DetailsOf(outcome);
  if (details.not_asked) return;
  if (details.reason == ErrorReason::kUpstreamRateLimited) ++stats_.refused_upstream;
  KeepMonth();
  const absl::Time now = loop_->Now();
  budget_.Report(outcome, now);
  LogChanges(now);
  Pump();
}

double CallQueue::Slowdown() {
  KeepMonth();
  return budget_.Slowdown(loop_->Now());
}

CallQueue::Stats CallQueue::stats() {
  KeepMonth();
  Stats stats = stats_;
  stats.budget = budget_.StatsAt(loop_->Now());
  stats.recorded_calls = recorded_;
  stats.callers_waiting = callers_.size();
  stats.polls_waiting = polls_.size();
  return stats;
}

void CallQueue::KeepMonth() {
  const absl::Time now = loop_->Now();
  if (now >= month_seen_ && now < month_end_) return;
  month_seen_ = now;
  month_end_ = now + UntilNextMonth(now);
  const absl::CivilMonth month = MonthOf(now);
  if (month == budget_.month()) return;
  int64_t calls = 0;
  if (ledger_ != nullptr) {
    // The month that is over, without what was recorded for calls that never came.
    if (recorded_ != budget_.calls()) {
      ledger_->Record(budget_.month(), budget_.calls(), [](const absl::Status&) {});
    }
    const absl::StatusOr<int64_t> known = ledger_->CallsIn(month);
    if (!known.ok()) {
      spdlog::error("calls: the state file does not tell how many were made this month ({}); counting from 0",
                    std::string(known.status().message()));
    }
    calls = known.value_or(0);
  }
  budget_.OpenMonth(month, calls);
  recorded_ = calls;
  recording_ = false;
}

CallQueue::Place CallQueue::PlaceOf(const Terms& terms, Ticket ticket) const {
  switch (terms.purpose) {
    case Purpose::kToken:
      return {absl::InfinitePast(), ticket};
    case Purpose::kCaller:
      return {terms.deadline, ticket};
    case Purpose::kPoll:
      break;
  }
  return {absl::InfinitePast(), ticket};
}

int64_t CallQueue::CallsAhead(const Place& place, Purpose purpose) const {
  const auto callers = static_cast<int64_t>(callers_.size());
  const auto polls = static_cast<int64_t>(polls_.size());
  // Deadlines are mostly alike, so that who comes last stands last. To count exactly is not worth a walk of the line.
  if (purpose == Purpose::kPoll) return polls + std::min(callers, polls * kCallersPerPoll + kCallersPerPoll);
  const bool is_last = callers_.empty() || std::prev(callers_.end())->first < place;
  const int64_t ahead = is_last ? callers : std::distance(callers_.begin(), callers_.lower_bound(place));
  return ahead + std::min(polls, ahead / kCallersPerPoll);
}

absl::Status CallQueue::TooLate(absl::Duration wait) const {
  ErrorDetails details;
  details.reason = ErrorReason::kUpstreamRateLimited;
  details.persistence = Persistence::kTransient;
  details.retry_after = absl::Ceil(wait, absl::Seconds(1));
  details.not_asked = true;
  return MakeError(
      details,
      absl::StrCat("so many calls to DingTalk wait for their turn (--upstream_qps) that this one's would "
                   "come in ",
                   absl::FormatDuration(absl::Ceil(wait, absl::Milliseconds(1))), ", after the caller's deadline"));
}

void CallQueue::Refuse(Purpose purpose, const absl::Status& error, Answer answer) {
  const ErrorDetails details = DetailsOf(error);
  if (details.persistence == Persistence::kTransient) {
    ++stats_.refused_late;
  } else {
    ++(details.reason == ErrorReason::kMonthlyQuotaExhausted ? stats_.refused_month : stats_.refused_paused);
    if (purpose == Purpose::kPoll) ++stats_.polls_put_off;
  }
  answer(error);
}

void CallQueue::Pump() {
  loop_->CancelTimer(timer_);
  timer_ = {};
  const std::weak_ptr<bool> alive = alive_;
  while (!callers_.empty() || !polls_.empty()) {
    const absl::Time now = loop_->Now();
    // What stands against a caller's call stands against all; polls that wait have their places already.
    const absl::Status refusal = budget_.Refusal(Purpose::kCaller, "", now);
    if (!refusal.ok()) return RefuseWaiting(refusal);
    const Line::iterator next = Next();
    const Purpose purpose = next->second.terms.purpose;
    const bool late = next->second.terms.deadline <= now;
    if (!late) {
      const absl::Time turn = budget_.NextTurn(purpose, now);
      if (turn > now) {
        timer_ = loop_->RunAfter(turn - now, [this] {
          KeepMonth();
          Pump();
        });
        return;
      }
      if (!MayCount()) return;
    }
    Answer answer = std::move(next->second.answer);
    places_.erase(next->first.second);
    LineOf(purpose).erase(next);
    if (late) {
      Refuse(purpose, TooLate(absl::ZeroDuration()), std::move(answer));
    } else {
      LetThrough(purpose, std::move(answer), now);
    }
    // An answer may have asked again, and so have been here, or have ended it all.
    if (alive.expired() || timer_) return;
  }
}

bool CallQueue::MayCount() {
  if (budget_.calls() < recorded_) return true;
  RecordBlock();
  // Without a ledger that works there is nothing to wait for.
  return budget_.calls() < recorded_ || stats_.ledger_failing;
}

void CallQueue::LetThrough(Purpose purpose, Answer answer, absl::Time now) {
  budget_.Count(purpose, now);
  callers_in_a_row_ = purpose == Purpose::kPoll ? 0 : callers_in_a_row_ + 1;
  ++(purpose == Purpose::kPoll     ? stats_.calls_of_polls
     : purpose == Purpose::kCaller ? stats_.calls_of_callers
                                   : stats_.calls_for_tokens);
  if (recorded_ - budget_.calls() <= options_.block / 2) RecordBlock();
  LogChanges(now);
  answer(absl::OkStatus());
}

CallQueue::Line::iterator CallQueue::Next() {
  const bool polls_turn = callers_in_a_row_ >= kCallersPerPoll && !polls_.empty();
  const bool token_waits = !callers_.empty() && callers_.begin()->second.terms.purpose == Purpose::kToken;
  if (callers_.empty() || (polls_turn && !token_waits)) return polls_.begin();
  return callers_.begin();
}

void CallQueue::RefuseWaiting(const absl::Status& refusal) {
  std::vector<std::pair<Purpose, Answer>> refused;
  for (Line* line : {&callers_, &polls_}) {
    for (auto& [place, waiting] : *line) refused.emplace_back(waiting.terms.purpose, std::move(waiting.answer));
    line->clear();
  }
  places_.clear();
  const std::weak_ptr<bool> alive = alive_;
  for (auto& [purpose, answer] : refused) {
    Refuse(purpose, refusal, std::move(answer));
    if (alive.expired()) return;
  }
}

void CallQueue::RecordBlock() {
  if (ledger_ == nullptr) {
    recorded_ = budget_.calls() + options_.block;
    return;
  }
  if (recording_) return;
  int64_t calls = budget_.calls() + options_.block;
  // What can never be made need not be written.
  if (const int64_t limit = options_.budget.monthly_calls; limit > 0) calls = std::min(calls, limit);
  if (calls <= recorded_) return;
  recording_ = true;
  const absl::CivilMonth month = budget_.month();
  ledger_->Record(month, calls,
                  [this, loop = loop_, alive = std::weak_ptr<bool>(alive_), month, calls](const absl::Status& status) {
                    loop->Post([this, alive, month, calls, status] {
                      if (!alive.expired()) OnRecorded(month, calls, status);
                    });
                  });
}

void CallQueue::OnRecorded(absl::CivilMonth month, int64_t calls, const absl::Status& status) {
  if (month != budget_.month()) return;
  recording_ = false;
  stats_.ledger_failing = !status.ok();
  recorded_ = std::max(recorded_, calls);
  KeepMonth();
  Pump();
}

void CallQueue::LogChanges(absl::Time now) {
  using Restraint = CallBudget::Restraint;
  const CallBudget::Stats budget = budget_.StatsAt(now);
  if (budget.month != told_month_) {
    const std::string limit = budget.monthly_calls > 0 ? absl::StrCat(budget.monthly_calls) : "unlimited";
    spdlog::info("calls: {} of {} are used in {} (UTC+8)", budget.calls, limit, absl::FormatCivilTime(budget.month));
    told_month_ = budget.month;
    told_percent_ = 0;
  }
  // Nobody notices a moment's pause.
  const bool moment = budget.restraint == Restraint::kPaused && budget.until - now < absl::Seconds(5);
  const Restraint restraint = moment ? told_restraint_ : budget.restraint;
  if (restraint != told_restraint_) {
    if (restraint == Restraint::kNone) {
      spdlog::info("calls: are no longer held back");
    } else if (restraint == Restraint::kPaced) {
      spdlog::warn("calls: polls are put off: {}", budget.reason);
    } else {
      spdlog::warn("calls: none before {}: {}", InChina(budget.until), budget.reason);
    }
    told_restraint_ = restraint;
  }
  if (budget.slowdown >= 2 * told_slowdown_ || budget.slowdown <= told_slowdown_ / 2) {
    spdlog::info("calls: {} of {} are used; the time between polls is multiplied by {:.1f}", budget.calls,
                 budget.monthly_calls, budget.slowdown);
    told_slowdown_ = budget.slowdown;
  }
  for (const int percent : kPercents) {
    if (budget.monthly_calls <= 0 || percent <= told_percent_) continue;
    if (budget.calls * 100 < budget.monthly_calls * percent) break;
    spdlog::warn("calls: {} % of this month's {} are used", percent, budget.monthly_calls);
    told_percent_ = percent;
  }
}

}  // namespace taskwatch
