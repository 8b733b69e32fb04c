#include "service/dingtalk/tokens/oauth_token_call.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "service/dingtalk/tokens/token_source.h"
#include "service/quota/billing_month.h"
#include "service/runtime/simulated_loop.h"
#include "service/task/priority.h"
#include "service/task/task_error.h"
#include "tests/fakes/fake_call_gate.h"
#include "tests/fakes/scripted_http_client.h"
#include "tests/fakes/secret_path.h"
#include "tests/matchers/status_matchers.h"

namespace taskwatch {
namespace {

using testing::AllOf;
using testing::Field;
using testing::HasSubstr;
using testing::Not;

constexpr char kCallA[] = "POST /v1.0/oauth2/accessToken";
constexpr char kCallB[] = "POST /v1.0/oauth2/ding123/token";
constexpr char kIssuedA[] = R"({"accessToken":"canary-1","expireIn":7200})";
constexpr char kIssuedB[] = R"({"access_token":"canary-1","expires_in":7200})";

// What one Fetch brought; nothing while it waits.
using Answer = std::optional<absl::StatusOr<IssuedToken>>;

class OauthTokenCallTest : public testing::Test {
 protected:
  void SetUp() override { Start({}); }

  // Begins anew with `options`, completed by what every test needs.
  void Start(OauthTokenCall::Options options) {
    options.app_key = "app-key";
    if (options.app_secret_file.empty()) options.app_secret = "canary-secret";
    auto created = OauthTokenCall::Create(&loop_, &http_, options);
    ASSERT_THAT(created, IsOk());
    call_ = *std::move(created);
  }
  void StartWithFile(const SecretPath& path) {
    OauthTokenCall::Options options;
    options.app_secret_file = path.path();
    Start(options);
  }
  void StartWithGate(const std::string& corp_id) {
    OauthTokenCall::Options options;
    options.corp_id = corp_id;
    options.gate = &gate_;
    Start(options);
  }

  // Begins to fetch; the answer must not come before this returns.
  std::shared_ptr<Answer> Begin() {
    auto answer = std::make_shared<Answer>();
    call_->Fetch([answer](absl::StatusOr<IssuedToken> issued) {
      EXPECT_FALSE(answer->has_value()) << "called twice";
      if (!issued.ok()) {
        EXPECT_FALSE(absl::StrContains(issued.status().ToString(), "canary")) << issued.status();
      }
      *answer = std::move(issued);
    });
    EXPECT_FALSE(answer->has_value()) << "called before Fetch returned";
    return answer;
  }

  absl::StatusOr<IssuedToken> Fetch() {
    const std::shared_ptr<Answer> answer = Begin();
    loop_.RunPosted();
    return answer->value_or(absl::InternalError("no answer"));
  }

  SimulatedLoop loop_;
  ScriptedHttpClient http_{&loop_};
  FakeCallGate gate_{&loop_};
  std::unique_ptr<OauthTokenCall> call_;
};

TEST_F(OauthTokenCallTest, CallsWithKeyAndSecret) {
  http_.Expect(kCallA, HttpAnswer(200, kIssuedA));
  EXPECT_THAT(Fetch(), IsOkAndHolds(AllOf(Field(&IssuedToken::token, "canary-1"),
                                          Field(&IssuedToken::lifetime, absl::Hours(2)))));
  EXPECT_EQ(http_.requests()[0].body, R"({"appKey":"app-key","appSecret":"canary-secret"})");
  EXPECT_EQ(http_.requests()[0].timeout, absl::Seconds(5));
}

TEST_F(OauthTokenCallTest, CallsForTheOrganisationIfOneIsSet) {
  OauthTokenCall::Options options;
  options.corp_id = "ding123";
  Start(options);
  http_.Expect(kCallB, HttpAnswer(200, kIssuedB));
  EXPECT_THAT(Fetch(), IsOkAndHolds(Field(&IssuedToken::token, "canary-1")));
  EXPECT_EQ(http_.requests()[0].body,
            R"({"client_id":"app-key","client_secret":"canary-secret","grant_type":"client_credentials"})");
}

TEST_F(OauthTokenCallTest, AcquiresAPermitForTheCallThatCountsAgainstTheMonth) {
  StartWithGate("ding123");
  gate_.hold = true;
  const auto answer = Begin();
  loop_.RunPosted();
  ASSERT_EQ(gate_.requests.size(), 1u);
  EXPECT_EQ(gate_.requests[0].priority, Priority::kToken);
  http_.Expect(kCallB, HttpAnswer(200, kIssuedB));
  gate_.AnswerOne(absl::OkStatus());
  loop_.RunPosted();
  ASSERT_TRUE(answer->has_value());
  EXPECT_THAT(**answer, IsOk());
}

TEST_F(OauthTokenCallTest, AcquiresNoPermitForTheCallThatDoesNotCount) {
  StartWithGate("");
  http_.Expect(kCallA, HttpAnswer(200, kIssuedA));
  EXPECT_THAT(Fetch(), IsOk());
  EXPECT_TRUE(gate_.requests.empty());
}

TEST_F(OauthTokenCallTest, CallsNobodyWithoutAPermit) {
  StartWithGate("ding123");
  ErrorDetails details;
  details.reason = ErrorReason::kMonthlyQuotaExhausted;
  gate_.refusal = MakeError(details, "used up");
  EXPECT_EQ(Fetch().status(), gate_.refusal);
}

// DingTalk's clock may be some moments behind. Without a time the gate would pause for all of the month that has begun.
TEST_F(OauthTokenCallTest, AsksAgainSoonWhenTheMonthIsUsedUpThatHasJustEnded) {
  StartWithGate("ding123");
  loop_.RunFor(UntilNextMonth(loop_.Now()) + absl::Seconds(2));
  http_.Expect(kCallB, HttpAnswer(403, R"({"code":"Forbidden.AccessDenied.ApiCountLimitForOrg","message":"used up"})"));
  EXPECT_THAT(Fetch().status(), HasReason(ErrorReason::kMonthlyQuotaExhausted));
  ASSERT_EQ(gate_.reported.size(), 1u);
  EXPECT_EQ(DetailsOf(gate_.reported[0]).retry_after, absl::Minutes(1));
}

TEST_F(OauthTokenCallTest, ReadsTheSecretFileForEachCall) {
  SecretPath path;
  path.Write("canary-wrong");
  StartWithFile(path);
  http_.Expect(kCallA, HttpAnswer(400, R"({"code":"invalidClientIdOrSecret"})"));
  EXPECT_THAT(Fetch(), HasReason(ErrorReason::kUpstreamUnauthenticated));
  path.Write("canary-right\n");
  http_.Expect(kCallA, HttpAnswer(200, kIssuedA));
  EXPECT_THAT(Fetch(), IsOk());
  EXPECT_EQ(http_.requests()[1].body, R"({"appKey":"app-key","appSecret":"canary-right"})");
}

TEST_F(OauthTokenCallTest, TellsThatTheSecretFileIsMissingAndRecovers) {
  SecretPath path;
  StartWithFile(path);
  const absl::StatusOr<IssuedToken> missing = Fetch();
  EXPECT_THAT(missing, HasReason(ErrorReason::kUpstreamUnauthenticated));
  EXPECT_TRUE(DetailsOf(missing.status()).not_asked);
  EXPECT_THAT(DetailsOf(missing.status()).log_detail, HasSubstr(path.path()));
  EXPECT_TRUE(http_.requests().empty());
  path.Write("canary-right");
  http_.Expect(kCallA, HttpAnswer(200, kIssuedA));
  EXPECT_THAT(Fetch(), IsOk());
}

TEST_F(OauthTokenCallTest, TellsWhenTheCredentialsMayHaveChanged) {
  EXPECT_EQ(call_->CredentialsVersion(), call_->CredentialsVersion());
  EXPECT_NE(call_->CredentialsVersion(), std::nullopt);
  SecretPath path;
  StartWithFile(path);
  EXPECT_EQ(call_->CredentialsVersion(), std::nullopt) << "there are none";
  path.Write("canary-1");
  const std::optional<uint64_t> version = call_->CredentialsVersion();
  EXPECT_NE(version, std::nullopt);
  EXPECT_EQ(call_->CredentialsVersion(), version);
  path.Write("canary-1");
  EXPECT_NE(call_->CredentialsVersion(), version);
}

TEST_F(OauthTokenCallTest, PassesOnThatNoAnswerCame) {
  http_.Expect(kCallA, HttpAnswer(200, kIssuedA), absl::Seconds(6));
  const auto answer = Begin();
  loop_.RunFor(absl::Seconds(5));
  ASSERT_TRUE(answer->has_value());
  EXPECT_THAT(**answer, HasReason(ErrorReason::kUpstreamTimeout));
}

TEST_F(OauthTokenCallTest, RefusesATokenThatCannotStandInAHeader) {
  http_.Expect(kCallA, HttpAnswer(200, R"({"accessToken":"canary\r\nx: y","expireIn":7200})"));
  EXPECT_THAT(Fetch(), HasReason(ErrorReason::kUpstreamMalformedResponse));
}

TEST_F(OauthTokenCallTest, DoesNotRepeatASecretThatDingTalkRepeats) {
  http_.Expect(kCallA,
               HttpAnswer(400, R"({"code":"canary-secret","message":"canary-secret","requestid":"canary-secret"})"));
  // Begin() looks at the message.
  EXPECT_THAT(Fetch(), HasReason(ErrorReason::kUpstreamUnknownError));
}

TEST_F(OauthTokenCallTest, CallsNobodyOnceDestroyed) {
  // In each of the states that something can be in: the call, a posted error, the gate.
  http_.Expect(kCallA, HttpAnswer(200, kIssuedA), absl::Seconds(1));
  const auto calling = Begin();
  SecretPath path;
  StartWithFile(path);
  const auto failed = Begin();
  StartWithGate("ding123");
  gate_.hold = true;
  const auto queued = Begin();
  call_.reset();
  gate_.AnswerOne(absl::OkStatus());
  loop_.RunFor(absl::Hours(1));
  EXPECT_FALSE(calling->has_value());
  EXPECT_FALSE(failed->has_value());
  EXPECT_FALSE(queued->has_value());
}

TEST(OauthTokenCallOptions, AreChecked) {
  struct Row {
    OauthTokenCall::Options options;
    std::string says;
  };
  const auto options = [](std::string app_key, std::string secret, std::string file, std::string corp_id) {
    OauthTokenCall::Options result;
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
    const auto created = OauthTokenCall::Create(&loop, &http, row.options);
    ASSERT_THAT(created,
                StatusIs(absl::StatusCode::kInvalidArgument, AllOf(HasSubstr(row.says), Not(HasSubstr("canary")))));
  }
}

}  // namespace
}  // namespace taskwatch
