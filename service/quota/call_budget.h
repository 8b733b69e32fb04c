// How many calls DingTalk may be asked for, and how fast: a rate per second, a number per month, and what DingTalk's
// own refusals tell of both.
#ifndef TASKWATCH_SERVICE_QUOTA_CALL_BUDGET_H_
#define TASKWATCH_SERVICE_QUOTA_CALL_BUDGET_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"

#include "service/quota/call_gate.h"

namespace taskwatch {

// Pure logic: no loop, no file; time is an argument. When the wall clock is set back, so is all that is remembered.
//
// *The second.* A token bucket of `qps`, with room for a tenth of it: in no second, wherever it begins, are more than
// 1.1 * qps calls made. A refusal for the rate (others may use the same app) stops everything for the second that it
// asks for and cuts the rate to 0.7 of what was really made; it grows back within a minute.
//
// *The month.* When `monthly_calls` are made, nothing is called until the next natural month. Polls take their share
// of what is left evenly over what is left of the month: all but the reserve, or but what callers will take if they go
// on as they did this month, whichever is more; and once that is less, half of all.
// - As far as they are ahead of that, the poll schedule is to stretch its intervals: by Slowdown(),
//   the fourth power of that, since calls fall by less than intervals grow.
// - From 1.5 times ahead on, they are paced too: a bucket that is filled evenly with their share, with room for a tenth
//   of it. A poll that finds it empty gets a place in line, and is told when to come and see whether its turn is there.
// So polls slow down, but while a call is left they never stop, and whoever waits for an answer finds one left.
//
// *Pauses.* What DingTalk asks for (a minute, an IP ban, the month) holds for every call.
class CallBudget {
 public:
  using Purpose = CallGate::Purpose;

  struct Options {
    // 0: as fast as they come, until DingTalk refuses.
    double qps = 18;
    // 0: no limit; they are counted all the same.
    int64_t monthly_calls = 5000;
    // The share of the month's calls that polls leave to callers.
    double unary_reserve = 0.1;
  };

  // Why calls are held back.
  enum class Restraint {
    kNone,
    // Polls are paced.
    kPaced,
    // DingTalk asks for a pause.
    kPaused,
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
    // Why, for people, while there is a restraint, and until when, if that is known.
    std::string reason;
    absl::Time until = absl::InfiniteFuture();
  };

  explicit CallBudget(const Options& options) : options_(options) {}

  // From now on `month` is counted, beginning at `calls`.
  void OpenMonth(absl::CivilMonth month, int64_t calls);

  absl::CivilMonth month() const { return month_; }
  // Those made in it.
  int64_t calls() const { return calls_; }

  // OK if a call may be made once its turn comes. Else an error with ErrorDetails, `not_asked` and the `retry_after` at
  // which to come again. For a poll that is put off it takes a place, so it is to be asked once for each.
  absl::Status Refusal(Purpose purpose, absl::string_view task_id, absl::Time now);

  // When the next call may be made, as far as the rate and short pauses decide; not before `now`. Tokens know no rate.
  absl::Time NextTurn(Purpose purpose, absl::Time now);

  // The same for a call that has `calls_ahead` others before it.
  absl::Time TurnAfter(int64_t calls_ahead, absl::Time now);

  // A call is about to be made.
  void Count(Purpose purpose, absl::Time now);

  // What became of a call.
  void Report(const absl::Status& outcome, absl::Time now);

  // The factor by which intervals between polls are to be stretched: 1 while the calls left last as long as the month.
  double Slowdown(absl::Time now) const;

  Stats StatsAt(absl::Time now);

 private:
  struct Pause {
    absl::Status error;
    absl::Time start;
    absl::Duration length;
    absl::Duration LeftAt(absl::Time now) const { return start + length - now; }
  };
  struct Rate {
    double calls_per_second;
    double burst;
  };

  // Sees to it that what is remembered does not lie in the future.
  void Adjust(absl::Time now);

  // The rate of calls now; nothing if there is none.
  std::optional<Rate> RateAt(absl::Time now) const;
  void Refill(const Rate& rate, absl::Time now);
  void SlowDown(absl::Time now);

  int64_t Left() const { return options_.monthly_calls - calls_; }
  // How many calls of callers' the rest of the month is to be kept for.
  double Reserve(absl::Time now) const;
  double LeftForPolls(absl::Time now) const;
  // What is left of the month, over what is left for polls, both as shares of the whole.
  double AheadOfPlan(absl::Time now) const;
  // Whether polls are paced; forgets their places when that ends.
  bool UpdatePacing(absl::Time now);
  // The time between two polls that are paced.
  absl::Duration Pace(absl::Time now) const;
  absl::Status RefusePoll(absl::string_view task_id, absl::Time now);
  void ForgetOldPlaces();

  const Options options_;
  // The latest time that was told.
  absl::Time latest_ = absl::InfinitePast();

  absl::CivilMonth month_;
  int64_t calls_ = 0;
  // Those of them that were not polls, and since when they have been counted.
  int64_t calls_of_callers_ = 0;
  absl::Time callers_since_ = absl::InfiniteFuture();

  // The bucket of the second.
  double tokens_ = 1;
  absl::Time filled_ = absl::InfinitePast();
  // The calls of the last second, as far as the rate may have to be guessed from them.
  std::deque<absl::Time> recent_;
  // Set while the rate is cut: to what, and when.
  std::optional<std::pair<double, absl::Time>> cut_;

  std::optional<Pause> pause_;

  // The line of polls. Places are numbers; whose place is not beyond `turn_` may go. The number moves on with time, and
  // as far as nobody stands in line it is ahead of the next place: that is the bucket.
  bool paced_ = false;
  double turn_ = 0;
  double next_place_ = 0;
  absl::Time turn_moved_ = absl::InfinitePast();
  absl::flat_hash_map<std::string, double> places_;
  size_t places_before_forgetting_ = 1000;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_QUOTA_CALL_BUDGET_H_
