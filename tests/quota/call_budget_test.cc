#include "service/quota/call_budget.h"

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

#include "service/quota/billing_month.h"
#include "service/task/task_error.h"

namespace taskwatch {
namespace {

using Purpose = CallBudget::Purpose;
using Restraint = CallBudget::Restraint;

constexpr absl::CivilMonth kMonth(2027, 6);
// Of 30 days.
const absl::Time kStart = absl::FromCivil(kMonth, absl::FixedTimeZone(8 * 60 * 60));
constexpr absl::Duration kDay = absl::Hours(24);

absl::Status Refused(ErrorReason reason, Persistence persistence, std::optional<absl::Duration> retry_after) {
  ErrorDetails details;
  details.reason = reason;
  details.persistence = persistence;
  details.retry_after = retry_after;
  details.http_status = 403;
  return MakeError(details, "as DingTalk says");
}
absl::Status TooFast() { return Refused(ErrorReason::kUpstreamRateLimited, Persistence::kTransient, absl::Seconds(1)); }

class CallBudgetTest : public testing::Test {
 protected:
  CallBudget New(double qps, int64_t monthly_calls, int64_t used = 0) {
    CallBudget::Options options;
    options.qps = qps;
    options.monthly_calls = monthly_calls;
    CallBudget budget(options);
    budget.OpenMonth(kMonth, used);
    return budget;
  }

  // Calls as soon as each may be made, until `end`; the times.
  std::vector<absl::Time> CallsUntil(CallBudget& budget, absl::Time end) {
    std::vector<absl::Time> calls;
    while ((now_ = budget.NextTurn(Purpose::kCaller, now_)) < end) {
      budget.Count(Purpose::kCaller, now_);
      calls.push_back(now_);
    }
    now_ = end;
    return calls;
  }

  // The most calls in any second, wherever it begins.
  static size_t MostInASecond(const std::vector<absl::Time>& calls) {
    size_t most = 0;
    std::deque<absl::Time> window;
    for (const absl::Time call : calls) {
      while (!window.empty() && window.front() <= call - absl::Seconds(1)) window.pop_front();
      window.push_back(call);
      most = std::max(most, window.size());
    }
    return most;
  }

  absl::Status Ask(CallBudget& budget, Purpose purpose, absl::string_view task_id = "abcd") {
    return budget.Refusal(purpose, task_id, now_);
  }
  // A poll that is made if it may be.
  bool Poll(CallBudget& budget, absl::string_view task_id = "abcd") {
    if (!Ask(budget, Purpose::kPoll, task_id).ok()) return false;
    budget.Count(Purpose::kPoll, now_);
    return true;
  }

  absl::Time now_ = kStart;
};

TEST_F(CallBudgetTest, StaysUnderTheRateInEverySecondWhereverItBegins) {
  CallBudget budget = New(18, 0);
  const std::vector<absl::Time> calls = CallsUntil(budget, kStart + absl::Seconds(60));
  EXPECT_LE(MostInASecond(calls), 19u);
  EXPECT_GE(calls.size(), 60u * 18);
}

TEST_F(CallBudgetTest, StaysUnderTheRateAfterItWasIdle) {
  CallBudget budget = New(18, 0);
  std::vector<absl::Time> calls = CallsUntil(budget, kStart + absl::Seconds(2));
  now_ += absl::Hours(1);
  for (const absl::Time call : CallsUntil(budget, now_ + absl::Seconds(2))) calls.push_back(call);
  EXPECT_LE(MostInASecond(calls), 19u);
}

TEST_F(CallBudgetTest, LetsASlowRateThroughOneByOne) {
  CallBudget budget = New(0.5, 0);
  EXPECT_EQ(CallsUntil(budget, kStart + absl::Seconds(20)).size(), 10u);
}

TEST_F(CallBudgetTest, HoldsNothingUpWithoutARate) {
  CallBudget budget = New(0, 0);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(budget.NextTurn(Purpose::kCaller, now_), now_);
    budget.Count(Purpose::kCaller, now_);
  }
}

TEST_F(CallBudgetTest, TellsWhenACallsTurnWillCome) {
  CallBudget budget = New(10, 0);
  budget.Count(Purpose::kCaller, now_);
  EXPECT_NEAR(absl::ToDoubleSeconds(budget.TurnAfter(0, now_) - now_), 0.1, 0.01);
  EXPECT_NEAR(absl::ToDoubleSeconds(budget.TurnAfter(50, now_) - now_), 5.1, 0.01);
}

TEST_F(CallBudgetTest, StopsForASecondAndThenGoesSlowerWhenDingTalkFindsItTooFast) {
  CallBudget budget = New(18, 0);
  CallsUntil(budget, kStart + absl::Seconds(5));
  budget.Report(TooFast(), now_);
  const absl::Time refused = now_;
  EXPECT_GE(budget.NextTurn(Purpose::kCaller, now_), refused + absl::Seconds(1));
  EXPECT_TRUE(Ask(budget, Purpose::kCaller).ok()) << "who can wait a second is not refused";
  const std::vector<absl::Time> calls = CallsUntil(budget, refused + absl::Seconds(11));
  EXPECT_LT(calls.size(), 10u * 15);
  EXPECT_GT(calls.size(), 10u * 10);
}

TEST_F(CallBudgetTest, IsAsFastAsEverAMinuteAfterARefusal) {
  CallBudget budget = New(18, 0);
  CallsUntil(budget, kStart + absl::Seconds(5));
  budget.Report(TooFast(), now_);
  now_ += absl::Minutes(1);
  EXPECT_GE(CallsUntil(budget, now_ + absl::Seconds(10)).size(), 180u);
}

TEST_F(CallBudgetTest, SlowsDownOnceForCallsThatAreRefusedTogether) {
  CallBudget budget = New(18, 0);
  CallsUntil(budget, kStart + absl::Seconds(5));
  for (int i = 0; i < 10; ++i) budget.Report(TooFast(), now_);
  EXPECT_GT(budget.StatsAt(now_).rate, 10);
}

TEST_F(CallBudgetTest, FindsARateWhenDingTalkRefusesAndNoneWasGiven) {
  CallBudget budget = New(0, 0);
  for (int i = 0; i < 100; ++i) budget.Count(Purpose::kCaller, now_);
  budget.Report(TooFast(), now_);
  EXPECT_NEAR(budget.StatsAt(now_).rate, 70, 0.1);
  now_ += absl::Minutes(1);
  EXPECT_EQ(budget.StatsAt(now_).rate, 0) << "no limit again";
}

TEST_F(CallBudgetTest, CutsToWhatWasReallyMadeWhenOthersUseTheSameApp) {
  CallBudget budget = New(18, 0);
  for (int i = 0; i < 10; ++i) {
    budget.Count(Purpose::kCaller, now_);
    now_ += absl::Milliseconds(100);
  }
  budget.Report(TooFast(), now_);
  EXPECT_LT(budget.StatsAt(now_).rate, 8);
}

TEST_F(CallBudgetTest, RefusesEveryCallDuringALongPauseAndTellsWhatIsLeftOfIt) {
  struct Row {
    ErrorReason reason;
    absl::Duration pause;
  };
  for (const Row& row : {Row{ErrorReason::kUpstreamRateLimited, absl::Minutes(1)},
                         Row{ErrorReason::kUpstreamIpBanned, absl::Seconds(300)}}) {
    CallBudget budget = New(18, 5000);
    budget.Report(Refused(row.reason, Persistence::kPaused, row.pause), now_);
    now_ += absl::Seconds(10);
    for (const Purpose purpose : {Purpose::kPoll, Purpose::kCaller, Purpose::kToken}) {
      const ErrorDetails details = DetailsOf(Ask(budget, purpose));
      EXPECT_EQ(details.reason, row.reason);
      EXPECT_EQ(details.persistence, Persistence::kPaused);
      EXPECT_EQ(details.retry_after, row.pause - absl::Seconds(10));
      EXPECT_TRUE(details.not_asked);
    }
    EXPECT_EQ(budget.StatsAt(now_).restraint, Restraint::kPaused);
    now_ += row.pause - absl::Seconds(10);
    EXPECT_TRUE(Ask(budget, Purpose::kPoll).ok());
    EXPECT_EQ(budget.NextTurn(Purpose::kCaller, now_), now_);
  }
}

TEST_F(CallBudgetTest, KeepsTheLongerOfTwoPauses) {
  CallBudget budget = New(18, 5000);
  budget.Report(Refused(ErrorReason::kUpstreamIpBanned, Persistence::kPaused, absl::Seconds(300)), now_);
  budget.Report(Refused(ErrorReason::kUpstreamRateLimited, Persistence::kPaused, absl::Seconds(60)), now_);
  EXPECT_EQ(DetailsOf(Ask(budget, Purpose::kCaller)).retry_after, absl::Seconds(300));
}

TEST_F(CallBudgetTest, LearnsNothingFromItsOwnRefusalsNorFromOtherErrors) {
  CallBudget budget = New(18, 5000);
  ErrorDetails details = DetailsOf(TooFast());
  details.not_asked = true;
  budget.Report(MakeError(details, "ours"), now_);
  budget.Report(Refused(ErrorReason::kUpstreamSystemError, Persistence::kTransient, absl::Seconds(1)), now_);
  budget.Report(Refused(ErrorReason::kUpstreamPermissionDenied, Persistence::kPermanent, std::nullopt), now_);
  budget.Report(absl::OkStatus(), now_);
  EXPECT_EQ(budget.NextTurn(Purpose::kCaller, now_), now_);
  EXPECT_EQ(budget.StatsAt(now_).rate, 18);
}

TEST_F(CallBudgetTest, StopsUntilTheNextMonthWhenDingTalkSaysThatThisOneIsUsedUp) {
  CallBudget budget = New(18, 5000, 100);
  now_ = kStart + 10 * kDay;
  budget.Report(Refused(ErrorReason::kMonthlyQuotaExhausted, Persistence::kPaused, std::nullopt), now_);
  EXPECT_EQ(DetailsOf(Ask(budget, Purpose::kCaller)).retry_after, 20 * kDay);
  budget.OpenMonth(kMonth + 1, 0);
  EXPECT_TRUE(Ask(budget, Purpose::kCaller).ok());
}

TEST_F(CallBudgetTest, StopsWhenTheMonthsCallsAreMade) {
  CallBudget budget = New(0, 5000, 4999);
  now_ = kStart + 20 * kDay;
  EXPECT_TRUE(Ask(budget, Purpose::kCaller).ok());
  budget.Count(Purpose::kCaller, now_);
  for (const Purpose purpose : {Purpose::kPoll, Purpose::kCaller, Purpose::kToken}) {
    const absl::Status refusal = Ask(budget, purpose);
    EXPECT_EQ(refusal.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(DetailsOf(refusal).reason, ErrorReason::kMonthlyQuotaExhausted);
    EXPECT_EQ(DetailsOf(refusal).retry_after, 10 * kDay);
    EXPECT_TRUE(DetailsOf(refusal).not_asked);
  }
  EXPECT_EQ(budget.StatsAt(now_).restraint, Restraint::kUsedUp);
  EXPECT_EQ(budget.StatsAt(now_).until, kStart + 30 * kDay);
}

TEST_F(CallBudgetTest, CountsTokensInTheMonthButNotInTheSecond) {
  CallBudget budget = New(1, 5000);
  budget.Count(Purpose::kCaller, now_);
  EXPECT_EQ(budget.NextTurn(Purpose::kToken, now_), now_);
  for (int i = 0; i < 10; ++i) budget.Count(Purpose::kToken, now_);
  EXPECT_EQ(budget.calls(), 11);
  EXPECT_LE(budget.NextTurn(Purpose::kCaller, now_), now_ + absl::Seconds(1));
}

TEST_F(CallBudgetTest, SlowsPollsDownAsFarAsTheyAreAheadOfTheMonth) {
  struct Row {
    int day;
    int64_t used;
    double slowdown;
  };
  // Without the reserve of 500 polls may take 4500, of which a fiftieth of a month's is kept for the last hours.
  const Row rows[] = {
      {0, 0, 1},      {15, 0, 1},     {15, 2250, 1.17}, {15, 3375, 18.8}, {3, 3750, 100},
      {0, 4000, 100}, {0, 4500, 100}, {0, 4999, 100},   {29, 4490, 1},
  };
  for (const Row& row : rows) {
    EXPECT_NEAR(New(18, 5000, row.used).Slowdown(kStart + row.day * kDay), row.slowdown, row.slowdown / 50)
        << row.used << " used on day " << row.day;
  }
  EXPECT_EQ(New(18, 0, 4000).Slowdown(kStart), 1);
}

TEST_F(CallBudgetTest, DoesNotPacePollsWhileTheCallsLastAsLongAsTheMonth) {
  CallBudget budget = New(0, 5000, 100);
  now_ = kStart + 3 * kDay;
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(Poll(budget, absl::StrCat(i)));
}

TEST_F(CallBudgetTest, PacesPollsWhenTheyAreFarAhead) {
  CallBudget budget = New(0, 5000, 3750);
  now_ = kStart + 3 * kDay;
  int polls = 0;
  while (Poll(budget, absl::StrCat(polls))) ++polls;
  // A tenth of the 750 that they may take.
  EXPECT_EQ(polls, 75);
  const absl::Status refusal = Ask(budget, Purpose::kPoll);
  EXPECT_EQ(DetailsOf(refusal).persistence, Persistence::kPaused);
  EXPECT_TRUE(absl::StrContains(refusal.message(), "polls go on, one every")) << refusal;
  EXPECT_EQ(budget.StatsAt(now_).restraint, Restraint::kPaced);
  EXPECT_TRUE(Ask(budget, Purpose::kCaller).ok());
}

TEST_F(CallBudgetTest, LetsPollsThatArePutOffGoInTheOrderInWhichTheyCame) {
  CallBudget budget = New(0, 5000, 3750);
  now_ = kStart + 3 * kDay;
  while (Poll(budget, "before")) {
  }
  for (const char* task_id : {"first", "second", "third"}) EXPECT_FALSE(Poll(budget, task_id));
  std::vector<std::string> made;
  while (made.size() < 4) {
    now_ += absl::Minutes(10);
    for (const char* task_id : {"third", "newcomer", "second", "first"}) {
      if (Poll(budget, task_id)) made.push_back(task_id);
    }
  }
  EXPECT_EQ(made, (std::vector<std::string>{"first", "second", "third", "newcomer"}));
}

TEST_F(CallBudgetTest, PacesPollsEvenly) {
  CallBudget budget = New(0, 5000, 3750);
  now_ = kStart + 3 * kDay;
  while (Poll(budget)) {
  }
  // 675 polls in 27.6 days.
  std::vector<absl::Time> polls;
  while (polls.size() < 10) {
    now_ += absl::Minutes(1);
    if (Poll(budget)) polls.push_back(now_);
  }
  EXPECT_NEAR(absl::ToDoubleMinutes(polls[9] - polls[0]) / 9, 27.6 * 24 * 60 / 675, 2);
}

TEST_F(CallBudgetTest, LetsAPollComeAndSeeBeforeItsTurnIsDue) {
  CallBudget budget = New(0, 5000, 3750);
  now_ = kStart + 3 * kDay;
  for (int task = 0; task < 300; ++task) Poll(budget, absl::StrCat(task));
  const absl::Duration look = *DetailsOf(Ask(budget, Purpose::kPoll, "299")).retry_after;
  EXPECT_GT(look, kDay);
  now_ += look;
  const absl::Duration next = *DetailsOf(Ask(budget, Purpose::kPoll, "299")).retry_after;
  EXPECT_LT(next, look);
}

TEST_F(CallBudgetTest, NeverStopsPollsWhileACallIsLeft) {
  for (const int64_t left : {600, 500, 250, 10, 2, 1}) {
    CallBudget budget = New(0, 5000, 5000 - left);
    now_ = kStart + 3 * kDay;
    int polls = 0;
    // One task that is asked about as soon as it may be.
    while (now_ < kStart + 30 * kDay) {
      const absl::Status refusal = Ask(budget, Purpose::kPoll);
      if (refusal.ok()) {
        budget.Count(Purpose::kPoll, now_);
        ++polls;
        now_ += absl::Seconds(1);
      } else {
        now_ += *DetailsOf(refusal).retry_after;
      }
    }
    EXPECT_GE(polls, 1) << left << " calls left";
    EXPECT_LE(budget.calls(), 5000);
  }
}

TEST_F(CallBudgetTest, LeavesCallersWhatTheyWillTakeIfTheyGoOn) {
  CallBudget budget = New(0, 5000);
  const int64_t left = budget.StatsAt(now_).left_for_polls;
  EXPECT_EQ(left, 4500);
  for (int day = 0; day < 3; ++day) {
    for (int i = 0; i < 50; ++i) budget.Count(Purpose::kCaller, now_);
    now_ += kDay;
  }
  // 50 a day for 27 days.
  EXPECT_EQ(budget.StatsAt(now_).left_for_polls, 5000 - 150 - 27 * 50);
}

TEST_F(CallBudgetTest, LeavesCallersHalfOfTheReserveWhateverPollsWant) {
  CallBudget budget = New(0, 5000, 4500);
  now_ = kStart + 3 * kDay;
  // A hundred tasks that are asked about all the time, until the middle of what is left of the month.
  while (now_ < kStart + 16 * kDay) {
    for (int task = 0; task < 100; ++task) Poll(budget, absl::StrCat(task));
    now_ += absl::Minutes(15);
  }
  EXPECT_GT(5000 - budget.calls(), 250);
}

TEST_F(CallBudgetTest, ForgetsThePlacesOfPollsThatNeverCome) {
  CallBudget budget = New(0, 5000, 4500);
  now_ = kStart + 3 * kDay;
  for (int task = 0; task < 100'000; ++task) Poll(budget, absl::StrCat(task));
  // What is left is told for a place within the month.
  EXPECT_LE(*DetailsOf(Ask(budget, Purpose::kPoll, "new")).retry_after, 27 * kDay);
}

TEST_F(CallBudgetTest, StopsPacingWhenTheMonthHasCaughtUp) {
  CallBudget budget = New(0, 5000, 3750);
  now_ = kStart + 3 * kDay;
  EXPECT_EQ(budget.StatsAt(now_).restraint, Restraint::kPaced);
  now_ = kStart + 27 * kDay;
  EXPECT_EQ(budget.StatsAt(now_).restraint, Restraint::kNone);
}

TEST_F(CallBudgetTest, HoldsNothingUpForLongerWhenTheClockIsSetBack) {
  CallBudget budget = New(18, 5000, 3750);
  now_ = kStart + 10 * kDay;
  CallsUntil(budget, now_ + absl::Seconds(5));
  budget.Report(TooFast(), now_);
  budget.Report(Refused(ErrorReason::kUpstreamIpBanned, Persistence::kPaused, absl::Seconds(300)), now_);
  now_ -= absl::Hours(24);
  EXPECT_EQ(DetailsOf(Ask(budget, Purpose::kCaller)).retry_after, absl::Seconds(300));
  now_ += absl::Seconds(300);
  EXPECT_TRUE(Ask(budget, Purpose::kCaller).ok());
  EXPECT_EQ(budget.NextTurn(Purpose::kCaller, now_), now_);
  EXPECT_EQ(budget.StatsAt(now_).rate, 18);
}

}  // namespace
}  // namespace taskwatch
