#include "service/quota/call_budget.h"

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "service/task/priority.h"
#include "service/task/task_error.h"
#include "tests/matchers/status_matchers.h"

namespace taskwatch {
namespace {

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
absl::Status Denied() { return Refused(ErrorReason::kUpstreamPermissionDenied, Persistence::kPermanent, std::nullopt); }
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

  // Calls as soon as each may be made, until `end`; how often.
  int CallUntil(CallBudget& budget, absl::Time end) {
    int calls = 0;
    while ((now_ = budget.NextPermit(Priority::kCaller, now_)) < end) {
      Succeed(budget, Priority::kCaller);
      ++calls;
    }
    now_ = end;
    return calls;
  }

  // A call that is made, and whose answer is to come.
  CallBudget::CallId Call(CallBudget& budget, Priority priority = Priority::kCaller,
                          absl::string_view task_id = "abcd") {
    budget.Count(++last_id_, priority, task_id, now_);
    return last_id_;
  }
  void Succeed(CallBudget& budget, Priority priority, absl::string_view task_id = "abcd") {
    budget.Report(Call(budget, priority, task_id), absl::OkStatus(), now_);
  }
  void Fail(CallBudget& budget, const absl::Status& error, absl::string_view task_id = "abcd") {
    budget.Report(Call(budget, Priority::kCaller, task_id), error, now_);
  }

  absl::Status Ask(CallBudget& budget, Priority priority, absl::string_view task_id = "abcd") {
    return priority == Priority::kPoll ? budget.AdmitPoll(task_id, now_) : budget.Check(priority, now_);
  }
  // A poll that is made if it may be.
  bool Poll(CallBudget& budget, absl::string_view task_id = "abcd") {
    if (!Ask(budget, Priority::kPoll, task_id).ok()) return false;
    Succeed(budget, Priority::kPoll, task_id);
    return true;
  }

  absl::Time now_ = kStart;
  CallBudget::CallId last_id_ = 0;
};

TEST_F(CallBudgetTest, StopsForASecondAndThenGoesSlowerWhenDingTalkFindsItTooFast) {
  CallBudget budget = New(18, 0);
  CallUntil(budget, kStart + absl::Seconds(5));
  Fail(budget, TooFast());
  const absl::Time refused = now_;
  EXPECT_GE(budget.NextPermit(Priority::kCaller, now_), refused + absl::Seconds(1));
  EXPECT_THAT(Ask(budget, Priority::kCaller), IsOk()) << "a caller that can wait a second is not refused";
  const int calls = CallUntil(budget, refused + absl::Seconds(11));
  EXPECT_LT(calls, 10 * 15);
  EXPECT_GT(calls, 10 * 10);
}

TEST_F(CallBudgetTest, RefusesEveryCallDuringALongPauseAndTellsWhatIsLeftOfIt) {
  struct Row {
    ErrorReason reason;
    absl::Duration pause;
  };
  for (const Row& row : {Row{ErrorReason::kUpstreamRateLimited, absl::Minutes(1)},
                         Row{ErrorReason::kUpstreamIpBanned, absl::Seconds(300)}}) {
    CallBudget budget = New(18, 5000);
    Fail(budget, Refused(row.reason, Persistence::kPaused, row.pause));
    now_ += absl::Seconds(10);
    for (const Priority priority : {Priority::kPoll, Priority::kCaller, Priority::kToken}) {
      const ErrorDetails details = DetailsOf(Ask(budget, priority));
      EXPECT_EQ(details.reason, row.reason);
      EXPECT_EQ(details.persistence, Persistence::kPaused);
      EXPECT_EQ(details.retry_after, row.pause - absl::Seconds(10));
      EXPECT_TRUE(details.not_asked);
    }
    EXPECT_EQ(budget.StatsAt(now_).restraint, Restraint::kPaused);
    now_ += row.pause - absl::Seconds(10);
    EXPECT_THAT(Ask(budget, Priority::kPoll), IsOk());
    EXPECT_EQ(budget.NextPermit(Priority::kCaller, now_), now_);
  }
}

TEST_F(CallBudgetTest, LearnsNothingFromItsOwnRefusalsNorFromOtherErrors) {
  CallBudget budget = New(0, 5000);
  ErrorDetails details = DetailsOf(TooFast());
  details.not_asked = true;
  Fail(budget, MakeError(details, "ours"));
  Fail(budget, Refused(ErrorReason::kUpstreamSystemError, Persistence::kTransient, absl::Seconds(1)));
  Fail(budget, Refused(ErrorReason::kTaskNotFound, Persistence::kPermanent, std::nullopt));
  // Of a call that needed no permit.
  budget.Report(0, TooFast(), now_);
  budget.Report(0, Denied(), now_);
  EXPECT_EQ(budget.NextPermit(Priority::kCaller, now_), now_);
  EXPECT_THAT(Ask(budget, Priority::kCaller), IsOk());
  EXPECT_EQ(budget.StatsAt(now_).rate, 0);
}

TEST_F(CallBudgetTest, RemembersWhatIsWrongWithTheAppForEverythingButTokens) {
  CallBudget budget = New(18, 5000);
  Fail(budget, Denied());
  for (const Priority priority : {Priority::kPoll, Priority::kCaller}) {
    const absl::Status refusal = Ask(budget, priority, "another");
    EXPECT_THAT(refusal, StatusIs(absl::StatusCode::kFailedPrecondition, "as DingTalk says"));
    const ErrorDetails details = DetailsOf(refusal);
    EXPECT_EQ(details.reason, ErrorReason::kUpstreamPermissionDenied);
    EXPECT_EQ(details.persistence, Persistence::kPermanent);
    EXPECT_EQ(details.http_status, 403);
    EXPECT_GE(details.retry_after, absl::Seconds(1));
    EXPECT_LE(details.retry_after, absl::Seconds(2));
    EXPECT_TRUE(details.not_asked);
  }
  EXPECT_THAT(Ask(budget, Priority::kToken), IsOk()) << "a probe needs one";
  EXPECT_EQ(budget.StatsAt(now_).restraint, Restraint::kFailing);
  EXPECT_EQ(budget.StatsAt(now_).reason, "as DingTalk says");

  now_ += absl::Seconds(2);
  EXPECT_THAT(Ask(budget, Priority::kCaller), IsOk());
  const CallBudget::CallId probe = Call(budget);
  EXPECT_EQ(DetailsOf(Ask(budget, Priority::kCaller)).retry_after, absl::Seconds(1)) << "one probe at a time";
  Succeed(budget, Priority::kToken);
  EXPECT_THAT(Ask(budget, Priority::kCaller), HasReason(ErrorReason::kUpstreamPermissionDenied))
      << "a token says nothing of the permission";
  EXPECT_TRUE(budget.Report(probe, absl::OkStatus(), now_));
  EXPECT_THAT(Ask(budget, Priority::kCaller), IsOk());
  EXPECT_EQ(budget.StatsAt(now_).restraint, Restraint::kNone);
  EXPECT_EQ(budget.StatsAt(now_).probes, 1);
}

TEST_F(CallBudgetTest, HoldsCallersForShortPausesForTheRateAndRefusesThemForLongOnes) {
  CallBudget budget = New(18, 5000);
  for (const int held : {1, 2, 4}) {
    Fail(budget, TooFast());
    EXPECT_THAT(Ask(budget, Priority::kCaller), IsOk());
    const absl::Time permit = budget.NextPermit(Priority::kCaller, now_);
    EXPECT_GE(permit, now_ + absl::Seconds(held));
    EXPECT_LE(permit, now_ + absl::Seconds(held) * 1.1);
    now_ = permit;
  }
  Fail(budget, TooFast());
  const ErrorDetails details = DetailsOf(Ask(budget, Priority::kCaller));
  EXPECT_EQ(details.reason, ErrorReason::kUpstreamRateLimited);
  EXPECT_EQ(details.persistence, Persistence::kPaused);
  EXPECT_GE(details.retry_after, absl::Seconds(8));
  EXPECT_THAT(Ask(budget, Priority::kToken), IsOk()) << "tokens have a rate of their own";
}

TEST_F(CallBudgetTest, GivesBackToTheMonthWhatDingTalkDoesNotCount) {
  const auto refusal = [](ErrorReason reason, Persistence persistence, int http_status, const char* code,
                          bool not_asked = false) {
    ErrorDetails details;
    details.reason = reason;
    details.persistence = persistence;
    details.http_status = http_status;
    details.upstream_code = code;
    details.not_asked = not_asked;
    return MakeError(details, "as DingTalk says");
  };
  struct Row {
    absl::Status outcome;
    bool counts;
  };
  const Row rows[] = {
      {absl::OkStatus(), true},
      {refusal(ErrorReason::kUpstreamRateLimited, Persistence::kTransient, 403,
               "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi"),
       false},
      {refusal(ErrorReason::kUpstreamRateLimited, Persistence::kPaused, 403,
               "forbidden.accessdenied.qpmlimitforappkeyandapi"),
       false},
      {refusal(ErrorReason::kUpstreamRateLimited, Persistence::kTransient, 429, ""), true},
      {refusal(ErrorReason::kUpstreamRateLimited, Persistence::kTransient, 403, "Forbidden.Whatever"), true},
      {refusal(ErrorReason::kUpstreamPermissionDenied, Persistence::kPermanent, 403,
               "Forbidden.AccessDenied.IpNotInWhiteList"),
       true},
      {refusal(ErrorReason::kUpstreamTimeout, Persistence::kTransient, 0, ""), true},
      {refusal(ErrorReason::kUpstreamUnavailable, Persistence::kTransient, 0, ""), true},
      {refusal(ErrorReason::kUpstreamUntrusted, Persistence::kTransient, 0, ""), false},
      {refusal(ErrorReason::kUpstreamUnauthenticated, Persistence::kPermanent, 0, "", /*not_asked=*/true), false},
  };
  for (const Row& row : rows) {
    for (const Priority priority : {Priority::kPoll, Priority::kCaller, Priority::kToken}) {
      CallBudget budget = New(0, 5000, 100);
      const CallBudget::CallId id = Call(budget, priority);
      EXPECT_EQ(budget.calls(), 101);
      budget.Report(id, row.outcome, now_);
      EXPECT_EQ(budget.calls(), row.counts ? 101 : 100) << row.outcome;
      EXPECT_EQ(budget.StatsAt(now_).given_back, row.counts ? 0 : 1) << row.outcome;
      budget.Report(id, row.outcome, now_);
      EXPECT_EQ(budget.calls(), row.counts ? 101 : 100) << "reported twice: " << row.outcome;
    }
  }
}

TEST_F(CallBudgetTest, GivesNothingBackToAnotherMonth) {
  CallBudget budget = New(0, 5000, 100);
  const CallBudget::CallId id = Call(budget);
  budget.OpenMonth(kMonth + 1, 7);
  ErrorDetails details;
  details.reason = ErrorReason::kUpstreamUntrusted;
  details.persistence = Persistence::kTransient;
  budget.Report(id, MakeError(details, "no trust"), now_);
  EXPECT_EQ(budget.calls(), 7);
  EXPECT_EQ(budget.StatsAt(now_).given_back, 0);
}

TEST_F(CallBudgetTest, MakesFewCallsToADingTalkThatHangs) {
  CallBudget budget = New(18, 5000);
  int calls = 0;
  while (now_ < kStart + absl::Seconds(5)) {
    if (budget.NextPermit(Priority::kCaller, now_) <= now_) {
      Call(budget, Priority::kCaller, absl::StrCat(calls));
      ++calls;
    }
    now_ += absl::Milliseconds(10);
  }
  EXPECT_LE(calls, 40);
  EXPECT_EQ(budget.StatsAt(now_).calls_out, static_cast<size_t>(calls));
  EXPECT_EQ(budget.NextPermit(Priority::kToken, now_), now_);
  EXPECT_TRUE(budget.Report(1, absl::OkStatus(), now_)) << "those who wait are to be looked at";
  EXPECT_EQ(budget.NextPermit(Priority::kCaller, now_), now_);
}

TEST_F(CallBudgetTest, StopsUntilTheNextMonthWhenDingTalkSaysThatThisOneIsUsedUp) {
  CallBudget budget = New(18, 5000, 100);
  now_ = kStart + 10 * kDay;
  Fail(budget, Refused(ErrorReason::kMonthlyQuotaExhausted, Persistence::kPaused, std::nullopt));
  EXPECT_EQ(DetailsOf(Ask(budget, Priority::kCaller)).retry_after, 20 * kDay);
  budget.OpenMonth(kMonth + 1, 0);
  EXPECT_THAT(Ask(budget, Priority::kCaller), IsOk());
}

TEST_F(CallBudgetTest, StopsWhenTheMonthsCallsAreMade) {
  CallBudget budget = New(0, 5000, 4999);
  now_ = kStart + 20 * kDay;
  EXPECT_THAT(Ask(budget, Priority::kCaller), IsOk());
  Succeed(budget, Priority::kCaller);
  for (const Priority priority : {Priority::kPoll, Priority::kCaller, Priority::kToken}) {
    const absl::Status refusal = Ask(budget, priority);
    EXPECT_THAT(refusal, HasReason(ErrorReason::kMonthlyQuotaExhausted));
    EXPECT_EQ(DetailsOf(refusal).retry_after, 10 * kDay);
    EXPECT_TRUE(DetailsOf(refusal).not_asked);
  }
  EXPECT_EQ(budget.StatsAt(now_).restraint, Restraint::kUsedUp);
  EXPECT_EQ(budget.StatsAt(now_).until, kStart + 30 * kDay);
}

TEST_F(CallBudgetTest, CountsTokensInTheMonthButNotInTheSecond) {
  CallBudget budget = New(1, 5000);
  Succeed(budget, Priority::kCaller);
  EXPECT_EQ(budget.NextPermit(Priority::kToken, now_), now_);
  for (int i = 0; i < 10; ++i) Succeed(budget, Priority::kToken);
  EXPECT_EQ(budget.calls(), 11);
  EXPECT_LE(budget.NextPermit(Priority::kCaller, now_), now_ + absl::Seconds(1));
}

TEST_F(CallBudgetTest, PacesPollsWhenTheyAreFarAhead) {
  CallBudget budget = New(0, 5000, 3750);
  now_ = kStart + 3 * kDay;
  int polls = 0;
  while (Poll(budget, absl::StrCat(polls))) ++polls;
  // A tenth of the 750 that they may take.
  EXPECT_EQ(polls, 75);
  const absl::Status refusal = Ask(budget, Priority::kPoll);
  EXPECT_THAT(refusal, HasReason(ErrorReason::kPollDeferred)) << "the month is not used up";
  EXPECT_EQ(DetailsOf(refusal).persistence, Persistence::kPaused);
  EXPECT_TRUE(DetailsOf(refusal).not_asked);
  EXPECT_TRUE(DetailsOf(refusal).retry_after.has_value());
  EXPECT_THAT(refusal, StatusIs(absl::StatusCode::kResourceExhausted, testing::HasSubstr("polls go on, one every")));
  EXPECT_EQ(budget.StatsAt(now_).restraint, Restraint::kPaced);
  EXPECT_THAT(Ask(budget, Priority::kCaller), IsOk());
}

TEST_F(CallBudgetTest, NeverStopsPollsWhileACallIsLeft) {
  for (const int64_t left : {600, 500, 250, 10, 2, 1}) {
    CallBudget budget = New(0, 5000, 5000 - left);
    now_ = kStart + 3 * kDay;
    int polls = 0;
    // One task that is asked about as soon as it may be.
    while (now_ < kStart + 30 * kDay) {
      const absl::Status refusal = Ask(budget, Priority::kPoll);
      if (refusal.ok()) {
        Succeed(budget, Priority::kPoll);
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

TEST_F(CallBudgetTest, PutsNoPollOffBeyondTheMonth) {
  CallBudget budget = New(0, 5000, 4500);
  now_ = kStart + 3 * kDay;
  for (int task = 0; task < 10'000; ++task) Poll(budget, absl::StrCat(task));
  EXPECT_LE(*DetailsOf(Ask(budget, Priority::kPoll, "new")).retry_after, 27 * kDay);
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
  CallUntil(budget, now_ + absl::Seconds(5));
  const CallBudget::CallId other = Call(budget);
  Fail(budget, TooFast());
  budget.Report(other, Refused(ErrorReason::kUpstreamIpBanned, Persistence::kPaused, absl::Seconds(300)), now_);
  now_ -= absl::Hours(24);
  budget.ObserveTime(now_);
  EXPECT_EQ(DetailsOf(Ask(budget, Priority::kCaller)).retry_after, absl::Seconds(300));
  now_ += absl::Seconds(300);
  EXPECT_THAT(Ask(budget, Priority::kCaller), IsOk());
  EXPECT_EQ(budget.NextPermit(Priority::kCaller, now_), now_);
  EXPECT_EQ(budget.StatsAt(now_).rate, 18);
}

}  // namespace
}  // namespace taskwatch
