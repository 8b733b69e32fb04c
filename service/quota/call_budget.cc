#include "service/quota/call_budget.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

#include "service/quota/billing_month.h"
#include "service/task/task_error.h"

namespace taskwatch {
namespace {

constexpr double kBurstShare = 0.1;
constexpr double kCut = 0.7;
constexpr double kLowestRate = 1;
constexpr absl::Duration kRecovery = absl::Minutes(1);
// Shorter pauses are waited for in the queue; longer ones are for the caller to decide.
constexpr absl::Duration kLongestHeldPause = absl::Seconds(5);
// For a refusal that does not say how long to wait.
constexpr absl::Duration kDefaultPause = absl::Minutes(1);

constexpr double kPacedFrom = 1.5;
constexpr double kPacedUntil = 1.2;
constexpr double kPollBurstShare = 0.1;
// Beyond this it is the pace that decides.
constexpr double kMaxSlowdown = 100;
// How steeply polls slow down as they get ahead of their plan.
constexpr double kSlowdownSteepness = 4;
// The part of the month by which everything is planned to last longer, so that something is left for its last hours.
constexpr double kKeptBack = 0.02;
// Until then it is not known how many calls callers will take.
constexpr absl::Duration kShortestCount = absl::Hours(48);
// Polls in line come to see whether their turn is there after a quarter of their wait, as that may turn out shorter.
constexpr double kLookAfter = 0.25;
constexpr absl::Duration kShortestLook = absl::Minutes(10);

// Tokens are sums of fractions: a whole one may lack a little.
constexpr double kWhole = 1 - 1e-6;

// Whole seconds, so that nobody comes back a moment too early.
absl::Duration RoundedUp(absl::Duration duration) {
  return std::max(absl::Ceil(duration, absl::Seconds(1)), absl::Seconds(1));
}

absl::Status NotAsked(ErrorReason reason, absl::Duration retry_after, absl::string_view message) {
  ErrorDetails details;
  details.reason = reason;
  details.persistence = Persistence::kPaused;
  details.retry_after = RoundedUp(retry_after);
  details.not_asked = true;
  return MakeError(details, message);
}

}  // namespace

void CallBudget::OpenMonth(absl::CivilMonth month, int64_t calls) {
  month_ = month;
  calls_ = calls;
  calls_of_callers_ = 0;
  callers_since_ = absl::InfiniteFuture();
  paced_ = false;
  places_.clear();
  if (pause_.has_value() && DetailsOf(pause_->error).reason == ErrorReason::kMonthlyQuotaExhausted) pause_.reset();
}

absl::Status CallBudget::Refusal(Purpose purpose, absl::string_view task_id, absl::Time now) {
  Adjust(now);
  if (pause_.has_value() && pause_->LeftAt(now) > kLongestHeldPause) {
    ErrorDetails details = DetailsOf(pause_->error);
    details.persistence = Persistence::kPaused;
    details.retry_after = RoundedUp(pause_->LeftAt(now));
    details.not_asked = true;
    return MakeError(details, pause_->error.message());
  }
  if (options_.monthly_calls <= 0) return absl::OkStatus();
  if (Left() <= 0) {
    return NotAsked(
        ErrorReason::kMonthlyQuotaExhausted, UntilNextMonth(now),
        absl::StrCat("all ", options_.monthly_calls,
                     " calls of --upstream_monthly_calls are used up until the next month begins in China"));
  }
  return purpose == Purpose::kPoll ? RefusePoll(task_id, now) : absl::OkStatus();
}

absl::Time CallBudget::NextTurn(Purpose purpose, absl::Time now) {
  Adjust(now);
  if (purpose == Purpose::kToken) return now;
  absl::Time turn = now;
  if (pause_.has_value()) turn = std::max(turn, now + pause_->LeftAt(now));
  if (const std::optional<Rate> rate = RateAt(now)) {
    Refill(*rate, now);
    if (tokens_ < kWhole) turn = std::max(turn, now + absl::Seconds((1 - tokens_) / rate->calls_per_second));
  }
  return turn;
}

absl::Time CallBudget::TurnAfter(int64_t calls_ahead, absl::Time now) {
  const absl::Time next = NextTurn(Purpose::kCaller, now);
  const std::optional<Rate> rate = RateAt(now);
  if (!rate.has_value()) return next;
  const double waits = std::max(0.0, static_cast<double>(calls_ahead) - std::max(0.0, tokens_ - 1));
  return next + absl::Seconds(waits / rate->calls_per_second);
}

void CallBudget::Count(Purpose purpose, absl::Time now) {
  Adjust(now);
  ++calls_;
  if (callers_since_ == absl::InfiniteFuture()) callers_since_ = now;
  if (purpose != Purpose::kPoll) ++calls_of_callers_;
  if (purpose == Purpose::kToken) return;
  if (const std::optional<Rate> rate = RateAt(now)) {
    Refill(*rate, now);
    tokens_ -= 1;
  }
  while (!recent_.empty() && recent_.front() <= now - absl::Seconds(1)) recent_.pop_front();
  recent_.push_back(now);
}

void CallBudget::Report(const absl::Status& outcome, absl::Time now) {
  Adjust(now);
  const ErrorDetails details = DetailsOf(outcome);
  if (outcome.ok() || details.not_asked) return;
  const bool too_fast =
      details.reason == ErrorReason::kUpstreamRateLimited && details.persistence == Persistence::kTransient;
  if (!too_fast && details.persistence != Persistence::kPaused) return;
  if (too_fast) SlowDown(now);
  const bool month = details.reason == ErrorReason::kMonthlyQuotaExhausted;
  const absl::Duration length = details.retry_after.value_or(month      ? UntilNextMonth(now)
                                                             : too_fast ? absl::Seconds(1)
                                                                        : kDefaultPause);
  if (!pause_.has_value() || pause_->LeftAt(now) < length) pause_ = Pause{outcome, now, length};
}

double CallBudget::Slowdown(absl::Time now) const {
  // Calls fall by less than intervals grow, since most of them are made where an end is expected.
  return std::clamp(std::pow(AheadOfPlan(now), kSlowdownSteepness), 1.0, kMaxSlowdown);
}

CallBudget::Stats CallBudget::StatsAt(absl::Time now) {
  Adjust(now);
  Stats stats;
  stats.month = month_;
  stats.calls = calls_;
  stats.monthly_calls = options_.monthly_calls;
  if (options_.monthly_calls > 0) stats.left_for_polls = static_cast<int64_t>(LeftForPolls(now));
  stats.slowdown = Slowdown(now);
  stats.full_rate = options_.qps;
  if (const std::optional<Rate> rate = RateAt(now)) stats.rate = rate->calls_per_second;
  if (pause_.has_value() && pause_->LeftAt(now) > absl::ZeroDuration()) {
    stats.restraint = Restraint::kPaused;
    stats.reason = std::string(pause_->error.message());
    stats.until = now + pause_->LeftAt(now);
  } else if (options_.monthly_calls > 0 && Left() <= 0) {
    stats.restraint = Restraint::kUsedUp;
    stats.reason = "this month's calls are used up";
    stats.until = now + UntilNextMonth(now);
  } else if (UpdatePacing(now)) {
    stats.restraint = Restraint::kPaced;
    const absl::Duration pace = Pace(now);
    stats.reason = absl::StrCat("of this month's calls ", Left(), " are left; polls go on, one every ",
                                absl::FormatDuration(RoundedUp(pace)), " on average");
  }
  return stats;
}

void CallBudget::Adjust(absl::Time now) {
  const absl::Duration back = latest_ - now;
  latest_ = now;
  if (back <= absl::ZeroDuration()) return;
  filled_ -= back;
  turn_moved_ -= back;
  callers_since_ -= back;
  for (absl::Time& call : recent_) call -= back;
  if (cut_.has_value()) cut_->second -= back;
  if (pause_.has_value()) pause_->start -= back;
}

std::optional<CallBudget::Rate> CallBudget::RateAt(absl::Time now) const {
  double rate = options_.qps;
  if (cut_.has_value()) {
    const double recovered = absl::FDivDuration(now - cut_->second, kRecovery);
    // Without a limit there is nothing to grow back to but all.
    if (recovered >= 1) {
      rate = options_.qps;
    } else if (options_.qps > 0) {
      rate = cut_->first + (options_.qps - cut_->first) * recovered;
    } else {
      rate = cut_->first / (1 - recovered);
    }
  }
  if (rate <= 0) return std::nullopt;
  return Rate{rate, std::max(1.0, rate * kBurstShare)};
}

void CallBudget::Refill(const Rate& rate, absl::Time now) {
  tokens_ = std::min(rate.burst, tokens_ + absl::ToDoubleSeconds(now - filled_) * rate.calls_per_second);
  filled_ = now;
}

void CallBudget::SlowDown(absl::Time now) {
  // Calls that were under way together are refused together.
  if (cut_.has_value() && now - cut_->second < absl::Seconds(1)) return;
  while (!recent_.empty() && recent_.front() <= now - absl::Seconds(1)) recent_.pop_front();
  double made = static_cast<double>(recent_.size());
  if (const std::optional<Rate> rate = RateAt(now)) made = std::min(made, rate->calls_per_second);
  cut_ = {std::max(kLowestRate, made * kCut), now};
  if (options_.qps > 0 && options_.qps < cut_->first) cut_->first = options_.qps;
  tokens_ = std::min(tokens_, 1.0);
}

double CallBudget::Reserve(absl::Time now) const {
  const absl::Duration counted = std::max(now - callers_since_, kShortestCount);
  const double expected = static_cast<double>(calls_of_callers_) * absl::FDivDuration(UntilNextMonth(now), counted);
  return std::max(static_cast<double>(options_.monthly_calls) * options_.unary_reserve, expected);
}

double CallBudget::LeftForPolls(absl::Time now) const {
  const auto left = static_cast<double>(Left());
  return left > 0 ? std::max({left - Reserve(now), left / 2, 1.0}) : 0;
}

double CallBudget::AheadOfPlan(absl::Time now) const {
  if (options_.monthly_calls <= 0) return 0;
  const double whole = static_cast<double>(options_.monthly_calls) * (1 - std::min(options_.unary_reserve, 0.5));
  const double left = LeftForPolls(now) / whole;
  const double time_left = std::min(1.0, 1 - ShareOfMonth(now) + kKeptBack);
  return left <= 0 ? kMaxSlowdown : time_left / left;
}

bool CallBudget::UpdatePacing(absl::Time now) {
  const double ahead = AheadOfPlan(now);
  if (!paced_ && ahead >= kPacedFrom) {
    paced_ = true;
    turn_ = LeftForPolls(now) * kPollBurstShare;
    next_place_ = 0;
    turn_moved_ = now;
  } else if (paced_ && ahead <= kPacedUntil) {
    paced_ = false;
    places_.clear();
  }
  return paced_;
}

absl::Duration CallBudget::Pace(absl::Time now) const {
  const absl::Duration left = UntilNextMonth(now);
  const absl::Duration kept_back = left / (1 - ShareOfMonth(now)) * kKeptBack;
  return (left + kept_back) / LeftForPolls(now);
}

absl::Status CallBudget::RefusePoll(absl::string_view task_id, absl::Time now) {
  if (!UpdatePacing(now)) return absl::OkStatus();
  const absl::Duration pace = Pace(now);
  turn_ += absl::FDivDuration(now - turn_moved_, pace);
  turn_moved_ = now;
  next_place_ = std::max(next_place_, turn_ - std::max(1.0, LeftForPolls(now) * kPollBurstShare));

  auto place = places_.find(task_id);
  if (place == places_.end()) {
    ForgetOldPlaces();
    next_place_ += 1;
    place = places_.emplace(std::string(task_id), next_place_).first;
  }
  const double ahead = place->second - turn_;
  if (ahead <= 1 - kWhole) {
    places_.erase(place);
    return absl::OkStatus();
  }
  const absl::Duration wait = ahead * pace;
  const absl::Duration look = std::min(wait, std::max(wait * kLookAfter, kShortestLook));
  return NotAsked(ErrorReason::kMonthlyQuotaExhausted, std::min(look, UntilNextMonth(now)),
                  absl::StrCat("of this month's calls ", Left(), " are left; polls go on, one every ",
                               absl::FormatDuration(RoundedUp(pace)), " on average"));
}

void CallBudget::ForgetOldPlaces() {
  if (places_.size() < places_before_forgetting_) return;
  // Who has not come for its turn when the next one's is there will not come, or gets another place.
  absl::erase_if(places_, [&](const auto& place) { return place.second < turn_ - 1; });
  places_before_forgetting_ = std::max(places_before_forgetting_, 2 * places_.size());
}

}  // namespace taskwatch
