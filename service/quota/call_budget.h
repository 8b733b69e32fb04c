// How many calls DingTalk may be asked for, and how fast: the rate, the month, and what is wrong with the app.
#ifndef TASKWATCH_SERVICE_QUOTA_CALL_BUDGET_H_
#define TASKWATCH_SERVICE_QUOTA_CALL_BUDGET_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"

#include "service/quota/calls_in_flight.h"
#include "service/quota/circuit_breaker.h"
#include "service/quota/monthly_quota.h"
#include "service/quota/poll_pacer.h"
#include "service/quota/rate_limiter.h"
#include "service/task/priority.h"
#include "service/task/task_error.h"

namespace taskwatch {

// Puts five rules together, each in a class of its own:
// - RateLimiter: at most `qps` calls a second, fewer for a minute after a refusal;
// - MonthlyQuota: at most `monthly_calls` a month, of which polls leave some to callers;
// - PollPacer: polls that are far ahead of their share of the month go one by one;
// - CircuitBreaker: while something is wrong with the app, or DingTalk asks for a pause, one probe at a time;
// - CallsInFlight: few calls at a time while DingTalk hangs.
// So polls slow down, but while a call is left they never stop, and callers find one left.
//
// What DingTalk certainly does not count is given back to the month: calls refused for the rate by a 403 that says so,
// those for which no trusted connection was made, and those not made after all. What was lost on the way may have been
// counted.
//
// Pure logic: no loop, no file; time is an argument. What is const may be asked at any time; ObserveTime, AdmitPoll,
// Count and Report change what is remembered.
class CallBudget {
 public:
  struct Options {
    // 0: as fast as they come, until DingTalk refuses.
    double qps = 18;
    // 0: no limit; they are counted all the same.
    int64_t monthly_calls = 5000;
    // The share of the month's calls that polls leave to callers.
    double unary_reserve = 0.1;
    // Of the jitter with which DingTalk is probed.
    uint64_t seed = 0;
  };

  // Why calls are held back.
  enum class Restraint {
    kNone,
    // Polls are paced.
    kPaced,
    // DingTalk asks for a pause, or refuses for the rate.
    kPaused,
    // Something is wrong with the app, or DingTalk fails: one probe at a time is made.
    kFailing,
    // The month's calls are used up.
    kUsedUp,
  };

  struct Stats {
    absl::CivilMonth month;
    int64_t calls = 0;
    // 0: no limit.
    int64_t monthly_calls = 0;
    // What polls may still take, and by which factor they are slowed down.
    int64_t left_for_polls = 0;
    double slowdown = 1;
    // Calls per second, now and in the best case; 0: no limit.
    double rate = 0;
    double full_rate = 0;
    Restraint restraint = Restraint::kNone;
    // Why, for people, while there is a restraint, and until when, if that is known. While calls are paused or failing
    // it is when the next probe is due.
    std::string reason;
    absl::Time until = absl::InfiniteFuture();
    // Calls under way.
    size_t calls_out = 0;
    // Since the start: probes made, and calls given back to the month.
    int64_t probes = 0;
    int64_t given_back = 0;
  };

  // Names a call under way; never 0.
  using CallId = uint64_t;

  explicit CallBudget(const Options& options)
      : options_(options),
        rate_(options.qps),
        month_(options.monthly_calls, options.unary_reserve),
        breaker_(options.seed) {}

  // From now on `month` is counted, beginning at `calls`.
  void OpenMonth(absl::CivilMonth month, int64_t calls);

  absl::CivilMonth month() const { return month_.month(); }
  // Those made in it.
  int64_t calls() const { return month_.calls(); }

  // To be told the time before questions are asked about it: when the wall clock is set back, so is all that is
  // remembered.
  void ObserveTime(absl::Time now);

  // Whether calls are made at all. OK: a call may be made once there is a permit for it. Else an error with
  // ErrorDetails, `not_asked` and the `retry_after` at which to come again: the error that is remembered of the app, or
  // the month is used up. Pauses for the rate, and those that DingTalk asks for, of up to 5 s are no error; they are
  // waited for. Tokens are of another API, and without one there is no probe: only pauses that DingTalk asks for and
  // the month hold for them.
  absl::Status Check(Priority priority, absl::Time now) const;

  // The same for a poll of `task_id`, which may also be put off: kPollDeferred. To be asked once for each poll: a poll
  // that is put off keeps its turn until `retry_after`, and one that is not has used it.
  absl::Status AdmitPoll(absl::string_view task_id, absl::Time now);

  // When the next call may be made, as far as the rate, short pauses and a DingTalk that hangs decide; not before
  // `now`. It may be sooner once a call has been reported. Tokens have a rate of their own.
  absl::Time NextPermit(Priority priority, absl::Time now) const;

  // The same for a call of a poll or a caller that has `calls_ahead` others before it.
  absl::Time PermitAfter(int64_t calls_ahead, absl::Time now) const;

  // A call is about to be made. `id` must be new.
  void Count(CallId id, Priority priority, absl::string_view task_id, absl::Time now);

  // What became of a call; `id` is 0 for one that was not counted, from which only a pause is learnt. True if calls
  // that could not be made may be made now, or the other way round.
  bool Report(CallId id, const absl::Status& outcome, absl::Time now);

  // The factor by which intervals between polls are to be multiplied: 1 while the calls left last as long as the month.
  double Slowdown(absl::Time now) const { return month_.Slowdown(now); }

  Stats StatsAt(absl::Time now) const;

 private:
  // The same as Report, for a success and for an error with `details`.
  bool ReportSuccess(CallId id, absl::Time now);
  void ReportError(CallId id, const absl::Status& error, const ErrorDetails& details, absl::Time now);
  // For people: how many calls are left, and how fast polls go on.
  std::string PacingMessage(absl::Time now) const;

  const Options options_;
  // The latest time that was observed.
  absl::Time latest_ = absl::InfinitePast();
  RateLimiter rate_;
  MonthlyQuota month_;
  PollPacer pacer_;
  CircuitBreaker breaker_;
  CallsInFlight in_flight_;
  int64_t given_back_ = 0;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_QUOTA_CALL_BUDGET_H_
