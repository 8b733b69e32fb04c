#include "service/dingtalk/dingtalk_task_source.h"

#include <deque>
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
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "service/dingtalk/tokens/access_token.h"
#include "service/http/http_client.h"
#include "service/quota/billing_month.h"
#include "service/quota/call_gate.h"
#include "service/runtime/event_loop.h"
#include "service/runtime/simulated_loop.h"
#include "service/task/priority.h"
#include "service/task/task_error.h"
#include "service/task/task_info.h"
#include "service/task/task_source.h"
#include "tests/fakes/fake_call_gate.h"
#include "tests/fakes/scripted_http_client.h"
#include "tests/matchers/status_matchers.h"

namespace taskwatch {
namespace {

using testing::Not;

constexpr char kCall[] = "GET /v2.0/doc/task/info/abcd";
constexpr char kRunning[] = R"({"taskId":"abcd","status":0,"totalCount":2,"succCount":1,"failCount":0})";
constexpr char kInvalidToken[] = R"({"code":"InvalidAuthentication","message":"bad","requestid":"from-body"})";

absl::Status TokenError(ErrorReason reason) {
  ErrorDetails details;
  details.reason = reason;
  return MakeError(details, "no token");
}

// Hands out the first of a list of tokens and errors; a token that is invalidated leaves the list. Answers in the
// loop's next turn, or when released.
class ScriptedTokens final : public AccessTokenProvider {
 public:
  explicit ScriptedTokens(EventLoop* loop) : loop_(loop) {}

  bool HasToken() const override { return Cached().has_value(); }
  std::optional<std::string> Cached() const override {
    if (hold || !cache || answers.empty() || !answers.front().ok()) return std::nullopt;
    return *answers.front();
  }
  void GetToken(Done done) override {
    if (hold) {
      held.push_back(std::move(done));
      return;
    }
    absl::StatusOr<std::string> answer = absl::InternalError("not in the script");
    if (answers.empty()) {
      ADD_FAILURE() << "unexpected GetToken";
    } else {
      answer = answers.front();
    }
    loop_->Post([done = std::move(done), answer]() mutable { done(answer); });
  }
  void Invalidate(absl::string_view token) override {
    invalidated.emplace_back(token);
    if (!answers.empty() && answers.front().ok() && *answers.front() == token) answers.pop_front();
  }

  std::deque<absl::StatusOr<std::string>> answers;
  // Whether tokens are at hand, so that they are told without a turn of the loop.
  bool cache = true;
  bool hold = false;
  std::vector<Done> held;
  std::vector<std::string> invalidated;

 private:
  EventLoop* const loop_;
};

using Answer = std::optional<absl::StatusOr<TaskInfo>>;

class DingTalkTaskSourceTest : public testing::Test {
 protected:
  // Begins to fetch; the answer must not come before this returns.
  std::shared_ptr<Answer> Begin(absl::string_view task_id = "abcd") {
    auto answer = std::make_shared<Answer>();
    source_->Fetch(task_id, fetch_options_, [answer](absl::StatusOr<TaskInfo> info) {
      EXPECT_FALSE(answer->has_value()) << "called twice";
      *answer = std::move(info);
    });
    EXPECT_FALSE(answer->has_value()) << "called before Fetch returned";
    return answer;
  }

  // Fetches and lets the loop run until there is an answer.
  absl::StatusOr<TaskInfo> Fetch(absl::string_view task_id = "abcd") {
    const std::shared_ptr<Answer> answer = Begin(task_id);
    loop_.RunFor(absl::Minutes(1));
    if (!answer->has_value()) return absl::InternalError("no answer");
    if (!(*answer)->ok()) {
      EXPECT_FALSE(absl::StrContains((*answer)->status().ToString(), "canary")) << (*answer)->status();
    }
    return **answer;
  }

  ErrorDetails FetchError() { return DetailsOf(Fetch().status()); }

  SimulatedLoop loop_;
  ScriptedHttpClient http_{&loop_};
  ScriptedTokens tokens_{&loop_};
  FakeCallGate gate_{&loop_};
  FetchOptions fetch_options_;
  std::unique_ptr<DingTalkTaskSource> source_ =
      std::make_unique<DingTalkTaskSource>(&loop_, &http_, &tokens_, &gate_, DingTalkTaskSource::Options());
};

TEST_F(DingTalkTaskSourceTest, FetchesWithTheToken) {
  tokens_.answers = {"canary-1"};
  http_.Expect(kCall, HttpAnswer(200, kRunning));
  const absl::StatusOr<TaskInfo> info = Fetch();
  ASSERT_THAT(info, IsOk());
  EXPECT_EQ(info->task_id, "abcd");
  EXPECT_EQ(info->state, TaskState::kRunning);
  EXPECT_EQ(info->total_count, 2);
  ASSERT_EQ(http_.requests()[0].headers.size(), 1u);
  EXPECT_EQ(http_.requests()[0].headers[0].first, "x-acs-dingtalk-access-token");
  EXPECT_EQ(http_.requests()[0].headers[0].second, "canary-1");
}

TEST_F(DingTalkTaskSourceTest, BoundsTheCallInTime) {
  DingTalkTaskSource::Options options;
  options.attempt_timeout = absl::Seconds(2);
  source_ = std::make_unique<DingTalkTaskSource>(&loop_, &http_, &tokens_, &gate_, options);
  tokens_.answers = {"canary-1"};
  http_.Expect(kCall, HttpAnswer(200, kRunning), absl::Seconds(3));
  const auto answer = Begin();
  loop_.RunFor(absl::Seconds(2));
  ASSERT_TRUE(answer->has_value());
  EXPECT_THAT(**answer, HasReason(ErrorReason::kUpstreamTimeout));
}

TEST_F(DingTalkTaskSourceTest, CallsNobodyForAnIdThatCouldLeaveThePath) {
  const std::string ids[] = {"",      "..",  "../../v1.0/x", "a/b", "a?b",
                             "a%2fb", "a b", "a\r\nb",       "ä",   std::string(129, 'a')};
  for (const std::string& task_id : ids) {
    const absl::StatusOr<TaskInfo> info = Fetch(task_id);
    EXPECT_THAT(info, HasReason(ErrorReason::kInvalidTaskId)) << task_id;
    EXPECT_EQ(DetailsOf(info.status()).field, "task_id") << task_id;
  }
  EXPECT_TRUE(http_.requests().empty());
}

TEST_F(DingTalkTaskSourceTest, RetriesOnceWithANewToken) {
  tokens_.answers = {"canary-1", "canary-2"};
  http_.Expect(kCall, HttpAnswer(400, kInvalidToken));
  http_.Expect(kCall, HttpAnswer(200, kRunning));
  EXPECT_THAT(Fetch(), IsOk());
  EXPECT_EQ(tokens_.invalidated, std::vector<std::string>{"canary-1"});
  EXPECT_EQ(http_.requests()[1].headers[0].second, "canary-2");
}

TEST_F(DingTalkTaskSourceTest, RetriesAfterAGeneric401Too) {
  tokens_.answers = {"canary-1", "canary-2"};
  http_.Expect(kCall, HttpAnswer(401, ""));
  http_.Expect(kCall, HttpAnswer(200, kRunning));
  EXPECT_THAT(Fetch(), IsOk());
}

TEST_F(DingTalkTaskSourceTest, GivesUpWhenTheNewTokenIsRejectedToo) {
  tokens_.answers = {"canary-1", "canary-2"};
  http_.Expect(kCall, HttpAnswer(400, kInvalidToken));
  http_.Expect(kCall, HttpAnswer(400, kInvalidToken));
  const absl::StatusOr<TaskInfo> info = Fetch();
  EXPECT_THAT(info, StatusIs(absl::StatusCode::kFailedPrecondition));
  const ErrorDetails details = DetailsOf(info.status());
  EXPECT_EQ(details.reason, ErrorReason::kUpstreamUnauthenticated);
  EXPECT_EQ(details.persistence, Persistence::kPermanent);
  EXPECT_EQ(details.http_status, 400);
  EXPECT_EQ(details.upstream_code, "InvalidAuthentication");
  EXPECT_EQ(details.upstream_request_id, "from-body");
  EXPECT_TRUE(absl::StrContains(info.status().message(), "new access token")) << info.status();
  EXPECT_FALSE(absl::StrContains(info.status().message(), "--app_key")) << info.status();
  EXPECT_TRUE(absl::StrContains(details.log_detail, "--app_key")) << details.log_detail;
  // The second is not to be handed out again either.
  EXPECT_EQ(tokens_.invalidated, (std::vector<std::string>{"canary-1", "canary-2"}));
}

TEST_F(DingTalkTaskSourceTest, TellsWhyThereIsNoNewToken) {
  tokens_.answers = {"canary-1", TokenError(ErrorReason::kUpstreamUnavailable)};
  http_.Expect(kCall, HttpAnswer(400, kInvalidToken));
  EXPECT_EQ(FetchError().reason, ErrorReason::kUpstreamUnavailable);
}

TEST_F(DingTalkTaskSourceTest, TellsWhichCallWasRejectedWhenThereIsNoOtherToken) {
  tokens_.answers = {"canary-1", TokenError(ErrorReason::kUpstreamUnauthenticated)};
  http_.Expect(kCall, HttpAnswer(400, kInvalidToken));
  const ErrorDetails details = FetchError();
  EXPECT_EQ(details.http_status, 400);
  EXPECT_EQ(details.upstream_code, "InvalidAuthentication");
  EXPECT_EQ(details.upstream_request_id, "from-body");
}

TEST_F(DingTalkTaskSourceTest, DoesNotBlameTheRejectedCallForAnotherTrouble) {
  tokens_.answers = {"canary-1", TokenError(ErrorReason::kUpstreamUnavailable)};
  http_.Expect(kCall, HttpAnswer(400, kInvalidToken));
  EXPECT_EQ(FetchError().upstream_request_id, "");
}

TEST_F(DingTalkTaskSourceTest, TellsTheSecondCallsErrorWhateverItIs) {
  tokens_.answers = {"canary-1", "canary-2"};
  http_.Expect(kCall, HttpAnswer(400, kInvalidToken));
  http_.Expect(kCall, HttpAnswer(503, ""));
  EXPECT_EQ(FetchError().reason, ErrorReason::kUpstreamUnavailable);
}

TEST_F(DingTalkTaskSourceTest, DoesNotRetryAnythingElse) {
  for (const int status : {302, 400, 403, 404, 429, 500, 502, 503, 504}) {
    tokens_.answers = {"canary-1"};
    http_.Expect(kCall, HttpAnswer(status, ""));
    EXPECT_EQ(FetchError().http_status, status);
  }
  EXPECT_TRUE(tokens_.invalidated.empty());
}

TEST_F(DingTalkTaskSourceTest, CallsNobodyWithoutAToken) {
  tokens_.answers = {TokenError(ErrorReason::kUpstreamUnauthenticated)};
  const absl::StatusOr<TaskInfo> info = Fetch();
  EXPECT_THAT(info, HasReason(ErrorReason::kUpstreamUnauthenticated));
  EXPECT_EQ(info.status().message(), "no token");
}

TEST_F(DingTalkTaskSourceTest, WaitsForAToken) {
  tokens_.hold = true;
  const auto answer = Begin();
  loop_.RunFor(absl::Seconds(1));
  EXPECT_TRUE(http_.requests().empty());
  http_.Expect(kCall, HttpAnswer(200, kRunning));
  tokens_.hold = false;
  tokens_.answers = {"canary-1"};
  tokens_.held[0](std::string("canary-1"));
  loop_.RunPosted();
  ASSERT_TRUE(answer->has_value());
  EXPECT_TRUE((*answer)->ok());
}

TEST_F(DingTalkTaskSourceTest, PassesOnThatNoAnswerCame) {
  ErrorDetails details;
  details.reason = ErrorReason::kUpstreamUnavailable;
  details.persistence = Persistence::kTransient;
  const absl::Status refused = MakeError(details, "connection refused");
  tokens_.answers = {"canary-1"};
  http_.Expect(kCall, refused);
  EXPECT_EQ(Fetch().status(), refused);
}

TEST_F(DingTalkTaskSourceTest, TracesAMalformedAnswer) {
  tokens_.answers = {"canary-1"};
  http_.Expect(kCall, HttpAnswer(200, R"({"taskId":"wxyz","status":1})"));
  const ErrorDetails details = FetchError();
  EXPECT_EQ(details.reason, ErrorReason::kUpstreamMalformedResponse);
  EXPECT_EQ(details.persistence, Persistence::kTransient);
  EXPECT_EQ(details.http_status, 200);
  EXPECT_EQ(details.upstream_request_id, "request-id");
}

TEST_F(DingTalkTaskSourceTest, NeverReadsABanAsAState) {
  for (const char* body : {R"({"status":1111,"wait":5,"source":"x5","punish":"deny","uuid":"u"})", "<html></html>"}) {
    tokens_.answers = {"canary-1"};
    http_.Expect(kCall, HttpAnswer(200, body));
    const ErrorDetails details = FetchError();
    EXPECT_EQ(details.reason, ErrorReason::kUpstreamIpBanned);
    EXPECT_EQ(details.retry_after, absl::Seconds(300));
  }
}

TEST_F(DingTalkTaskSourceTest, TellsHowLongTheMonthStillLasts) {
  tokens_.answers = {"canary-1"};
  const absl::Duration left = UntilNextMonth(loop_.Now());
  http_.Expect(kCall, HttpAnswer(403, R"({"code":"Forbidden.AccessDenied.ApiCountLimitForOrg"})"));
  const ErrorDetails details = FetchError();
  EXPECT_EQ(details.reason, ErrorReason::kMonthlyQuotaExhausted);
  EXPECT_EQ(details.persistence, Persistence::kPaused);
  EXPECT_EQ(details.upstream_code, "Forbidden.AccessDenied.ApiCountLimitForOrg");
  EXPECT_EQ(details.retry_after, left);
}

TEST_F(DingTalkTaskSourceTest, TellsHowLongTheMonthLastsToThoseWhoGetNoTokenEither) {
  tokens_.answers = {TokenError(ErrorReason::kMonthlyQuotaExhausted)};
  const absl::Duration left = UntilNextMonth(loop_.Now());
  EXPECT_EQ(FetchError().retry_after, left);
}

TEST_F(DingTalkTaskSourceTest, DoesNotLoseAMonthToARefusalOfTheMonthBefore) {
  loop_.RunFor(UntilNextMonth(loop_.Now()));
  tokens_.answers = {"canary-1", TokenError(ErrorReason::kMonthlyQuotaExhausted), "canary-1"};
  http_.Expect(kCall, HttpAnswer(403, R"({"code":"Forbidden.AccessDenied.ApiCountLimitForOrg"})"));
  EXPECT_EQ(FetchError().retry_after, absl::Minutes(1)) << "DingTalk's clock may be behind";
  tokens_.answers.pop_front();
  loop_.RunFor(absl::Minutes(5));
  EXPECT_EQ(FetchError().retry_after, absl::Minutes(1)) << "the token provider may remember a refusal";
  tokens_.answers.pop_front();
  loop_.RunFor(absl::Minutes(5));
  http_.Expect(kCall, HttpAnswer(403, R"({"code":"Forbidden.AccessDenied.ApiCountLimitForOrg"})"));
  EXPECT_EQ(FetchError().retry_after, UntilNextMonth(loop_.Now())) << "by now it is the new month's";
}

TEST_F(DingTalkTaskSourceTest, KeepsFetchesApart) {
  tokens_.answers = {"canary-1", "canary-2"};
  http_.Expect(kCall, HttpAnswer(400, kInvalidToken), absl::Seconds(1));
  http_.Expect("GET /v2.0/doc/task/info/wxyz", HttpAnswer(200, R"({"taskId":"wxyz","status":1})"), absl::Seconds(2));
  http_.Expect(kCall, HttpAnswer(200, kRunning), absl::Seconds(3));
  const auto first = Begin("abcd");
  const auto second = Begin("wxyz");
  loop_.RunFor(absl::Seconds(2));
  EXPECT_FALSE(first->has_value());
  ASSERT_TRUE(second->has_value());
  EXPECT_EQ((*second)->value().state, TaskState::kSucceeded);
  loop_.RunFor(absl::Seconds(2));
  ASSERT_TRUE(first->has_value());
  EXPECT_EQ((*first)->value().state, TaskState::kRunning);
}

TEST_F(DingTalkTaskSourceTest, RepeatsTheTokenNowhereWhateverDingTalkAnswers) {
  const std::string token = "canary-0123456789";
  const std::string echo =
      absl::StrCat(R"({"code":")", token, R"(","message":"x)", token, R"(","requestid":")", token, R"(","taskId":")",
                   token, R"(","status":")", token, R"(","accessdenieddetail":{"requiredScopes":[")", token, R"("]}})");
  const std::string bodies[] = {
      echo,
      absl::StrCat(R"({"status":")", token, R"("})"),
      absl::StrCat(R"({"status":0,"totalCount":")", token, R"("})"),
      absl::StrCat(R"({"headers":{"x-acs-dingtalk-access-token":")", token, R"("}})"),
      absl::StrCat("<html>", token, "</html>"),
      token,
  };
  for (const std::string& body : bodies) {
    for (const int status : {200, 302, 400, 403, 404, 429, 500, 503}) {
      tokens_.answers = {token};
      HttpResponse response = HttpAnswer(status, body);
      response.headers = {{"x-acs-request-id", token}};
      http_.Expect(kCall, response);
      // Fetch() looks at the error.
      EXPECT_THAT(Fetch(), Not(IsOk()));
    }
    tokens_.answers = {token, token};
    http_.Expect(kCall, HttpAnswer(401, body));
    http_.Expect(kCall, HttpAnswer(401, body));
    if (!absl::StartsWith(body, "<")) {
      EXPECT_THAT(Fetch(), Not(IsOk()));
    } else {
      // A page is a ban, which is not retried; the second answer is for another fetch.
      EXPECT_THAT(Fetch(), Not(IsOk()));
      EXPECT_THAT(Fetch(), Not(IsOk()));
    }
  }
}

TEST_F(DingTalkTaskSourceTest, AcquiresAPermitForTheCallAndForItsRepetition) {
  tokens_.answers = {"canary-1", "canary-2"};
  http_.Expect(kCall, HttpAnswer(400, kInvalidToken));
  http_.Expect(kCall, HttpAnswer(200, kRunning));
  fetch_options_.priority = Priority::kPoll;
  fetch_options_.deadline = loop_.Now() + absl::Seconds(7);
  EXPECT_THAT(Fetch(), IsOk());
  ASSERT_EQ(gate_.requests.size(), 2u);
  for (const CallRequest& request : gate_.requests) {
    EXPECT_EQ(request.priority, Priority::kPoll);
    EXPECT_EQ(request.deadline, fetch_options_.deadline);
    EXPECT_EQ(request.task_id, "abcd");
  }
}

TEST_F(DingTalkTaskSourceTest, TellsTheGateWhatBecameOfEachCall) {
  tokens_.answers = {"canary-1", "canary-2"};
  http_.Expect(kCall, HttpAnswer(400, kInvalidToken));
  http_.Expect(kCall, HttpAnswer(403, R"({"code":"Forbidden.AccessDenied.QpsLimitForApi"})"));
  EXPECT_THAT(Fetch(), Not(IsOk()));
  ASSERT_EQ(gate_.reported.size(), 2u);
  EXPECT_THAT(gate_.reported[0], HasReason(ErrorReason::kUpstreamUnauthenticated));
  EXPECT_EQ(DetailsOf(gate_.reported[0]).persistence, Persistence::kTransient) << "a new token may be accepted";
  EXPECT_THAT(gate_.reported[1], HasReason(ErrorReason::kUpstreamRateLimited));
}

TEST_F(DingTalkTaskSourceTest, CallsNobodyWithoutAPermit) {
  ErrorDetails details;
  details.reason = ErrorReason::kMonthlyQuotaExhausted;
  details.persistence = Persistence::kPaused;
  details.retry_after = absl::Hours(100);
  details.not_asked = true;
  gate_.refusal = MakeError(details, "used up");
  tokens_.answers = {"canary-1"};
  EXPECT_EQ(Fetch().status(), gate_.refusal);
  EXPECT_TRUE(http_.requests().empty());
  EXPECT_TRUE(gate_.reported.empty());
}

TEST_F(DingTalkTaskSourceTest, UsesTheTokenThatThereIsWhenThePermitComes) {
  gate_.hold = true;
  tokens_.answers = {"canary-1"};
  const auto answer = Begin();
  loop_.RunFor(absl::Minutes(1));
  EXPECT_TRUE(http_.requests().empty());
  tokens_.answers = {"canary-2"};
  http_.Expect(kCall, HttpAnswer(200, kRunning));
  gate_.AnswerOne(absl::OkStatus());
  loop_.RunPosted();
  EXPECT_TRUE(answer->has_value());
  EXPECT_EQ(http_.requests()[0].headers[0].second, "canary-2");
}

TEST_F(DingTalkTaskSourceTest, WaitsForTheNextTokenIfThisOneIsGoneWhenThePermitComes) {
  gate_.hold = true;
  tokens_.answers = {"canary-1"};
  const auto answer = Begin();
  tokens_.hold = true;
  gate_.AnswerOne(absl::OkStatus());
  loop_.RunPosted();
  EXPECT_TRUE(http_.requests().empty());
  http_.Expect(kCall, HttpAnswer(200, kRunning));
  tokens_.held[0](std::string("canary-2"));
  loop_.RunPosted();
  EXPECT_TRUE(answer->has_value());
  EXPECT_EQ(gate_.requests.size(), 1u) << "the permit has been counted";
}

TEST_F(DingTalkTaskSourceTest, FetchesWithATokenThatIsNotAtHand) {
  tokens_.cache = false;
  tokens_.answers = {"canary-1"};
  http_.Expect(kCall, HttpAnswer(200, kRunning));
  EXPECT_THAT(Fetch(), IsOk());
}

TEST_F(DingTalkTaskSourceTest, AcquiresNoPermitWhileThereIsNoToken) {
  tokens_.hold = true;
  const auto answer = Begin();
  EXPECT_TRUE(gate_.requests.empty());
  tokens_.held[0](TokenError(ErrorReason::kUpstreamUnavailable));
  loop_.RunPosted();
  EXPECT_TRUE(answer->has_value());
  EXPECT_TRUE(gate_.requests.empty());
}

TEST_F(DingTalkTaskSourceTest, TellsTheGateOfAPauseThatTheTokenCallRanInto) {
  ErrorDetails details;
  details.reason = ErrorReason::kUpstreamIpBanned;
  details.persistence = Persistence::kPaused;
  details.retry_after = absl::Seconds(300);
  const absl::Status banned = MakeError(details, "banned");
  tokens_.answers = {banned};
  EXPECT_EQ(Fetch().status(), banned);
  ASSERT_EQ(gate_.reported.size(), 1u);
  EXPECT_EQ(gate_.reported[0], banned);
}

TEST_F(DingTalkTaskSourceTest, MakesAWaitingFetchMoreUrgentWhenSomebodyJoins) {
  gate_.hold = true;
  tokens_.answers = {"canary-1"};
  fetch_options_.priority = Priority::kPoll;
  fetch_options_.deadline = loop_.Now() + absl::Seconds(5);
  const auto answer = Begin();
  EXPECT_FALSE(source_->Join("other", {Priority::kCaller, absl::InfiniteFuture()}));
  EXPECT_EQ(gate_.waiting[0].request.priority, Priority::kPoll);
  EXPECT_TRUE(source_->Join("abcd", {Priority::kCaller, loop_.Now() + absl::Seconds(3)}));
  EXPECT_EQ(gate_.waiting[0].request.priority, Priority::kCaller);
  EXPECT_EQ(gate_.waiting[0].request.deadline, fetch_options_.deadline);
}

TEST_F(DingTalkTaskSourceTest, RemembersWhoJoinsUntilThereIsAToken) {
  tokens_.hold = true;
  fetch_options_.priority = Priority::kPoll;
  const auto answer = Begin();
  EXPECT_TRUE(source_->Join("abcd", {Priority::kCaller, absl::InfiniteFuture()}));
  http_.Expect(kCall, HttpAnswer(200, kRunning));
  tokens_.hold = false;
  tokens_.answers = {"canary-1"};
  tokens_.held[0](std::string("canary-1"));
  EXPECT_EQ(gate_.requests[0].priority, Priority::kCaller);
  EXPECT_TRUE(source_->Join("abcd", {Priority::kCaller, absl::InfiniteFuture()})) << "its request is yet to be sent";
  loop_.RunPosted();
  EXPECT_TRUE(answer->has_value());
  EXPECT_FALSE(source_->Join("abcd", {Priority::kCaller, absl::InfiniteFuture()}));
}

TEST_F(DingTalkTaskSourceTest, GivesUpAFetchThatIsCancelledBeforeItsCallIsMade) {
  tokens_.hold = true;
  const auto without_token = Begin();
  EXPECT_FALSE(source_->Cancel("other"));
  EXPECT_TRUE(source_->Cancel("abcd"));
  EXPECT_FALSE(source_->Cancel("abcd"));
  tokens_.held[0](std::string("canary-1"));
  loop_.RunPosted();
  EXPECT_TRUE(gate_.requests.empty()) << "nothing waits for a permit";

  tokens_.hold = false;
  tokens_.answers = {"canary-1"};
  gate_.hold = true;
  const auto without_permit = Begin();
  ASSERT_EQ(gate_.waiting.size(), 1u);
  EXPECT_TRUE(source_->Cancel("abcd"));
  EXPECT_TRUE(gate_.waiting.empty());
  loop_.RunFor(absl::Minutes(1));
  EXPECT_FALSE(without_token->has_value());
  EXPECT_FALSE(without_permit->has_value());
  EXPECT_TRUE(gate_.reported.empty());
}

TEST_F(DingTalkTaskSourceTest, FinishesAFetchThatIsCancelledOnceItsCallHasBeenCounted) {
  tokens_.answers = {"canary-1"};
  http_.Expect(kCall, HttpAnswer(200, kRunning));
  const auto answer = Begin();
  EXPECT_FALSE(source_->Cancel("abcd")) << "its permit is on its way";
  loop_.RunPosted();
  EXPECT_TRUE(answer->has_value());
  EXPECT_EQ(gate_.reported.size(), 1u);
}

TEST_F(DingTalkTaskSourceTest, MakesNoSecondCallForAFetchThatWasCancelledDuringTheFirst) {
  tokens_.answers = {"canary-1", "canary-2"};
  http_.Expect(kCall, HttpAnswer(400, kInvalidToken), absl::Seconds(1));
  const auto answer = Begin();
  loop_.RunPosted();
  EXPECT_FALSE(source_->Cancel("abcd"));
  loop_.RunFor(absl::Seconds(2));
  ASSERT_TRUE(answer->has_value());
  EXPECT_THAT(**answer, HasReason(ErrorReason::kUpstreamUnauthenticated));
  EXPECT_EQ(DetailsOf((*answer)->status()).persistence, Persistence::kTransient) << "a new token was not tried";
  EXPECT_EQ(http_.requests().size(), 1u);
  EXPECT_EQ(gate_.requests.size(), 1u);
}

TEST_F(DingTalkTaskSourceTest, MakesTheSecondCallForWhoJoinsDuringTheFirst) {
  tokens_.answers = {"canary-1", "canary-2"};
  http_.Expect(kCall, HttpAnswer(400, kInvalidToken), absl::Seconds(1));
  http_.Expect(kCall, HttpAnswer(200, kRunning));
  const auto answer = Begin();
  loop_.RunPosted();
  source_->Cancel("abcd");
  EXPECT_FALSE(source_->Join("abcd", {Priority::kCaller, absl::InfiniteFuture()}));
  loop_.RunFor(absl::Seconds(2));
  ASSERT_TRUE(answer->has_value());
  EXPECT_THAT(**answer, IsOk());
}

TEST_F(DingTalkTaskSourceTest, CallsNobodyOnceDestroyed) {
  // In each of the states that something can be in: the call, a posted error, the gate, the token.
  tokens_.answers = {"canary-1"};
  http_.Expect(kCall, HttpAnswer(200, kRunning), absl::Seconds(1));
  const auto calling = Begin();
  loop_.RunPosted();
  tokens_.answers = {TokenError(ErrorReason::kUpstreamUnavailable)};
  const auto failed = Begin();
  const auto invalid = Begin("..");
  gate_.hold = true;
  tokens_.answers = {"canary-1"};
  const auto queued = Begin();
  tokens_.hold = true;
  const auto waiting = Begin();
  source_.reset();
  tokens_.held[0](std::string("canary-1"));
  gate_.AnswerOne(absl::OkStatus());
  loop_.RunFor(absl::Seconds(2));
  EXPECT_FALSE(queued->has_value());
  EXPECT_FALSE(calling->has_value());
  EXPECT_FALSE(failed->has_value());
  EXPECT_FALSE(invalid->has_value());
  EXPECT_FALSE(waiting->has_value());
}

TEST_F(DingTalkTaskSourceTest, MayBeDestroyedByWhoGetsTheAnswer) {
  tokens_.answers = {"canary-1"};
  http_.Expect(kCall, HttpAnswer(500, ""));
  bool called = false;
  source_->Fetch("abcd", {}, [&](absl::StatusOr<TaskInfo>) {
    called = true;
    source_.reset();
  });
  loop_.RunPosted();
  EXPECT_TRUE(called);
}

}  // namespace
}  // namespace taskwatch
