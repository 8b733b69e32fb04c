#include "service/dingtalk/tokens/cached_access_token.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "service/dingtalk/tokens/token_source.h"
#include "service/runtime/lifetime.h"
#include "service/runtime/simulated_loop.h"
#include "service/task/task_error.h"
#include "tests/matchers/status_matchers.h"

namespace taskwatch {
namespace {

using testing::Not;

constexpr absl::Duration kLatency = absl::Milliseconds(100);
constexpr absl::Duration kLifetime = absl::Hours(2);
// The pauses after failures in a row.
constexpr int64_t kPauses[] = {1, 2, 4, 8, 16, 32, 60};
// What a token of two hours leaves after the margin of 5 minutes.
constexpr absl::Duration kUntilRefresh = absl::Minutes(115);

IssuedToken Issued(absl::string_view token, absl::Duration lifetime = kLifetime) {
  return {std::string(token), lifetime};
}

absl::Status Failed(ErrorReason reason, Persistence persistence,
                    std::optional<absl::Duration> retry_after = std::nullopt) {
  ErrorDetails details;
  details.reason = reason;
  details.persistence = persistence;
  details.retry_after = retry_after;
  return MakeError(details, "because");
}

absl::Status WrongSecret() { return Failed(ErrorReason::kUpstreamUnauthenticated, Persistence::kPermanent); }
absl::Status Broken() { return Failed(ErrorReason::kUpstreamSystemError, Persistence::kTransient); }
absl::Status Banned() { return Failed(ErrorReason::kUpstreamIpBanned, Persistence::kPaused, absl::Seconds(300)); }

// Answers from a script, and fails the test when it is asked more often than that. The loop and the number of fetches
// must outlive it.
class ScriptedTokenSource final : public TokenSource {
 public:
  struct Script {
    struct Line {
      absl::StatusOr<IssuedToken> answer;
      absl::Duration latency;
    };
    void Expect(absl::StatusOr<IssuedToken> answer, absl::Duration latency = absl::ZeroDuration()) {
      lines.push_back({std::move(answer), latency});
    }
    std::deque<Line> lines;
    size_t fetches = 0;
    std::optional<uint64_t> credentials_version = 1;
  };

  ScriptedTokenSource(SimulatedLoop* loop, Script* script) : loop_(loop), script_(script) {}

  void Fetch(Done done) override {
    ++script_->fetches;
    Script::Line line{absl::InternalError("not in the script"), absl::ZeroDuration()};
    if (script_->lines.empty()) {
      ADD_FAILURE() << "unexpected Fetch";
    } else {
      line = std::move(script_->lines.front());
      script_->lines.pop_front();
    }
    auto answer = lifetime_.Guard(
        [done = std::move(done), answer = std::move(line.answer)]() mutable { done(std::move(answer)); });
    if (line.latency == absl::ZeroDuration()) {
      loop_->Post(std::move(answer));
    } else {
      loop_->RunAfter(line.latency, std::move(answer));
    }
  }

  std::optional<uint64_t> CredentialsVersion() override { return script_->credentials_version; }

 private:
  SimulatedLoop* const loop_;
  Script* const script_;
  const Lifetime lifetime_;
};

// What one GetToken brought; nothing while it waits.
using Answer = std::optional<absl::StatusOr<std::string>>;

class CachedAccessTokenTest : public testing::Test {
 protected:
  void SetUp() override { Start(); }
  void TearDown() override { EXPECT_TRUE(source_.lines.empty()) << "not asked for all of the script"; }

  void Start() {
    provider_ = std::make_unique<CachedAccessToken>(&loop_, std::make_unique<ScriptedTokenSource>(&loop_, &source_));
  }

  // Asks for a token; the answer comes later.
  std::shared_ptr<Answer> Ask() {
    auto answer = std::make_shared<Answer>();
    provider_->GetToken([answer](absl::StatusOr<std::string> token) {
      EXPECT_FALSE(answer->has_value()) << "called twice";
      *answer = std::move(token);
    });
    EXPECT_FALSE(answer->has_value()) << "called before GetToken returned";
    return answer;
  }

  // Asks for what is there without a fetch's latency.
  absl::StatusOr<std::string> Token() {
    const std::shared_ptr<Answer> answer = Ask();
    loop_.RunPosted();
    return answer->value_or(absl::InternalError("must wait"));
  }

  // Has the provider fetch a token and checks that it did.
  void Fetch(absl::string_view token, absl::Duration lifetime = kLifetime) {
    source_.Expect(Issued(token, lifetime));
    ASSERT_THAT(Token(), IsOkAndHolds(std::string(token)));
  }

  size_t Calls() const { return source_.fetches; }

  SimulatedLoop loop_;
  ScriptedTokenSource::Script source_;
  std::unique_ptr<CachedAccessToken> provider_;
};

TEST_F(CachedAccessTokenTest, FetchesTheFirstTokenWhenItIsAskedForOne) {
  EXPECT_EQ(provider_->Cached(), std::nullopt);
  EXPECT_FALSE(provider_->HasToken());
  source_.Expect(Issued("canary-1"), kLatency);
  const auto answer = Ask();
  loop_.RunPosted();
  EXPECT_FALSE(answer->has_value());
  loop_.RunFor(kLatency);
  EXPECT_THAT(answer->value(), IsOkAndHolds("canary-1"));
  EXPECT_EQ(provider_->Cached(), "canary-1");
}

TEST_F(CachedAccessTokenTest, HasNoneAtHandWhileARefreshIsToBeBegun) {
  Fetch("canary-1");
  loop_.RunFor(kUntilRefresh);
  EXPECT_EQ(provider_->Cached(), std::nullopt);
  EXPECT_TRUE(provider_->HasToken()) << "the old one is still handed out";
  source_.Expect(Issued("canary-2"), kLatency);
  EXPECT_THAT(Token(), IsOkAndHolds("canary-1"));
  EXPECT_EQ(provider_->Cached(), "canary-1") << "the refresh has begun";
  loop_.RunFor(kLatency);
  EXPECT_EQ(provider_->Cached(), "canary-2");
  provider_->Invalidate("canary-2");
  EXPECT_EQ(provider_->Cached(), std::nullopt);
  EXPECT_FALSE(provider_->HasToken());
}

TEST_F(CachedAccessTokenTest, MakesOneCallForAllWhoWait) {
  source_.Expect(Issued("canary-1"), kLatency);
  std::vector<std::shared_ptr<Answer>> answers;
  for (int i = 0; i < 100; ++i) answers.push_back(Ask());
  loop_.RunFor(kLatency / 2);
  answers.push_back(Ask());
  loop_.RunFor(kLatency);
  for (const auto& answer : answers) EXPECT_THAT(answer->value(), IsOkAndHolds("canary-1"));
  EXPECT_EQ(Calls(), 1u);
}

TEST_F(CachedAccessTokenTest, HandsOutTheSameTokenUntilTheMarginWithoutACall) {
  Fetch("canary-1");
  loop_.RunFor(kUntilRefresh - absl::Seconds(1));
  EXPECT_THAT(Token(), IsOkAndHolds("canary-1"));
  EXPECT_EQ(Calls(), 1u);
}

TEST_F(CachedAccessTokenTest, RefreshesEarlyWhileTheOldTokenIsHandedOut) {
  Fetch("canary-1");
  loop_.RunFor(kUntilRefresh);
  source_.Expect(Issued("canary-2"), kLatency);
  EXPECT_THAT(Token(), IsOkAndHolds("canary-1"));
  EXPECT_THAT(Token(), IsOkAndHolds("canary-1"));
  EXPECT_EQ(Calls(), 2u);
  loop_.RunFor(kLatency);
  EXPECT_THAT(Token(), IsOkAndHolds("canary-2"));
  // The new token's own lifetime counts.
  loop_.RunFor(kUntilRefresh - absl::Seconds(1));
  EXPECT_THAT(Token(), IsOkAndHolds("canary-2"));
  EXPECT_EQ(Calls(), 2u);
}

TEST_F(CachedAccessTokenTest, RefreshesAShortLivedTokenWithinItsLastTenth) {
  Fetch("canary-1", absl::Seconds(100));
  loop_.RunFor(absl::Seconds(89));
  EXPECT_THAT(Token(), IsOkAndHolds("canary-1"));
  EXPECT_EQ(Calls(), 1u);
  loop_.RunFor(absl::Seconds(1));
  source_.Expect(Issued("canary-2"), kLatency);
  EXPECT_THAT(Token(), IsOkAndHolds("canary-1"));
  EXPECT_EQ(Calls(), 2u);
  loop_.RunFor(kLatency);
  EXPECT_THAT(Token(), IsOkAndHolds("canary-2"));
}

TEST_F(CachedAccessTokenTest, CallsNobodyWhileNobodyAsks) {
  Fetch("canary-1");
  loop_.RunFor(absl::Hours(1000));
  EXPECT_EQ(Calls(), 1u);
  EXPECT_EQ(loop_.TimerCount(), 0u);
}

TEST_F(CachedAccessTokenTest, LetsAnExpiredTokenWaitForTheNext) {
  Fetch("canary-1");
  loop_.RunFor(kLifetime);
  source_.Expect(Issued("canary-2"), kLatency);
  const auto answer = Ask();
  EXPECT_FALSE(answer->has_value());
  loop_.RunFor(kLatency);
  EXPECT_THAT(answer->value(), IsOkAndHolds("canary-2"));
}

TEST_F(CachedAccessTokenTest, HandsOutNoTokenThatExpiredDuringItsRefresh) {
  Fetch("canary-1");
  loop_.RunFor(kLifetime - kLatency / 2);
  source_.Expect(Issued("canary-2"), kLatency);
  EXPECT_THAT(Token(), IsOkAndHolds("canary-1"));
  loop_.RunFor(kLatency / 2);
  const auto answer = Ask();
  EXPECT_FALSE(answer->has_value());
  loop_.RunFor(kLatency / 2);
  EXPECT_THAT(answer->value(), IsOkAndHolds("canary-2"));
  EXPECT_EQ(Calls(), 2u);
}

TEST_F(CachedAccessTokenTest, TrustsNoLifetimeBeyondADay) {
  Fetch("canary-1", absl::Hours(24 * 365));
  loop_.RunFor(absl::Hours(24));
  source_.Expect(Issued("canary-2"));
  EXPECT_FALSE(Ask()->has_value());
  loop_.RunPosted();
}

TEST_F(CachedAccessTokenTest, KeepsTheOldTokenWhileRefreshesFailAndBacksOff) {
  Fetch("canary-1");
  loop_.RunFor(kUntilRefresh);
  for (const int64_t seconds : kPauses) {
    source_.Expect(Broken());
    EXPECT_THAT(Token(), IsOkAndHolds("canary-1"));
    loop_.RunPosted();
    const size_t calls = Calls();
    loop_.RunFor(absl::Seconds(seconds) - absl::Milliseconds(1));
    EXPECT_THAT(Token(), IsOkAndHolds("canary-1"));
    EXPECT_EQ(Calls(), calls) << "refreshed before " << seconds << " s";
    loop_.RunFor(absl::Milliseconds(1));
  }
  // One that succeeds begins the backoff anew.
  source_.Expect(Issued("canary-2"));
  EXPECT_THAT(Token(), IsOkAndHolds("canary-1"));
  loop_.RunPosted();
  EXPECT_THAT(Token(), IsOkAndHolds("canary-2"));
  loop_.RunFor(kUntilRefresh);
  source_.Expect(Broken());
  EXPECT_THAT(Token(), IsOkAndHolds("canary-2"));
  loop_.RunFor(absl::Seconds(1));
  source_.Expect(Broken());
  EXPECT_THAT(Token(), IsOkAndHolds("canary-2"));
  loop_.RunPosted();
}

TEST_F(CachedAccessTokenTest, DoesNotRefreshEarlierThanToldTo) {
  Fetch("canary-1");
  loop_.RunFor(kUntilRefresh);
  source_.Expect(Failed(ErrorReason::kUpstreamRateLimited, Persistence::kTransient, absl::Seconds(20)));
  EXPECT_THAT(Token(), IsOkAndHolds("canary-1"));
  loop_.RunFor(absl::Seconds(19));
  EXPECT_THAT(Token(), IsOkAndHolds("canary-1"));
  EXPECT_EQ(Calls(), 2u);
  loop_.RunFor(absl::Seconds(1));
  source_.Expect(Issued("canary-2"));
  EXPECT_THAT(Token(), IsOkAndHolds("canary-1"));
  loop_.RunPosted();
}

TEST_F(CachedAccessTokenTest, DoesNotHammerWithAWrongSecretWhileTheOldTokenIsGood) {
  Fetch("canary-1");
  loop_.RunFor(kUntilRefresh);
  const size_t calls = Calls();
  for (const int64_t seconds : kPauses) {
    source_.Expect(WrongSecret());
    EXPECT_THAT(Token(), IsOkAndHolds("canary-1"));
    loop_.RunFor(absl::Seconds(seconds) - absl::Milliseconds(1));
    EXPECT_THAT(Token(), IsOkAndHolds("canary-1"));
    loop_.RunFor(absl::Milliseconds(1));
  }
  EXPECT_EQ(Calls(), calls + std::size(kPauses));
  source_.Expect(Issued("canary-2"));
  EXPECT_THAT(Token(), IsOkAndHolds("canary-1"));
  loop_.RunPosted();
  EXPECT_THAT(Token(), IsOkAndHolds("canary-2"));
}

TEST_F(CachedAccessTokenTest, TellsTheFailureOnceTheOldTokenHasExpired) {
  Fetch("canary-1");
  loop_.RunFor(kLifetime - absl::Milliseconds(500));
  source_.Expect(WrongSecret());
  EXPECT_THAT(Token(), IsOkAndHolds("canary-1"));
  loop_.RunFor(absl::Milliseconds(500));
  // Still remembered, so no call.
  EXPECT_THAT(Token(), HasReason(ErrorReason::kUpstreamUnauthenticated));
  EXPECT_EQ(Calls(), 2u);
}

TEST_F(CachedAccessTokenTest, FetchesAnewAfterARejection) {
  Fetch("canary-1");
  provider_->Invalidate("canary-1");
  source_.Expect(Issued("canary-2"), kLatency);
  const auto first = Ask();
  const auto second = Ask();
  EXPECT_FALSE(first->has_value());
  loop_.RunFor(kLatency);
  EXPECT_THAT(first->value(), IsOkAndHolds("canary-2"));
  EXPECT_THAT(second->value(), IsOkAndHolds("canary-2"));
  EXPECT_EQ(loop_.TimerCount(), 2u);
}

TEST_F(CachedAccessTokenTest, MakesOneCallWhenManyAreRejectedWithTheSameToken) {
  Fetch("canary-1");
  source_.Expect(Issued("canary-2"));
  provider_->Invalidate("canary-1");
  Ask();
  provider_->Invalidate("canary-1");
  Ask();
  loop_.RunPosted();
  provider_->Invalidate("canary-1");
  EXPECT_THAT(Token(), IsOkAndHolds("canary-2"));
  EXPECT_EQ(Calls(), 2u);
}

TEST_F(CachedAccessTokenTest, MayHandOutARejectedTokenIfDingTalkIssuesItAnew) {
  Fetch("canary-1");
  provider_->Invalidate("canary-1");
  Fetch("canary-1");
}

TEST_F(CachedAccessTokenTest, JoinsTheRefreshInFlightAfterARejection) {
  Fetch("canary-1");
  loop_.RunFor(kUntilRefresh);
  source_.Expect(Issued("canary-2"), kLatency);
  EXPECT_THAT(Token(), IsOkAndHolds("canary-1"));
  provider_->Invalidate("canary-1");
  const auto answer = Ask();
  EXPECT_FALSE(answer->has_value());
  loop_.RunFor(kLatency);
  EXPECT_THAT(answer->value(), IsOkAndHolds("canary-2"));
  EXPECT_EQ(Calls(), 2u);
}

TEST_F(CachedAccessTokenTest, AsksAgainIfTheRefreshInFlightBroughtTheRejectedToken) {
  Fetch("canary-1");
  loop_.RunFor(kUntilRefresh);
  source_.Expect(Issued("canary-1"), kLatency);
  source_.Expect(Issued("canary-2"), kLatency);
  EXPECT_THAT(Token(), IsOkAndHolds("canary-1"));
  provider_->Invalidate("canary-1");
  const auto answer = Ask();
  loop_.RunFor(kLatency);
  EXPECT_FALSE(answer->has_value());
  loop_.RunFor(kLatency);
  EXPECT_THAT(answer->value(), IsOkAndHolds("canary-2"));
}

TEST_F(CachedAccessTokenTest, TellsAFailureToAllWhoWait) {
  source_.Expect(Broken(), kLatency);
  const auto first = Ask();
  const auto second = Ask();
  loop_.RunFor(kLatency);
  EXPECT_EQ(first->value().status(), Broken());
  EXPECT_EQ(second->value().status(), Broken());
  EXPECT_EQ(Calls(), 1u);
}

TEST_F(CachedAccessTokenTest, FetchesAfterGrowingPausesWhateverTheFailure) {
  for (const absl::Status& failure :
       {Broken(), WrongSecret(), Failed(ErrorReason::kUpstreamUnknownError, Persistence::kDoubtful)}) {
    Start();
    const size_t calls = Calls();
    for (const int64_t seconds : kPauses) {
      source_.Expect(failure);
      EXPECT_EQ(Token().status(), failure);
      loop_.RunFor(absl::Seconds(seconds) - absl::Milliseconds(200));
      const absl::StatusOr<std::string> token = Token();
      EXPECT_THAT(token, HasReason(ReasonOf(failure)));
      EXPECT_TRUE(DetailsOf(token.status()).not_asked);
      EXPECT_EQ(DetailsOf(token.status()).persistence, DetailsOf(failure).persistence);
      EXPECT_EQ(DetailsOf(token.status()).retry_after, absl::Milliseconds(200));
      loop_.RunFor(absl::Milliseconds(200));
    }
    EXPECT_EQ(Calls(), calls + std::size(kPauses));
  }
}

TEST_F(CachedAccessTokenTest, BeginsThePausesAnewAfterASuccess) {
  for (const int64_t seconds : {1, 2}) {
    source_.Expect(Broken());
    EXPECT_THAT(Token(), Not(IsOk()));
    loop_.RunFor(absl::Seconds(seconds));
  }
  Fetch("canary-1");
  provider_->Invalidate("canary-1");
  source_.Expect(Broken());
  EXPECT_THAT(Token(), Not(IsOk()));
  loop_.RunFor(absl::Seconds(1));
  Fetch("canary-2");
}

TEST_F(CachedAccessTokenTest, TellsEverybodyElseAtOnceWhileItTriesAgain) {
  source_.Expect(Broken());
  EXPECT_THAT(Token(), Not(IsOk()));
  loop_.RunFor(absl::Seconds(1));
  source_.Expect(Issued("canary-1"), kLatency);
  const auto first = Ask();
  for (int i = 0; i < 10; ++i) {
    const absl::StatusOr<std::string> told = Token();
    EXPECT_THAT(told, HasReason(ErrorReason::kUpstreamSystemError));
    EXPECT_TRUE(DetailsOf(told.status()).not_asked);
    EXPECT_EQ(DetailsOf(told.status()).retry_after, absl::Seconds(1));
  }
  EXPECT_FALSE(first->has_value());
  loop_.RunFor(kLatency);
  EXPECT_THAT(first->value(), IsOkAndHolds("canary-1"));
  EXPECT_EQ(Calls(), 2u);
}

TEST_F(CachedAccessTokenTest, DoesNotRememberWhatWasNotAsked) {
  ErrorDetails details = DetailsOf(WrongSecret());
  details.persistence = Persistence::kTransient;
  details.not_asked = true;
  for (int i = 0; i < 3; ++i) {
    source_.Expect(MakeError(details, "the file is being written"));
    EXPECT_THAT(Token(), HasReason(ErrorReason::kUpstreamUnauthenticated));
  }
  Fetch("canary-1");
}

TEST_F(CachedAccessTokenTest, DoesNotRememberAnErrorThatSaysNothing) {
  source_.Expect(absl::InternalError("no details"));
  Ask();
  loop_.RunPosted();
  Fetch("canary-1");
}

TEST_F(CachedAccessTokenTest, TriesAgainAtOnceWhenTheCredentialsHaveChanged) {
  source_.Expect(WrongSecret());
  Ask();
  loop_.RunPosted();
  EXPECT_THAT(Token(), HasReason(ErrorReason::kUpstreamUnauthenticated));
  EXPECT_EQ(Calls(), 1u);
  source_.credentials_version = 2;
  Fetch("canary-1");
}

TEST_F(CachedAccessTokenTest, TriesAgainAtOnceWhileTheCredentialsCannotBeRead) {
  source_.credentials_version = std::nullopt;
  for (int i = 0; i < 3; ++i) {
    source_.Expect(WrongSecret());
    EXPECT_THAT(Token(), HasReason(ErrorReason::kUpstreamUnauthenticated));
  }
  source_.credentials_version = 1;
  Fetch("canary-1");
}

TEST_F(CachedAccessTokenTest, KeepsTheOldTokenWhileTheCredentialsCannotBeRead) {
  Fetch("canary-1");
  loop_.RunFor(kUntilRefresh);
  source_.credentials_version = std::nullopt;
  source_.Expect(WrongSecret());
  EXPECT_THAT(Token(), IsOkAndHolds("canary-1"));
  source_.credentials_version = 2;
  EXPECT_THAT(Token(), IsOkAndHolds("canary-1"));
  EXPECT_EQ(Calls(), 2u);
  loop_.RunFor(absl::Seconds(1));
  source_.Expect(Issued("canary-2"));
  EXPECT_THAT(Token(), IsOkAndHolds("canary-1"));
  loop_.RunPosted();
  EXPECT_THAT(Token(), IsOkAndHolds("canary-2"));
}

TEST_F(CachedAccessTokenTest, DoesNotTakeOtherCredentialsForTheEndOfABan) {
  source_.Expect(Banned());
  Ask();
  loop_.RunPosted();
  source_.credentials_version = 2;
  EXPECT_THAT(Token(), HasReason(ErrorReason::kUpstreamIpBanned));
  EXPECT_EQ(Calls(), 1u);
}

TEST_F(CachedAccessTokenTest, DoesNotAskDuringABanAndTellsWhatIsLeftOfIt) {
  source_.Expect(Banned());
  Ask();
  loop_.RunFor(absl::Seconds(100));
  const absl::StatusOr<std::string> token = Token();
  EXPECT_THAT(token, HasReason(ErrorReason::kUpstreamIpBanned));
  EXPECT_EQ(DetailsOf(token.status()).retry_after, absl::Seconds(200));
  loop_.RunFor(absl::Seconds(200));
  Fetch("canary-1");
}

TEST_F(CachedAccessTokenTest, AsksEveryFiveMinutesWhetherTheMonthIsStillUsedUp) {
  source_.Expect(Failed(ErrorReason::kMonthlyQuotaExhausted, Persistence::kPaused));
  Ask();
  loop_.RunFor(absl::Minutes(5) - absl::Milliseconds(1));
  EXPECT_THAT(Token(), HasReason(ErrorReason::kMonthlyQuotaExhausted));
  loop_.RunFor(absl::Milliseconds(1));
  Fetch("canary-1");
}

TEST_F(CachedAccessTokenTest, LetsAWaiterAskAgain) {
  source_.Expect(Broken());
  absl::Status again;
  provider_->GetToken([&](absl::StatusOr<std::string> first) {
    EXPECT_EQ(first.status(), Broken());
    provider_->GetToken([&](absl::StatusOr<std::string> second) { again = second.status(); });
  });
  loop_.RunPosted();
  EXPECT_THAT(again, HasReason(ErrorReason::kUpstreamSystemError));
  EXPECT_EQ(Calls(), 1u);
}

TEST_F(CachedAccessTokenTest, CallsNobodyOnceDestroyed) {
  source_.Expect(Issued("canary-1"), kLatency);
  const auto answer = Ask();
  provider_.reset();
  loop_.RunFor(absl::Hours(3));
  EXPECT_FALSE(answer->has_value());
}

TEST_F(CachedAccessTokenTest, LeavesNoTimersBehind) {
  Fetch("canary-1");
  EXPECT_GT(loop_.TimerCount(), 0u);
  provider_.reset();
  EXPECT_EQ(loop_.TimerCount(), 0u);

  Start();
  source_.Expect(WrongSecret());
  Ask();
  loop_.RunPosted();
  EXPECT_GT(loop_.TimerCount(), 0u);
  provider_.reset();
  EXPECT_EQ(loop_.TimerCount(), 0u);
}

TEST_F(CachedAccessTokenTest, MayBeDestroyedByAWaiter) {
  source_.Expect(Issued("canary-1"));
  provider_->GetToken([this](absl::StatusOr<std::string>) { provider_.reset(); });
  const auto second = Ask();
  loop_.RunPosted();
  EXPECT_EQ(provider_, nullptr);
  EXPECT_FALSE(second->has_value());
}

}  // namespace
}  // namespace taskwatch
