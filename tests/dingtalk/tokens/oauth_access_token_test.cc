#include "service/dingtalk/tokens/oauth_access_token.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

#include "service/http/http_client.h"
#include "service/quota/call_gate.h"
#include "service/runtime/simulated_loop.h"
#include "service/task/task_error.h"
#include "tests/fakes/fake_call_gate.h"
#include "tests/fakes/scripted_http_client.h"
#include "tests/fakes/secret_path.h"

namespace taskwatch {
namespace {

constexpr char kCallA[] = "POST /v1.0/oauth2/accessToken";
constexpr char kCallB[] = "POST /v1.0/oauth2/ding123/token";
constexpr absl::Duration kLatency = absl::Milliseconds(100);
constexpr absl::Duration kLifetime = absl::Hours(2);
// What a token of two hours leaves after the margin of 5 minutes.
constexpr absl::Duration kUntilRefresh = absl::Minutes(115);

HttpResponse Issued(absl::string_view token, absl::Duration lifetime = kLifetime) {
  return HttpAnswer(
      200, absl::StrCat(R"({"accessToken":")", token, R"(","expireIn":)", absl::ToInt64Seconds(lifetime), "}"));
}

HttpResponse Refused(int status, absl::string_view code) {
  return HttpAnswer(status, absl::StrCat(R"({"code":")", code, R"(","message":"because"})"));
}

HttpResponse WrongSecret() { return Refused(400, "invalidClientIdOrSecret"); }
HttpResponse Broken() { return Refused(500, "server.error"); }

// What one GetToken brought; nothing while it waits.
using Answer = std::optional<absl::StatusOr<std::string>>;

class OauthAccessTokenTest : public testing::Test {
 protected:
  void SetUp() override { Start({}); }

  // Begins anew with `options`, completed by what every test needs.
  void Start(OauthAccessToken::Options options) {
    options.app_key = "app-key";
    if (options.app_secret_file.empty()) options.app_secret = "canary-secret";
    auto created = OauthAccessToken::Create(&loop_, &http_, options);
    ASSERT_TRUE(created.ok()) << created.status();
    provider_ = *std::move(created);
  }

  // Asks for a token; the answer may come later.
  std::shared_ptr<Answer> Ask() {
    auto answer = std::make_shared<Answer>();
    provider_->GetToken([answer](absl::StatusOr<std::string> token) {
      EXPECT_FALSE(answer->has_value()) << "called twice";
      if (!token.ok()) {
        EXPECT_FALSE(absl::StrContains(token.status().ToString(), "canary")) << token.status();
      }
      *answer = std::move(token);
    });
    return answer;
  }

  // Asks for a token that is there at once.
  std::string Token() {
    const std::shared_ptr<Answer> answer = Ask();
    if (!answer->has_value()) return "(must wait)";
    return (*answer)->ok() ? ***answer : (*answer)->status().ToString();
  }

  // Has the provider fetch a token and checks that it did.
  void Fetch(absl::string_view token, absl::Duration lifetime = kLifetime) {
    http_.Expect(kCallA, Issued(token, lifetime));
    Ask();
    loop_.RunPosted();
    ASSERT_EQ(Token(), token);
  }

  ErrorReason ReasonOf(const std::shared_ptr<Answer>& answer) {
    if (!answer->has_value() || (*answer)->ok()) return ErrorReason::kNone;
    return DetailsOf((*answer)->status()).reason;
  }

  size_t Calls() const { return http_.requests().size(); }

  SimulatedLoop loop_;
  ScriptedHttpClient http_{&loop_};
  FakeCallGate gate_;
  std::unique_ptr<OauthAccessToken> provider_;
};

TEST_F(OauthAccessTokenTest, CallsWithKeyAndSecret) {
  http_.Expect(kCallA, Issued("canary-1"));
  const auto answer = Ask();
  EXPECT_FALSE(answer->has_value());
  loop_.RunPosted();
  EXPECT_EQ(***answer, "canary-1");
  EXPECT_EQ(http_.requests()[0].body, R"({"appKey":"app-key","appSecret":"canary-secret"})");
  EXPECT_EQ(http_.requests()[0].timeout, absl::Seconds(5));
}

TEST_F(OauthAccessTokenTest, CallsForTheOrganisationIfOneIsSet) {
  OauthAccessToken::Options options;
  options.corp_id = "ding123";
  Start(options);
  http_.Expect(kCallB, HttpAnswer(200, R"({"access_token":"canary-1","expires_in":7200})"));
  const auto answer = Ask();
  loop_.RunPosted();
  EXPECT_EQ(***answer, "canary-1");
  EXPECT_EQ(http_.requests()[0].body,
            R"({"client_id":"app-key","client_secret":"canary-secret","grant_type":"client_credentials"})");
}

TEST_F(OauthAccessTokenTest, AsksLeaveForTheCallThatCountsAgainstTheMonth) {
  OauthAccessToken::Options options;
  options.corp_id = "ding123";
  options.gate = &gate_;
  Start(options);
  gate_.hold = true;
  const auto answer = Ask();
  loop_.RunPosted();
  ASSERT_EQ(gate_.asked.size(), 1u);
  EXPECT_EQ(gate_.asked[0].purpose, CallGate::Purpose::kToken);
  http_.Expect(kCallB, HttpAnswer(200, R"({"access_token":"canary-1","expires_in":7200})"));
  gate_.AnswerOne(absl::OkStatus());
  loop_.RunPosted();
  EXPECT_EQ(***answer, "canary-1");
}

TEST_F(OauthAccessTokenTest, AsksNobodyForTheCallThatDoesNotCount) {
  OauthAccessToken::Options options;
  options.gate = &gate_;
  Start(options);
  Fetch("canary-1");
  EXPECT_TRUE(gate_.asked.empty());
}

TEST_F(OauthAccessTokenTest, TellsWhyThereIsNoLeaveToCall) {
  OauthAccessToken::Options options;
  options.corp_id = "ding123";
  options.gate = &gate_;
  Start(options);
  ErrorDetails details;
  details.reason = ErrorReason::kMonthlyQuotaExhausted;
  details.persistence = Persistence::kPaused;
  details.retry_after = absl::Hours(100);
  gate_.refusal = MakeError(details, "used up");
  const auto answer = Ask();
  EXPECT_FALSE(answer->has_value());
  loop_.RunPosted();
  EXPECT_EQ(ReasonOf(answer), ErrorReason::kMonthlyQuotaExhausted);
  EXPECT_EQ(ReasonOf(Ask()), ErrorReason::kMonthlyQuotaExhausted);
  EXPECT_EQ(gate_.asked.size(), 1u) << "asked again at once";
}

TEST_F(OauthAccessTokenTest, MakesOneCallForAllWhoWait) {
  http_.Expect(kCallA, Issued("canary-1"), kLatency);
  std::vector<std::shared_ptr<Answer>> answers;
  for (int i = 0; i < 100; ++i) answers.push_back(Ask());
  loop_.RunFor(kLatency / 2);
  answers.push_back(Ask());
  loop_.RunFor(kLatency);
  for (const auto& answer : answers) EXPECT_EQ(***answer, "canary-1");
  EXPECT_EQ(Calls(), 1u);
}

TEST_F(OauthAccessTokenTest, HandsOutTheSameTokenUntilTheMarginWithoutACall) {
  Fetch("canary-1");
  loop_.RunFor(kUntilRefresh - absl::Seconds(1));
  EXPECT_EQ(Token(), "canary-1");
  EXPECT_EQ(Calls(), 1u);
}

TEST_F(OauthAccessTokenTest, RefreshesEarlyWhileTheOldTokenIsHandedOut) {
  Fetch("canary-1");
  loop_.RunFor(kUntilRefresh);
  http_.Expect(kCallA, Issued("canary-2"), kLatency);
  EXPECT_EQ(Token(), "canary-1");
  EXPECT_EQ(Token(), "canary-1");
  EXPECT_EQ(Calls(), 2u);
  loop_.RunFor(kLatency);
  EXPECT_EQ(Token(), "canary-2");
  // The new token's own lifetime counts.
  loop_.RunFor(kUntilRefresh - absl::Seconds(1));
  EXPECT_EQ(Token(), "canary-2");
  EXPECT_EQ(Calls(), 2u);
}

TEST_F(OauthAccessTokenTest, RefreshesAShortLivedTokenWithinItsLastTenth) {
  Fetch("canary-1", absl::Seconds(100));
  loop_.RunFor(absl::Seconds(89));
  EXPECT_EQ(Token(), "canary-1");
  EXPECT_EQ(Calls(), 1u);
  loop_.RunFor(absl::Seconds(1));
  http_.Expect(kCallA, Issued("canary-2"), kLatency);
  EXPECT_EQ(Token(), "canary-1");
  EXPECT_EQ(Calls(), 2u);
  loop_.RunFor(kLatency);
  EXPECT_EQ(Token(), "canary-2");
}

TEST_F(OauthAccessTokenTest, CallsNobodyWhileNobodyAsks) {
  Fetch("canary-1");
  loop_.RunFor(absl::Hours(1000));
  EXPECT_EQ(Calls(), 1u);
  EXPECT_EQ(loop_.TimerCount(), 0u);
}

TEST_F(OauthAccessTokenTest, LetsAnExpiredTokenWaitForTheNext) {
  Fetch("canary-1");
  loop_.RunFor(kLifetime);
  http_.Expect(kCallA, Issued("canary-2"), kLatency);
  const auto answer = Ask();
  EXPECT_FALSE(answer->has_value());
  loop_.RunFor(kLatency);
  EXPECT_EQ(***answer, "canary-2");
}

TEST_F(OauthAccessTokenTest, HandsOutNoTokenThatExpiredDuringItsRefresh) {
  Fetch("canary-1");
  loop_.RunFor(kLifetime - kLatency / 2);
  http_.Expect(kCallA, Issued("canary-2"), kLatency);
  EXPECT_EQ(Token(), "canary-1");
  loop_.RunFor(kLatency / 2);
  const auto answer = Ask();
  EXPECT_FALSE(answer->has_value());
  loop_.RunFor(kLatency / 2);
  EXPECT_EQ(***answer, "canary-2");
  EXPECT_EQ(Calls(), 2u);
}

TEST_F(OauthAccessTokenTest, TrustsNoLifetimeBeyondADay) {
  Fetch("canary-1", absl::Hours(24 * 365));
  loop_.RunFor(absl::Hours(24));
  http_.Expect(kCallA, Issued("canary-2"));
  EXPECT_FALSE(Ask()->has_value());
  loop_.RunPosted();
}

TEST_F(OauthAccessTokenTest, KeepsTheOldTokenWhileRefreshesFailAndBacksOff) {
  Fetch("canary-1");
  loop_.RunFor(kUntilRefresh);
  const int64_t kBackoffs[] = {1, 2, 4, 8, 16, 32, 60};
  for (const int64_t seconds : kBackoffs) {
    http_.Expect(kCallA, Broken());
    EXPECT_EQ(Token(), "canary-1");
    loop_.RunPosted();
    const size_t calls = Calls();
    loop_.RunFor(absl::Seconds(seconds) - absl::Milliseconds(1));
    EXPECT_EQ(Token(), "canary-1");
    EXPECT_EQ(Calls(), calls) << "refreshed before " << seconds << " s";
    loop_.RunFor(absl::Milliseconds(1));
  }
  // One that succeeds begins the backoff anew.
  http_.Expect(kCallA, Issued("canary-2"));
  EXPECT_EQ(Token(), "canary-1");
  loop_.RunPosted();
  EXPECT_EQ(Token(), "canary-2");
  loop_.RunFor(kUntilRefresh);
  http_.Expect(kCallA, Broken());
  EXPECT_EQ(Token(), "canary-2");
  loop_.RunFor(absl::Seconds(1));
  http_.Expect(kCallA, Broken());
  EXPECT_EQ(Token(), "canary-2");
  loop_.RunPosted();
}

TEST_F(OauthAccessTokenTest, DoesNotRefreshEarlierThanToldTo) {
  Fetch("canary-1");
  loop_.RunFor(kUntilRefresh);
  HttpResponse busy = Refused(429, "system.busy");
  busy.retry_after = absl::Seconds(20);
  http_.Expect(kCallA, busy);
  EXPECT_EQ(Token(), "canary-1");
  loop_.RunFor(absl::Seconds(19));
  EXPECT_EQ(Token(), "canary-1");
  EXPECT_EQ(Calls(), 2u);
  loop_.RunFor(absl::Seconds(1));
  http_.Expect(kCallA, Issued("canary-2"));
  EXPECT_EQ(Token(), "canary-1");
  loop_.RunPosted();
}

TEST_F(OauthAccessTokenTest, DoesNotHammerWithAWrongSecretWhileTheOldTokenIsGood) {
  Fetch("canary-1");
  loop_.RunFor(kUntilRefresh);
  http_.Expect(kCallA, WrongSecret());
  EXPECT_EQ(Token(), "canary-1");
  loop_.RunFor(absl::Seconds(9));
  EXPECT_EQ(Token(), "canary-1");
  EXPECT_EQ(Calls(), 2u);
  loop_.RunFor(absl::Seconds(1));
  http_.Expect(kCallA, Issued("canary-2"));
  EXPECT_EQ(Token(), "canary-1");
  loop_.RunPosted();
  EXPECT_EQ(Token(), "canary-2");
}

TEST_F(OauthAccessTokenTest, TellsTheFailureOnceTheOldTokenHasExpired) {
  Fetch("canary-1");
  loop_.RunFor(kLifetime - absl::Seconds(1));
  http_.Expect(kCallA, WrongSecret());
  EXPECT_EQ(Token(), "canary-1");
  loop_.RunFor(absl::Seconds(1));
  // Still remembered, so no call.
  EXPECT_EQ(ReasonOf(Ask()), ErrorReason::kUpstreamUnauthenticated);
  EXPECT_EQ(Calls(), 2u);
}

TEST_F(OauthAccessTokenTest, FetchesAnewAfterARejection) {
  Fetch("canary-1");
  provider_->Invalidate("canary-1");
  http_.Expect(kCallA, Issued("canary-2"), kLatency);
  const auto first = Ask();
  const auto second = Ask();
  EXPECT_FALSE(first->has_value());
  loop_.RunFor(kLatency);
  EXPECT_EQ(***first, "canary-2");
  EXPECT_EQ(***second, "canary-2");
  EXPECT_EQ(loop_.TimerCount(), 2u);
}

TEST_F(OauthAccessTokenTest, MakesOneCallWhenManyAreRejectedWithTheSameToken) {
  Fetch("canary-1");
  http_.Expect(kCallA, Issued("canary-2"));
  provider_->Invalidate("canary-1");
  Ask();
  provider_->Invalidate("canary-1");
  Ask();
  loop_.RunPosted();
  provider_->Invalidate("canary-1");
  EXPECT_EQ(Token(), "canary-2");
  EXPECT_EQ(Calls(), 2u);
}

TEST_F(OauthAccessTokenTest, MayHandOutARejectedTokenIfDingTalkIssuesItAnew) {
  Fetch("canary-1");
  provider_->Invalidate("canary-1");
  Fetch("canary-1");
}

TEST_F(OauthAccessTokenTest, JoinsTheRefreshInFlightAfterARejection) {
  Fetch("canary-1");
  loop_.RunFor(kUntilRefresh);
  http_.Expect(kCallA, Issued("canary-2"), kLatency);
  EXPECT_EQ(Token(), "canary-1");
  provider_->Invalidate("canary-1");
  const auto answer = Ask();
  EXPECT_FALSE(answer->has_value());
  loop_.RunFor(kLatency);
  EXPECT_EQ(***answer, "canary-2");
  EXPECT_EQ(Calls(), 2u);
}

TEST_F(OauthAccessTokenTest, AsksAgainIfTheRefreshInFlightBroughtTheRejectedToken) {
  Fetch("canary-1");
  loop_.RunFor(kUntilRefresh);
  http_.Expect(kCallA, Issued("canary-1"), kLatency);
  http_.Expect(kCallA, Issued("canary-2"), kLatency);
  EXPECT_EQ(Token(), "canary-1");
  provider_->Invalidate("canary-1");
  const auto answer = Ask();
  loop_.RunFor(kLatency);
  EXPECT_FALSE(answer->has_value());
  loop_.RunFor(kLatency);
  EXPECT_EQ(***answer, "canary-2");
}

TEST_F(OauthAccessTokenTest, TellsATransientFailureToThoseWhoWaitAndForgetsIt) {
  http_.Expect(kCallA, Broken(), kLatency);
  const auto first = Ask();
  const auto second = Ask();
  loop_.RunFor(kLatency);
  EXPECT_EQ(ReasonOf(first), ErrorReason::kUpstreamSystemError);
  EXPECT_EQ(ReasonOf(second), ErrorReason::kUpstreamSystemError);
  Fetch("canary-1");
  EXPECT_EQ(Calls(), 2u);
}

TEST_F(OauthAccessTokenTest, PassesOnThatNoAnswerCame) {
  http_.Expect(kCallA, Issued("canary-1"), absl::Seconds(6));
  const auto answer = Ask();
  loop_.RunFor(absl::Seconds(5));
  EXPECT_EQ(ReasonOf(answer), ErrorReason::kUpstreamTimeout);
  Fetch("canary-2");
}

TEST_F(OauthAccessTokenTest, DoesNotRememberAnErrorThatSaysNothing) {
  http_.Expect(kCallA, absl::InternalError("no details"));
  Ask();
  loop_.RunPosted();
  Fetch("canary-1");
}

TEST_F(OauthAccessTokenTest, RemembersAWrongSecretForTenSeconds) {
  http_.Expect(kCallA, WrongSecret());
  const auto answer = Ask();
  loop_.RunPosted();
  EXPECT_EQ(ReasonOf(answer), ErrorReason::kUpstreamUnauthenticated);
  loop_.RunFor(absl::Seconds(10) - absl::Milliseconds(1));
  EXPECT_EQ(ReasonOf(Ask()), ErrorReason::kUpstreamUnauthenticated);
  EXPECT_EQ(Calls(), 1u);
  loop_.RunFor(absl::Milliseconds(1));
  Fetch("canary-1");
}

TEST_F(OauthAccessTokenTest, TriesAgainAtOnceWhenTheSecretFileHasChanged) {
  SecretPath path;
  path.Write("canary-wrong");
  OauthAccessToken::Options options;
  options.app_secret_file = path.path();
  Start(options);
  http_.Expect(kCallA, WrongSecret());
  Ask();
  loop_.RunPosted();
  EXPECT_EQ(ReasonOf(Ask()), ErrorReason::kUpstreamUnauthenticated);
  EXPECT_EQ(Calls(), 1u);

  path.Write("canary-right\n");
  Fetch("canary-1");
  EXPECT_EQ(http_.requests()[1].body, R"({"appKey":"app-key","appSecret":"canary-right"})");
}

TEST_F(OauthAccessTokenTest, TellsThatTheSecretFileIsMissingAndRecovers) {
  SecretPath path;
  OauthAccessToken::Options options;
  options.app_secret_file = path.path();
  Start(options);
  const auto answer = Ask();
  EXPECT_EQ(ReasonOf(answer), ErrorReason::kUpstreamUnauthenticated);
  EXPECT_TRUE(absl::StrContains((*answer)->status().message(), path.path())) << (*answer)->status();
  EXPECT_EQ(Calls(), 0u);
  path.Write("canary-right");
  Fetch("canary-1");
}

TEST_F(OauthAccessTokenTest, KeepsTheOldTokenWhileTheSecretFileIsMissing) {
  SecretPath path;
  path.Write("canary-right");
  OauthAccessToken::Options options;
  options.app_secret_file = path.path();
  Start(options);
  Fetch("canary-1");
  loop_.RunFor(kUntilRefresh);
  path.Remove();
  EXPECT_EQ(Token(), "canary-1");
  path.Write("canary-right");
  EXPECT_EQ(Token(), "canary-1");
  EXPECT_EQ(Calls(), 1u);
  loop_.RunFor(absl::Seconds(1));
  http_.Expect(kCallA, Issued("canary-2"));
  EXPECT_EQ(Token(), "canary-1");
  loop_.RunPosted();
  EXPECT_EQ(Token(), "canary-2");
}

TEST_F(OauthAccessTokenTest, DoesNotAskDuringABanAndTellsWhatIsLeftOfIt) {
  http_.Expect(kCallA, HttpAnswer(200, "<html>banned</html>"));
  Ask();
  loop_.RunFor(absl::Seconds(100));
  const auto answer = Ask();
  EXPECT_EQ(ReasonOf(answer), ErrorReason::kUpstreamIpBanned);
  EXPECT_EQ(DetailsOf((*answer)->status()).retry_after, absl::Seconds(200));
  loop_.RunFor(absl::Seconds(200));
  Fetch("canary-1");
}

TEST_F(OauthAccessTokenTest, DoesNotTakeAnotherSecretForTheEndOfABan) {
  SecretPath path;
  path.Write("canary-1");
  OauthAccessToken::Options options;
  options.app_secret_file = path.path();
  Start(options);
  http_.Expect(kCallA, HttpAnswer(200, "<html>banned</html>"));
  Ask();
  loop_.RunPosted();
  path.Write("canary-2");
  EXPECT_EQ(ReasonOf(Ask()), ErrorReason::kUpstreamIpBanned);
}

TEST_F(OauthAccessTokenTest, AsksEveryFiveMinutesWhetherTheMonthIsStillUsedUp) {
  http_.Expect(kCallA, Refused(403, "Forbidden.AccessDenied.ApiCountLimitForOrg"));
  Ask();
  loop_.RunFor(absl::Minutes(5) - absl::Milliseconds(1));
  EXPECT_EQ(ReasonOf(Ask()), ErrorReason::kMonthlyQuotaExhausted);
  loop_.RunFor(absl::Milliseconds(1));
  Fetch("canary-1");
}

TEST_F(OauthAccessTokenTest, RefusesATokenThatCannotStandInAHeader) {
  http_.Expect(kCallA, HttpAnswer(200, R"({"accessToken":"canary\r\nx: y","expireIn":7200})"));
  const auto answer = Ask();
  loop_.RunPosted();
  EXPECT_EQ(ReasonOf(answer), ErrorReason::kUpstreamMalformedResponse);
}

TEST_F(OauthAccessTokenTest, DoesNotRepeatASecretThatDingTalkRepeats) {
  http_.Expect(kCallA,
               HttpAnswer(400, R"({"code":"canary-secret","message":"canary-secret","requestid":"canary-secret"})"));
  const auto answer = Ask();
  loop_.RunPosted();
  // Ask() looks at the message.
  EXPECT_EQ(ReasonOf(answer), ErrorReason::kUpstreamUnknownError);
}

TEST_F(OauthAccessTokenTest, LetsAWaiterAskAgain) {
  http_.Expect(kCallA, Broken());
  http_.Expect(kCallA, Issued("canary-1"));
  std::string token;
  provider_->GetToken([&](absl::StatusOr<std::string> first) {
    EXPECT_FALSE(first.ok());
    provider_->GetToken([&](absl::StatusOr<std::string> second) { token = *second; });
  });
  loop_.RunPosted();
  EXPECT_EQ(token, "canary-1");
}

TEST_F(OauthAccessTokenTest, CallsNobodyOnceDestroyed) {
  http_.Expect(kCallA, Issued("canary-1"), kLatency);
  const auto answer = Ask();
  provider_.reset();
  loop_.RunFor(absl::Hours(3));
  EXPECT_FALSE(answer->has_value());
}

TEST_F(OauthAccessTokenTest, LeavesNoTimersBehind) {
  Fetch("canary-1");
  EXPECT_GT(loop_.TimerCount(), 0u);
  provider_.reset();
  EXPECT_EQ(loop_.TimerCount(), 0u);

  Start({});
  http_.Expect(kCallA, WrongSecret());
  Ask();
  loop_.RunPosted();
  EXPECT_GT(loop_.TimerCount(), 0u);
  provider_.reset();
  EXPECT_EQ(loop_.TimerCount(), 0u);
}

TEST_F(OauthAccessTokenTest, MayBeDestroyedByAWaiter) {
  http_.Expect(kCallA, Issued("canary-1"));
  provider_->GetToken([this](absl::StatusOr<std::string>) { provider_.reset(); });
  const auto second = Ask();
  loop_.RunPosted();
  EXPECT_EQ(provider_, nullptr);
  EXPECT_FALSE(second->has_value());
}

TEST(OauthAccessTokenOptions, AreChecked) {
  struct Row {
    OauthAccessToken::Options options;
    std::string says;
  };
  const auto options = [](std::string app_key, std::string secret, std::string file, std::string corp_id) {
    OauthAccessToken::Options result;
    result.app_key = std::move(app_key);
    result.app_secret = std::move(secret);
    result.app_secret_file = std::move(file);
    result.corp_id = std::move(corp_id);
    return result;
  };
  const Row rows[] = {
      {options("", "canary", "", ""), "--app_key"},
      {options("a key", "canary", "", ""), "--app_key"},
      {options("key", "", "", ""), "--app_secret_file"},
      {options("key", "canary", "/file", ""), "--app_secret_file"},
      {options("key", "can ary", "", ""), "DINGTALK_APP_SECRET"},
      {options("key", "canary", "", "../v1"), "--corp_id"},
      {options("key", "canary", "", "a/b"), "--corp_id"},
      {options("key", "canary", "", "%2e"), "--corp_id"},
  };
  SimulatedLoop loop;
  ScriptedHttpClient http(&loop);
  for (const Row& row : rows) {
    const auto created = OauthAccessToken::Create(&loop, &http, row.options);
    ASSERT_FALSE(created.ok()) << row.says;
    EXPECT_EQ(created.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_TRUE(absl::StrContains(created.status().message(), row.says)) << created.status();
    EXPECT_FALSE(absl::StrContains(created.status().message(), "canary")) << created.status();
  }
}

}  // namespace
}  // namespace taskwatch
