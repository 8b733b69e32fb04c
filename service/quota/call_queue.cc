#include "service/quota/call_queue.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

#include "service/quota/billing_month.h"
#include "service/runtime/post_answer.h"
#include "service/task/task_error.h"

namespace taskwatch {
namespace {

// Callers that may go one after the other while a poll waits.
constexpr int kCallersPerPoll = 9;
// A caller with less time than this left when its call is made would not hear the answer.
constexpr absl::Duration kShortestCall = absl::Milliseconds(100);
// When so many of the month's calls are used, the log says so.
constexpr int kPercents[] = {50, 75, 90, 100};

std::string InChina(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S +08:00", time, absl::FixedTimeZone(8 * 60 * 60));
}

// `wait` is how long the permit is away.
absl::Status TooLate(absl::Duration wait) {
  ErrorDetails details;
  details.reason = ErrorReason::kUpstreamRateLimited;
  details.persistence = Persistence::kTransient;
  details.retry_after = absl::Ceil(wait, absl::Seconds(1));
  details.not_asked = true;
  return MakeError(details, absl::StrCat("so many calls to DingTalk wait for their turn that this one's would come in ",
                                         absl::FormatDuration(absl::Ceil(wait, absl::Milliseconds(1))),
                                         ", after the caller's deadline"));
}

}  // namespace

CallQueue::CallQueue(EventLoop* loop, CallLedger* ledger, const Options& options)
    : loop_(loop), ledger_(ledger), options_(options), budget_(options.budget) {
  KeepTime();
}

CallQueue::~CallQueue() {
  loop_->CancelTimer(timer_);
  if (ledger_ != nullptr && recorded_ != budget_.calls()) {
    ledger_->Record(budget_.month(), budget_.calls(), [](const absl::Status&) {});
  }
}

CallGate::RequestId CallQueue::Acquire(CallRequest request, Done done) {
  KeepTime();
  const absl::Time now = loop_->Now();
  const RequestId id = ++last_id_;
  const Priority priority = request.priority;
  const absl::Status admitted =
      priority == Priority::kPoll ? budget_.AdmitPoll(request.task_id, now) : budget_.Check(priority, now);
  if (!admitted.ok()) {
    LogChanges(now);
    Refuse(priority, admitted, std::move(done));
    return id;
  }
  const bool first_in_line = callers_.empty() && polls_.empty();
  if (first_in_line && request.deadline > now && budget_.NextPermit(priority, now) <= now && LedgerAllows()) {
    Grant(id, request, std::move(done), now);
    return id;
  }
  LogChanges(now);
  const Position position = PositionOf(request, id);
  if (priority != Priority::kToken) {
    const absl::Time permit = budget_.PermitAfter(CallsAhead(position, priority), now);
    if (permit > now && permit + kShortestCall >= request.deadline) {
      RefuseLate(permit - now, std::move(done));
      return id;
    }
  }
  positions_[id] = {priority, position};
  LineOf(priority).emplace(position, Pending{std::move(request), std::move(done)});
  AnswerDue();
  return id;
}

void CallQueue::Join(RequestId id, Priority priority, absl::Time deadline) {
  const auto found = positions_.find(id);
  if (found == positions_.end()) return;
  KeepTime();
  auto& [old_priority, old_position] = found->second;
  auto node = LineOf(old_priority).extract(old_position);
  CallRequest& request = node.mapped().request;
  request.priority = std::max(request.priority, priority);
  request.deadline = std::max(request.deadline, deadline);
  old_priority = request.priority;
  old_position = PositionOf(request, id);
  node.key() = old_position;
  LineOf(old_priority).insert(std::move(node));
  AnswerDue();
}

bool CallQueue::Cancel(RequestId id) {
  const auto found = positions_.find(id);
  if (found == positions_.end()) return false;
  KeepTime();
  LineOf(found->second.first).erase(found->second.second);
  positions_.erase(found);
  AnswerDue();
  return true;
}

void CallQueue::Report(RequestId id, const absl::Status& outcome) {
  KeepTime();
  const absl::Time now = loop_->Now();
  if (!outcome.ok()) {
    const ErrorDetails details = DetailsOf(outcome);
    if (details.reason == ErrorReason::kUpstreamRateLimited && !details.not_asked) ++stats_.refused_upstream;
  }
  if (!budget_.Report(id, outcome, now)) return;
  LogChanges(now);
  AnswerDue();
}

double CallQueue::Slowdown() {
  KeepTime();
  return budget_.Slowdown(loop_->Now());
}

CallQueue::Stats CallQueue::stats() {
  KeepTime();
  Stats stats = stats_;
  stats.budget = budget_.StatsAt(loop_->Now());
  stats.recorded_calls = recorded_;
  stats.callers_waiting = callers_.size();
  stats.polls_waiting = polls_.size();
  return stats;
}

void CallQueue::KeepTime() {
  const absl::Time now = loop_->Now();
  budget_.ObserveTime(now);
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
  // Whether the ledger takes the new month's calls is to be seen.
  stats_.ledger_failing = false;
}

CallQueue::Position CallQueue::PositionOf(const CallRequest& request, RequestId id) {
  // Polls have a line of their own, and tokens come before all callers.
  return {request.priority == Priority::kCaller ? request.deadline : absl::InfinitePast(), id};
}

int64_t CallQueue::CallsAhead(const Position& position, Priority priority) const {
  const auto callers = static_cast<int64_t>(callers_.size());
  const auto polls = static_cast<int64_t>(polls_.size());
  if (priority == Priority::kPoll) return polls + std::min(callers, polls * kCallersPerPoll + kCallersPerPoll);
  // Deadlines are mostly alike, so that the last to come stands last. Only the others take a walk along the line.
  const bool is_last = callers_.empty() || std::prev(callers_.end())->first < position;
  const int64_t ahead = is_last ? callers : std::distance(callers_.begin(), callers_.lower_bound(position));
  return ahead + std::min(polls, ahead / kCallersPerPoll);
}

CallQueue::Line::iterator CallQueue::Next() {
  const bool polls_turn = callers_in_a_row_ >= kCallersPerPoll && !polls_.empty();
  const bool token_waits = !callers_.empty() && callers_.begin()->second.request.priority == Priority::kToken;
  if (callers_.empty() || (polls_turn && !token_waits)) return polls_.begin();
  return callers_.begin();
}

void CallQueue::AnswerDue() {
  loop_->CancelTimer(timer_);
  timer_ = {};
  while (!callers_.empty() || !polls_.empty()) {
    const absl::Time now = loop_->Now();
    if (RefuseWaiting(now)) continue;
    const Line::iterator next = Next();
    const Priority priority = next->second.request.priority;
    const bool late = next->second.request.deadline <= now;
    if (!late) {
      const absl::Time permit = budget_.NextPermit(priority, now);
      if (permit > now) {
        timer_ = loop_->RunAfter(permit - now, [this] {
          KeepTime();
          AnswerDue();
        });
        return;
      }
      if (!LedgerAllows()) RecordBlock();
      if (!LedgerAllows()) return;
    }
    const RequestId id = next->first.second;
    Pending pending = std::move(next->second);
    positions_.erase(id);
    LineOf(priority).erase(next);
    if (late) {
      RefuseLate(absl::ZeroDuration(), std::move(pending.done));
    } else {
      Grant(id, pending.request, std::move(pending.done), now);
    }
  }
}

void CallQueue::Grant(RequestId id, const CallRequest& request, Done done, absl::Time now) {
  const Priority priority = request.priority;
  budget_.Count(id, priority, request.task_id, now);
  callers_in_a_row_ = priority == Priority::kPoll ? 0 : callers_in_a_row_ + 1;
  ++(priority == Priority::kPoll     ? stats_.calls_of_polls
     : priority == Priority::kCaller ? stats_.calls_of_callers
                                     : stats_.calls_for_tokens);
  if (recorded_ - budget_.calls() <= options_.block / 2) RecordBlock();
  LogChanges(now);
  PostAnswer(loop_, lifetime_, std::move(done), absl::OkStatus());
}

void CallQueue::Refuse(Priority priority, const absl::Status& refusal, Done done) {
  const ErrorDetails details = DetailsOf(refusal);
  ++(details.reason == ErrorReason::kPollDeferred            ? stats_.polls_paced
     : details.reason == ErrorReason::kMonthlyQuotaExhausted ? stats_.refused_month
     : details.persistence == Persistence::kPaused           ? stats_.refused_paused
                                                             : stats_.refused_failing);
  if (priority == Priority::kPoll) ++stats_.polls_put_off;
  PostAnswer(loop_, lifetime_, std::move(done), refusal);
}

void CallQueue::RefuseLate(absl::Duration wait, Done done) {
  ++stats_.refused_late;
  PostAnswer(loop_, lifetime_, std::move(done), TooLate(wait));
}

bool CallQueue::RefuseWaiting(absl::Time now) {
  // Polls that wait here have been admitted already: only what stands against every call stands against them.
  const absl::Status of_tasks = budget_.Check(Priority::kCaller, now);
  if (of_tasks.ok()) return false;
  const absl::Status of_tokens = budget_.Check(Priority::kToken, now);
  bool refused = false;
  for (Line* line : {&callers_, &polls_}) {
    for (auto waiting = line->begin(); waiting != line->end();) {
      auto& [request, done] = waiting->second;
      const absl::Status& refusal = request.priority == Priority::kToken ? of_tokens : of_tasks;
      if (refusal.ok()) {
        ++waiting;
        continue;
      }
      Refuse(request.priority, refusal, std::move(done));
      positions_.erase(waiting->first.second);
      waiting = line->erase(waiting);
      refused = true;
    }
  }
  return refused;
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
  auto recorded =
      lifetime_.Guard([this, month, calls](const absl::Status& status) { OnRecorded(month, calls, status); });
  // Comes on the ledger's thread.
  ledger_->Record(month, calls, [loop = loop_, recorded = std::move(recorded)](const absl::Status& status) mutable {
    loop->Post([recorded = std::move(recorded), status]() mutable { recorded(status); });
  });
}

void CallQueue::OnRecorded(absl::CivilMonth month, int64_t calls, const absl::Status& status) {
  if (month != budget_.month()) return;
  recording_ = false;
  stats_.ledger_failing = !status.ok();
  recorded_ = std::max(recorded_, calls);
  KeepTime();
  AnswerDue();
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
    } else if (restraint == Restraint::kFailing) {
      spdlog::warn("calls: only one at a time, after growing pauses, until one succeeds: {}", budget.reason);
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
