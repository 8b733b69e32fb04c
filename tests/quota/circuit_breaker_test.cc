#include "service/quota/circuit_breaker.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "service/task/task_error.h"
#include "tests/matchers/status_matchers.h"

namespace taskwatch {
namespace {

absl::Status Error(ErrorReason reason, Persistence persistence,
                   std::optional<absl::Duration> retry_after = std::nullopt, bool not_asked = false) {
  ErrorDetails details;
  details.reason = reason;
  details.persistence = persistence;
  details.retry_after = retry_after;
  details.not_asked = not_asked;
  return MakeError(details, "as DingTalk says");
}

absl::Status Denied() { return Error(ErrorReason::kUpstreamPermissionDenied, Persistence::kPermanent); }
absl::Status Banned() { return Error(ErrorReason::kUpstreamIpBanned, Persistence::kPaused, absl::Seconds(300)); }
absl::Status TooFast() { return Error(ErrorReason::kUpstreamRateLimited, Persistence::kTransient, absl::Seconds(1)); }
absl::Status TimedOut() { return Error(ErrorReason::kUpstreamTimeout, Persistence::kTransient); }
absl::Status NotFound() { return Error(ErrorReason::kTaskNotFound, Persistence::kPermanent); }
absl::Status OldToken() { return Error(ErrorReason::kUpstreamUnauthenticated, Persistence::kTransient); }
absl::Status NewTokenRejected() { return Error(ErrorReason::kUpstreamUnauthenticated, Persistence::kPermanent); }
absl::Status NotMade() {
  return Error(ErrorReason::kUpstreamUnavailable, Persistence::kTransient, std::nullopt, /*not_asked=*/true);
}

class CircuitBreakerTest : public testing::Test {
 protected:
  // Makes a call about `task`, which has that outcome at once; its id.
  uint64_t Call(const absl::Status& outcome, uint64_t task = 1) {
    const uint64_t id = Begin();
    End(id, outcome, task);
    return id;
  }
  uint64_t Begin() {
    breaker_.OnCall(++last_id_, now_);
    return last_id_;
  }
  void End(uint64_t id, const absl::Status& outcome, uint64_t task = 1) {
    breaker_.Report(id, task, outcome, DetailsOf(outcome), now_);
  }
  // Until the next probe is due.
  void PassPause() { now_ += breaker_.WaitAt(now_); }
  absl::Duration Wait() const { return breaker_.WaitAt(now_); }

  absl::Time now_ = absl::FromUnixSeconds(1'800'000'000);
  CircuitBreaker breaker_{/*seed=*/1};
  uint64_t last_id_ = 0;
};

TEST_F(CircuitBreakerTest, OpensAtOnceForWhatIsWrongWithTheAppOnly) {
  struct Row {
    const char* what;
    absl::Status outcome;
    bool opens;
  };
  const Row rows[] = {
      {"success", absl::OkStatus(), false},
      {"permission or allow-list", Denied(), true},
      {"new token rejected", NewTokenRejected(), true},
      {"certificate", Error(ErrorReason::kUpstreamUntrusted, Persistence::kTransient), true},
      {"rate", TooFast(), true},
      {"rate of a minute", Error(ErrorReason::kUpstreamRateLimited, Persistence::kPaused, absl::Seconds(60)), true},
      {"ban", Banned(), true},
      {"month", Error(ErrorReason::kMonthlyQuotaExhausted, Persistence::kPaused, absl::Hours(24)), true},
      {"no such task", NotFound(), false},
      {"bad task id", Error(ErrorReason::kUpstreamParamError, Persistence::kPermanent), false},
      {"unknown", Error(ErrorReason::kUpstreamUnknownError, Persistence::kPermanent), false},
      {"timeout", TimedOut(), false},
      {"500", Error(ErrorReason::kUpstreamSystemError, Persistence::kTransient), false},
      {"malformed", Error(ErrorReason::kUpstreamMalformedResponse, Persistence::kTransient), false},
      {"permission, as remembered",
       Error(ErrorReason::kUpstreamPermissionDenied, Persistence::kPermanent, absl::Seconds(1), /*not_asked=*/true),
       false},
      {"without details", absl::InternalError("?"), false},
  };
  for (const Row& row : rows) {
    breaker_.Close();
    Call(row.outcome);
    EXPECT_EQ(breaker_.open(), row.opens) << row.what;
    EXPECT_EQ(Wait() > absl::ZeroDuration(), row.opens) << row.what;
    EXPECT_EQ(breaker_.error(), row.opens ? row.outcome : absl::OkStatus()) << row.what;
  }
}

TEST_F(CircuitBreakerTest, LetsOneProbeThroughAfterPausesThatGrowToAMinute) {
  for (const absl::Status& error : {Denied(), NewTokenRejected(), TooFast(), TimedOut()}) {
    breaker_.Close();
    for (uint64_t task = 0; !breaker_.open(); ++task) Call(error, task);
    for (const int seconds : {1, 2, 4, 8, 16, 32, 60, 60}) {
      EXPECT_GE(Wait(), absl::Seconds(seconds)) << error;
      EXPECT_LE(Wait(), std::min(absl::Seconds(seconds) * 1.1, absl::Minutes(1))) << error;
      PassPause();
      Call(error);
    }
  }
}

TEST_F(CircuitBreakerTest, HoldsOthersUpWhileAProbeIsUnderWay) {
  Call(Denied());
  PassPause();
  const uint64_t probe = Begin();
  EXPECT_EQ(Wait(), absl::Seconds(1));
  now_ += absl::Seconds(59);
  EXPECT_EQ(Wait(), absl::Seconds(1));
  End(probe, absl::OkStatus());
  EXPECT_FALSE(breaker_.open());
  EXPECT_EQ(Wait(), absl::ZeroDuration());
  EXPECT_EQ(breaker_.probes(), 1);
}

TEST_F(CircuitBreakerTest, LetsAnotherProbeThroughIfOneIsNeverReported) {
  Call(Denied());
  PassPause();
  const uint64_t lost = Begin();
  now_ += absl::Minutes(1);
  EXPECT_EQ(Wait(), absl::ZeroDuration());
  const uint64_t probe = Begin();
  End(lost, Denied());
  EXPECT_GE(Wait(), absl::Seconds(1)) << "the probe that counts is under way";
  End(probe, absl::OkStatus());
  EXPECT_FALSE(breaker_.open());
}

TEST_F(CircuitBreakerTest, ClosesWhenAProbeShowsThatDingTalkServesTheApp) {
  for (const absl::Status& opened : {Denied(), TooFast(), Banned(), NewTokenRejected()}) {
    for (const absl::Status& answer :
         {absl::OkStatus(), NotFound(), Error(ErrorReason::kUpstreamParamError, Persistence::kPermanent)}) {
      Call(opened);
      PassPause();
      Call(answer);
      EXPECT_FALSE(breaker_.open()) << opened << " " << answer;
      EXPECT_THAT(breaker_.error(), IsOk());
    }
  }
}

TEST_F(CircuitBreakerTest, BeginsWithAShortPauseAgainOnceItWasClosed) {
  Call(Denied());
  for (int i = 0; i < 5; ++i) {
    PassPause();
    Call(Denied());
  }
  PassPause();
  Call(absl::OkStatus());
  Call(Denied());
  EXPECT_LT(Wait(), absl::Seconds(1.2));
}

TEST_F(CircuitBreakerTest, TakesCallsThatWereMadeTogetherForOneFailure) {
  std::vector<uint64_t> calls;
  for (int i = 0; i < 10; ++i) calls.push_back(Begin());
  for (const uint64_t id : calls) End(id, TooFast());
  EXPECT_LT(Wait(), absl::Seconds(1.2));
}

TEST_F(CircuitBreakerTest, KeepsWhatItKnowsOfTheAppWhenACallThatWasMadeBeforeSucceeds) {
  const uint64_t before = Begin();
  Call(Denied());
  End(before, absl::OkStatus());
  EXPECT_TRUE(breaker_.open());
}

TEST_F(CircuitBreakerTest, LetsTheLongerOfTwoPausesCount) {
  const uint64_t first = Begin();
  const uint64_t second = Begin();
  Call(TooFast());
  End(first, Banned());
  EXPECT_EQ(Wait(), absl::Seconds(300));
  EXPECT_EQ(ReasonOf(breaker_.error()), ErrorReason::kUpstreamIpBanned);
  End(second, TooFast());
  EXPECT_EQ(Wait(), absl::Seconds(300));
  EXPECT_EQ(ReasonOf(breaker_.error()), ErrorReason::kUpstreamIpBanned);
}

TEST_F(CircuitBreakerTest, KeepsAPauseThatIsAskedForDuringAProbeWhichFails) {
  const uint64_t before = Begin();
  Call(Denied());
  PassPause();
  const uint64_t probe = Begin();
  End(before, Banned());
  End(probe, TimedOut());
  EXPECT_EQ(Wait(), absl::Seconds(300));
}

TEST_F(CircuitBreakerTest, TakesAPauseAsLongAsDingTalkAsksForHoweverOften) {
  for (int i = 0; i < 5; ++i) {
    Call(Banned());
    EXPECT_EQ(Wait(), absl::Seconds(300));
    PassPause();
  }
  EXPECT_EQ(breaker_.probes(), 4);
}

TEST_F(CircuitBreakerTest, WaitsForTheNextMonthOrAMinuteWhenDingTalkDoesNotSayHowLong) {
  const absl::TimeZone china = absl::FixedTimeZone(8 * 60 * 60);
  now_ = absl::FromCivil(absl::CivilDay(2027, 6, 21), china);
  Call(Error(ErrorReason::kMonthlyQuotaExhausted, Persistence::kPaused));
  EXPECT_EQ(Wait(), absl::Hours(240));
  breaker_.Close();
  Call(Error(ErrorReason::kUpstreamRateLimited, Persistence::kPaused));
  EXPECT_EQ(Wait(), absl::Minutes(1));
}

TEST_F(CircuitBreakerTest, TriesANewTokenWithOneCall) {
  const uint64_t first = Begin();
  const uint64_t second = Begin();
  End(first, OldToken());
  EXPECT_EQ(Wait(), absl::ZeroDuration());
  End(second, OldToken());
  EXPECT_EQ(Wait(), absl::ZeroDuration()) << "it had the same token";
  const uint64_t probe = Begin();
  EXPECT_EQ(Wait(), absl::Seconds(1));
  EXPECT_TRUE(breaker_.pausing()) << "others wait that long";
  End(probe, absl::OkStatus());
  EXPECT_FALSE(breaker_.open());
}

TEST_F(CircuitBreakerTest, TakesTwoRejectedNewTokensForAVerdict) {
  Call(OldToken());
  Call(OldToken());
  EXPECT_EQ(Wait(), absl::ZeroDuration());
  Call(OldToken());
  EXPECT_GE(Wait(), absl::Seconds(1));
  EXPECT_LE(Wait(), absl::Seconds(1.1));
  EXPECT_EQ(breaker_.error(), NewTokenRejected());
  EXPECT_FALSE(breaker_.pausing());
}

TEST_F(CircuitBreakerTest, KeepsToAFaultThatIsToldWhileANewTokenIsTried) {
  const uint64_t late = Begin();
  Call(OldToken());
  const uint64_t with_new_token = Begin();
  End(late, Denied());
  End(with_new_token, TimedOut());
  EXPECT_TRUE(breaker_.open()) << "the time-out says nothing of the permission";
  EXPECT_GT(Wait(), absl::ZeroDuration());
}

TEST_F(CircuitBreakerTest, LearnsNothingOfANewTokenFromAFailureOnTheWay) {
  Call(OldToken());
  Call(TimedOut());
  EXPECT_FALSE(breaker_.open());
}

TEST_F(CircuitBreakerTest, ProbesAtOnceWithANewTokenOnceAPause) {
  Call(NewTokenRejected());
  PassPause();
  Call(OldToken());
  EXPECT_TRUE(breaker_.open());
  EXPECT_EQ(Wait(), absl::ZeroDuration()) << "the new token is to be tried";
  Call(OldToken());
  EXPECT_GE(Wait(), absl::Seconds(2));
  EXPECT_EQ(breaker_.error(), NewTokenRejected());
  PassPause();
  Call(OldToken());
  EXPECT_EQ(Wait(), absl::ZeroDuration());
  Call(NewTokenRejected());
  EXPECT_GE(Wait(), absl::Seconds(4));
}

TEST_F(CircuitBreakerTest, ProbesAtOnceWhenAProbeWasNotMade) {
  Call(Denied());
  PassPause();
  for (int i = 0; i < 3; ++i) {
    Call(NotMade());
    EXPECT_TRUE(breaker_.open());
    EXPECT_EQ(Wait(), absl::ZeroDuration());
  }
}

// Outcomes as letters, of the tasks a, b, c ...: a lower-case letter is a failure of the task, an upper-case one a
// success, '?' an old token, '!' a task that does not exist, '-' a call that was not made.
struct OutageRow {
  const char* calls;
  bool opens;
};

class Outage : public CircuitBreakerTest, public testing::WithParamInterface<OutageRow> {};

TEST_P(Outage, IsWhatSeveralTasksInARowMeet) {
  const absl::Status kinds[] = {TimedOut(), Error(ErrorReason::kUpstreamUnavailable, Persistence::kTransient),
                                Error(ErrorReason::kUpstreamSystemError, Persistence::kTransient),
                                Error(ErrorReason::kUpstreamMalformedResponse, Persistence::kTransient)};
  size_t kind = 0;
  for (const char call : std::string(GetParam().calls)) {
    EXPECT_EQ(Wait(), absl::ZeroDuration()) << "already before the last call";
    switch (call) {
      case '?':
        Call(OldToken());
        break;
      case '!':
        Call(NotFound());
        break;
      case '-':
        Call(NotMade());
        break;
      default:
        call < 'a' ? Call(absl::OkStatus(), call) : Call(kinds[++kind % 4], call);
    }
  }
  EXPECT_EQ(breaker_.open(), GetParam().opens);
}

INSTANTIATE_TEST_SUITE_P(CircuitBreaker, Outage,
                         testing::Values(OutageRow{"abcde", true}, OutageRow{"abcd", false}, OutageRow{"aabbc", true},
                                         OutageRow{"aaabb", false}, OutageRow{"aaabbabababc", true},
                                         OutageRow{"aaaaaaaaaaaaaaaaaaaa", false}, OutageRow{"abcdAabcd", false},
                                         OutageRow{"abcd!abcd", false}, OutageRow{"abcd?Aabcd", false},
                                         OutageRow{"abcd-e", true}, OutageRow{"abcdAabcde", true}));

TEST_F(CircuitBreakerTest, LearnsNothingMoreOfAnOutageFromCallsThatWereMadeBefore) {
  std::vector<uint64_t> calls;
  for (int i = 0; i < 30; ++i) calls.push_back(Begin());
  for (const uint64_t id : calls) End(id, TimedOut(), id);
  EXPECT_LT(Wait(), absl::Seconds(1.2));
  PassPause();
  const uint64_t late = calls.back();
  End(late, TimedOut(), late);
  EXPECT_EQ(Wait(), absl::ZeroDuration()) << "the probe is due";
}

TEST_F(CircuitBreakerTest, EndsAnOutageWithAnyAnswer) {
  for (const absl::Status& answer : {absl::OkStatus(), NotFound()}) {
    const uint64_t slow = Begin();
    for (uint64_t task = 0; !breaker_.open(); ++task) Call(TimedOut(), task);
    End(slow, answer);
    EXPECT_FALSE(breaker_.open()) << answer;
  }
}

TEST_F(CircuitBreakerTest, OpensForTheAppWhenAnOutageEndsInARefusal) {
  for (uint64_t task = 0; !breaker_.open(); ++task) Call(TimedOut(), task);
  PassPause();
  Call(Denied());
  EXPECT_EQ(breaker_.error(), Denied());
}

TEST_F(CircuitBreakerTest, WaitsNoLongerWhenTheClockIsSetBack) {
  Call(Denied());
  const absl::Duration wait = Wait();
  now_ -= absl::Hours(5);
  breaker_.ShiftBack(absl::Hours(5));
  EXPECT_EQ(Wait(), wait);
  PassPause();
  Begin();
  now_ -= absl::Hours(5);
  breaker_.ShiftBack(absl::Hours(5));
  now_ += absl::Minutes(1);
  EXPECT_EQ(Wait(), absl::ZeroDuration());
}

}  // namespace
}  // namespace taskwatch
