#include "tests/dingtalk_standin/dingtalk_model.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace taskwatch::standin {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kToken[] = "preset-token";

class DingTalkModelTest : public ::testing::Test {
 protected:
  static DingTalkModel::Options DefaultOptions() {
    DingTalkModel::Options options;
    options.static_tokens = {kToken};
    return options;
  }

  static Request Get(std::string path, std::string token = kToken) {
    return {"GET", std::move(path), {{"X-Acs-DingTalk-Access-Token", std::move(token)}}, ""};
  }
  static Request GetTask(const std::string& task_id, std::string token = kToken) {
    return Get("/v2.0/doc/task/info/" + task_id, std::move(token));
  }
  static Request Post(std::string path, std::string body) {
    return {"POST",
            std::move(path),
            {{"x-acs-dingtalk-access-token", kToken}, {"Content-Type", "application/json; charset=utf-8"}},
            std::move(body)};
  }
  static Request AskAccessToken(const std::string& secret = "demo-app-secret") {
    return Post("/v1.0/oauth2/accessToken", absl::StrCat(R"({"appKey":"dingdemoapp","appSecret":")", secret, R"("})"));
  }
  static Request AskCorpToken(const std::string& corp_id = "dingdemocorp",
                              const std::string& secret = "demo-app-secret",
                              const std::string& grant_type = "client_credentials") {
    return Post(absl::StrCat("/v1.0/oauth2/", corp_id, "/token"),
                absl::StrCat(R"({"client_id":"dingdemoapp","client_secret":")", secret, R"(","grant_type":")",
                             grant_type, R"("})"));
  }
  static Request Copy(const std::string& source) {
    return Post("/v2.0/doc/dentries/copy?operatorId=u1",
                absl::StrCat(R"({"param":{"sourceDentryUuid":")", source, R"(","targetParentDentryUuid":"folder"}})"));
  }

  static std::string CodeOf(const Answer& answer) { return nlohmann::json::parse(answer.body).value("code", ""); }
  static std::string Outcome(const Answer& answer) { return absl::StrCat(answer.status, " ", CodeOf(answer)); }
  static int StatusOf(const Answer& answer) { return nlohmann::json::parse(answer.body).at("status"); }

  static Fault Canned(const std::string& name) { return CannedFault(name).value(); }

  Answer Handle(const Request& request) { return model_.Handle(request, now_); }

  absl::Time now_ = absl::FromUnixSeconds(1'800'000'000);
  DingTalkModel model_{DefaultOptions()};
};

// Tokens.

TEST_F(DingTalkModelTest, CallAHandsOutATokenThatTheTaskCallAccepts) {
  const auto token = nlohmann::json::parse(Handle(AskAccessToken()).body);

  EXPECT_EQ(token.at("expireIn"), 7200);
  EXPECT_EQ(Outcome(Handle(GetTask("t", token.at("accessToken")))), "404 taskNotExist");
}

TEST_F(DingTalkModelTest, CallAReturnsTheSameTokenWhileItIsValidAndRenewsIt) {
  const std::string first = nlohmann::json::parse(Handle(AskAccessToken()).body).at("accessToken");
  now_ += absl::Minutes(90);
  const std::string second = nlohmann::json::parse(Handle(AskAccessToken()).body).at("accessToken");
  now_ += absl::Minutes(90);

  EXPECT_EQ(second, first);
  EXPECT_EQ(Outcome(Handle(GetTask("t", first))), "404 taskNotExist");
}

TEST_F(DingTalkModelTest, CallAReturnsANewTokenOnceTheOldOneHasExpired) {
  const std::string first = nlohmann::json::parse(Handle(AskAccessToken()).body).at("accessToken");
  now_ += absl::Hours(2);
  const std::string second = nlohmann::json::parse(Handle(AskAccessToken()).body).at("accessToken");

  EXPECT_NE(second, first);
  EXPECT_EQ(Outcome(Handle(GetTask("t", first))), "400 InvalidAuthentication");
}

TEST_F(DingTalkModelTest, CallARefusesAWrongSecret) {
  EXPECT_EQ(Outcome(Handle(AskAccessToken("wrong"))), "400 invalidClientIdOrSecret");
}

TEST_F(DingTalkModelTest, CallAMissesTheBodyOfAForm) {
  Request request = AskAccessToken();
  request.headers = {{"content-type", "application/x-www-form-urlencoded"}};
  request.body = "appKey=dingdemoapp&appSecret=demo-app-secret";

  EXPECT_EQ(Outcome(Handle(request)), "400 Missingbody");
}

TEST_F(DingTalkModelTest, CallBHandsOutATokenUnderItsOwnKeys) {
  const auto token = nlohmann::json::parse(Handle(AskCorpToken()).body);

  EXPECT_EQ(token.at("expires_in"), 7200);
  EXPECT_EQ(Outcome(Handle(GetTask("t", token.at("access_token")))), "404 taskNotExist");
}

TEST_F(DingTalkModelTest, CallBTellsWhatIsWrong) {
  EXPECT_EQ(Outcome(Handle(AskCorpToken("dingdemocorp", "wrong"))), "400 invalid.client");
  EXPECT_EQ(Outcome(Handle(AskCorpToken("dingdemocorp", "demo-app-secret", "password"))), "400 unsupported.grant.type");
  EXPECT_EQ(Outcome(Handle(AskCorpToken("othercorp"))), "401 unauthorized.client");
}

TEST_F(DingTalkModelTest, TokensAndIdsDependOnTheSeedAlone) {
  DingTalkModel::Options other_seed = DefaultOptions();
  other_seed.seed = 2;
  DingTalkModel same(DefaultOptions());
  DingTalkModel other(other_seed);
  const std::string body = Handle(AskAccessToken()).body;

  EXPECT_EQ(same.Handle(AskAccessToken(), now_).body, body);
  EXPECT_NE(other.Handle(AskAccessToken(), now_).body, body);
}

TEST_F(DingTalkModelTest, ExpiringTokensExpiresThePresetOnesToo) {
  model_.ExpireTokens();

  EXPECT_EQ(Outcome(Handle(GetTask("t"))), "400 InvalidAuthentication");
}

TEST_F(DingTalkModelTest, CallsWithoutATokenAreRefused) {
  Request copy = Copy("doc");
  copy.headers.erase(copy.headers.begin());

  EXPECT_EQ(Outcome(Handle({"GET", "/v2.0/doc/task/info/t", {}, ""})), "400 InvalidAuthentication");
  EXPECT_EQ(Outcome(Handle(copy)), "400 InvalidAuthentication");
}

// Tasks.

TEST_F(DingTalkModelTest, CopyCreatesATaskThatWaitsRunsAndSucceeds) {
  const auto copied = nlohmann::json::parse(Handle(Copy("doc")).body);
  const std::string task_id = copied.at("taskId");
  std::vector<std::string> seen;
  for (const int seconds : {0, 2, 5, 5}) {
    now_ += absl::Seconds(seconds);
    seen.push_back(Handle(GetTask(task_id)).body);
  }

  EXPECT_EQ(copied.at("isAsync"), true);
  const std::string id = absl::StrCat(R"({"taskId":")", task_id, R"(",)");
  EXPECT_THAT(seen, ElementsAre(id + R"("status":-1,"totalCount":20,"succCount":0,"failCount":0})",
                                id + R"("status":0,"totalCount":20,"succCount":0,"failCount":0})",
                                id + R"("status":0,"totalCount":20,"succCount":10,"failCount":0})",
                                id + R"("status":1,"totalCount":20,"succCount":20,"failCount":0})"));
}

TEST_F(DingTalkModelTest, CopyOfASmallDocumentHasNoTask) {
  const auto copied = nlohmann::json::parse(Handle(Copy("small-doc")).body);

  EXPECT_EQ(copied.at("isAsync"), false);
  EXPECT_FALSE(copied.contains("taskId"));
  EXPECT_TRUE(copied.at("syncCopyResult").contains("dentryUuid"));
}

TEST_F(DingTalkModelTest, CopyTellsWhatIsWrong) {
  EXPECT_EQ(Outcome(Handle(Copy("missing-doc"))), "500 documentNotExist");
  EXPECT_EQ(Outcome(Handle(Copy("forbidden-doc"))), "500 permissionDenied");
  for (const char* body : {"", "[]", "{}", R"({"param":1})", R"({"param":{"sourceDentryUuid":"doc"}})"}) {
    EXPECT_EQ(Outcome(Handle(Post("/v2.0/doc/dentries/copy", body))), "400 paramError") << body;
  }
}

TEST_F(DingTalkModelTest, TheExampleOfTheApiPageIsThere) {
  DingTalkModel::Options options = DefaultOptions();
  options.example_task = true;
  DingTalkModel model(options);

  EXPECT_EQ(model.Handle(GetTask("abcd"), now_).body,
            R"({"taskId":"abcd","status":2,"totalCount":1,"succCount":1,"failCount":0})");
}

TEST_F(DingTalkModelTest, EachOutcomeHasItsCounts) {
  const std::vector<std::string> want = {R"("status":1,"totalCount":8,"succCount":8,"failCount":0})",
                                         R"("status":2,"totalCount":8,"succCount":6,"failCount":2})",
                                         R"("status":3,"totalCount":8,"succCount":0,"failCount":8})",
                                         R"("status":4,"totalCount":8,"succCount":0,"failCount":0})"};
  for (int outcome = 1; outcome <= 4; ++outcome) {
    TaskPlan plan;
    plan.items = 8;
    plan.outcome = outcome;
    model_.AddTask("t", plan, now_ - absl::Minutes(1));
    EXPECT_THAT(Handle(GetTask("t")).body, HasSubstr(want[outcome - 1]));
  }
}

TEST_F(DingTalkModelTest, CountsGrowInThePlannedShape) {
  const auto halfway = [this](ProgressShape shape) {
    TaskPlan plan;
    plan.items = 100;
    plan.shape = shape;
    model_.AddTask("t", plan, now_ - plan.waiting - plan.running / 2);
    return nlohmann::json::parse(Handle(GetTask("t")).body).at("succCount").get<int>();
  };

  EXPECT_EQ(halfway(ProgressShape::kLinear), 50);
  EXPECT_EQ(halfway(ProgressShape::kAccelerating), 25);
  EXPECT_EQ(halfway(ProgressShape::kSlowing), 75);
}

TEST_F(DingTalkModelTest, CountsMayBeMissingUntilTheEnd) {
  TaskPlan plan;
  plan.shape = ProgressShape::kNone;
  model_.AddTask("t", plan, now_);
  now_ += absl::Seconds(5);

  EXPECT_EQ(Handle(GetTask("t")).body, R"({"taskId":"t","status":0})");
  now_ += absl::Seconds(10);
  EXPECT_THAT(Handle(GetTask("t")).body, HasSubstr("\"totalCount\":20"));
}

TEST_F(DingTalkModelTest, AnUnknownTaskMayBeAParamError) {
  DingTalkModel::Options options = DefaultOptions();
  options.unknown_task = DingTalkModel::UnknownTask::kParamError;
  DingTalkModel model(options);

  EXPECT_EQ(Outcome(model.Handle(GetTask("t"), now_)), "400 paramError");
}

TEST_F(DingTalkModelTest, PathsAreTakenAsTheyWereSent) {
  model_.AddTask("a.", TaskPlan(), now_);

  EXPECT_EQ(Handle(GetTask("a%2e")).status, 200);
  EXPECT_EQ(Outcome(Handle(GetTask("../../v1.0/x"))), "404 InvalidAction.NotFound");
  EXPECT_EQ(Outcome(Handle(GetTask(""))), "404 InvalidAction.NotFound");
  EXPECT_EQ(model_.calls()[0].task_id, "a%2e");
  EXPECT_EQ(model_.calls()[1].path, "/v2.0/doc/task/info/../../v1.0/x");
}

TEST_F(DingTalkModelTest, TheWrongMethodIsNoApi) {
  EXPECT_EQ(Outcome(Handle(Post("/v2.0/doc/task/info/t", "{}"))), "404 InvalidAction.NotFound");
  EXPECT_EQ(Outcome(Handle(Get("/v1.0/oauth2/accessToken"))), "404 InvalidAction.NotFound");
}

// Limits.

TEST_F(DingTalkModelTest, TheCallBeyondTheRateIsRefusedAndCostsNothing) {
  for (int i = 0; i < 20; ++i) ASSERT_EQ(Handle(GetTask("t")).status, 404);

  EXPECT_EQ(Outcome(Handle(GetTask("t"))), "403 Forbidden.AccessDenied.QpsLimitForAppkeyAndApi");
  EXPECT_EQ(Handle(Copy("doc")).status, 200) << "the rate is each API's own";
  EXPECT_EQ(model_.counts().refused_qps, 1);
  EXPECT_EQ(model_.monthly_calls_used(), 21);
  now_ += absl::Seconds(1);
  EXPECT_EQ(Handle(GetTask("t")).status, 404);
}

TEST_F(DingTalkModelTest, TheRateHoldsAcrossTheClocksSeconds) {
  now_ += absl::Milliseconds(900);
  for (int i = 0; i < 20; ++i) Handle(GetTask("t"));
  now_ += absl::Milliseconds(200);

  EXPECT_EQ(Handle(GetTask("t")).status, 403);
}

TEST_F(DingTalkModelTest, TheMonthsQuotaEndsInAllCallsButA) {
  DingTalkModel::Options options = DefaultOptions();
  options.monthly_calls = 2;
  DingTalkModel model(options);
  model.Handle(GetTask("t"), now_);
  model.Handle(AskCorpToken(), now_);

  const std::string refused = "403 Forbidden.AccessDenied.ApiCountLimitForOrg";
  EXPECT_EQ(Outcome(model.Handle(GetTask("t"), now_)), refused);
  EXPECT_EQ(Outcome(model.Handle(Copy("doc"), now_)), refused);
  EXPECT_EQ(Outcome(model.Handle(AskCorpToken(), now_)), refused);
  EXPECT_EQ(model.Handle(AskAccessToken(), now_).status, 200);
  EXPECT_EQ(model.monthly_calls_used(), 2);
  EXPECT_EQ(model.counts().refused_month, 3);
}

TEST_F(DingTalkModelTest, OthersHaveUsedNoCallsOfTheNextMonth) {
  DingTalkModel::Options options = DefaultOptions();
  options.monthly_calls = 10;
  options.monthly_calls_used = 10;
  DingTalkModel model(options);
  model.AddTask("other", TaskPlan(), now_);

  EXPECT_EQ(Outcome(model.Handle(GetTask("t"), now_ + absl::Hours(24 * 31))), "404 taskNotExist");
}

TEST_F(DingTalkModelTest, OthersMayHaveUsedThisMonthsCalls) {
  DingTalkModel::Options options = DefaultOptions();
  options.monthly_calls = 10;
  options.monthly_calls_used = 9;
  DingTalkModel model(options);

  EXPECT_EQ(Outcome(model.Handle(GetTask("t"), now_)), "404 taskNotExist");
  EXPECT_EQ(Outcome(model.Handle(GetTask("t"), now_)), "403 Forbidden.AccessDenied.ApiCountLimitForOrg");
  EXPECT_EQ(Outcome(model.Handle(GetTask("t"), now_ + absl::Hours(24 * 31))), "404 taskNotExist");
}

TEST_F(DingTalkModelTest, TheMonthIsChinas) {
  DingTalkModel::Options options = DefaultOptions();
  options.monthly_calls = 1;
  DingTalkModel model(options);
  const absl::Time new_month = absl::FromCivil(absl::CivilSecond(2026, 2, 28, 16, 0, 0), absl::UTCTimeZone());
  model.Handle(GetTask("t"), new_month - absl::Hours(1));

  EXPECT_EQ(model.Handle(GetTask("t"), new_month - absl::Milliseconds(1)).status, 403);
  EXPECT_EQ(model.Handle(GetTask("t"), new_month).status, 404);
}

TEST_F(DingTalkModelTest, CallsWithABadTokenCostNothing) {
  for (int i = 0; i < 30; ++i) Handle(GetTask("t", "bad"));

  EXPECT_EQ(Handle(GetTask("t")).status, 404);
  EXPECT_EQ(model_.counts().refused_authentication, 30);
  EXPECT_EQ(model_.monthly_calls_used(), 1);
}

// Errors on the wire.

TEST_F(DingTalkModelTest, EveryAnswerCarriesItsRequestId) {
  const Answer good = Handle(AskAccessToken());
  const Answer bad = Handle(GetTask("t"));

  EXPECT_THAT(HeaderValue(good.headers, "X-Acs-Request-Id"), Not(IsEmpty()));
  EXPECT_THAT(HeaderValue(good.headers, "x-acs-trace-id"), Not(IsEmpty()));
  EXPECT_EQ(nlohmann::json::parse(bad.body).at("requestid"), std::string(HeaderValue(bad.headers, "x-acs-request-id")));
}

TEST_F(DingTalkModelTest, ErrorKeysMayBeCapitalised) {
  DingTalkModel::Options options = DefaultOptions();
  options.capitalised_error_keys = true;
  DingTalkModel model(options);
  model.InjectFault(Canned("permission_denied"));
  const auto error = nlohmann::json::parse(model.Handle(GetTask("t"), now_).body);

  EXPECT_EQ(error.at("Code"), "Forbidden.AccessDenied.AccessTokenPermissionDenied");
  EXPECT_TRUE(error.contains("RequestId"));
  EXPECT_TRUE(error.contains("Message"));
  EXPECT_EQ(error.at("AccessDeniedDetail").at("requiredScopes")[0], "SNS.Document.WorkspaceDocument.Read");
}

// Faults.

TEST_F(DingTalkModelTest, AFaultStrikesTheNextCallsOfItsApi) {
  Fault fault = Canned("system_error");
  fault.api = Api::kTaskInfo;
  fault.count = 2;
  model_.InjectFault(fault);

  EXPECT_EQ(Handle(AskAccessToken()).status, 200);
  EXPECT_EQ(Outcome(Handle(GetTask("t"))), "500 systemError");
  EXPECT_EQ(Outcome(Handle(GetTask("t"))), "500 systemError");
  EXPECT_EQ(Outcome(Handle(GetTask("t"))), "404 taskNotExist");
  EXPECT_EQ(model_.counts().faults, 2);
}

TEST_F(DingTalkModelTest, AFaultMayStayUntilItIsCleared) {
  Fault fault = Canned("html_502");
  fault.count = Fault::kUntilCleared;
  model_.InjectFault(fault);

  for (int i = 0; i < 50; ++i) EXPECT_EQ(Handle(GetTask("t")).status, 502);
  model_.ClearFaults();
  EXPECT_EQ(Handle(GetTask("t")).status, 404);
}

TEST_F(DingTalkModelTest, FaultsStrikeInTheirOrder) {
  model_.InjectFault(Canned("system_busy"));
  model_.InjectFault(Canned("operation_timeout"));

  EXPECT_EQ(Outcome(Handle(GetTask("t"))), "429 system.busy");
  EXPECT_EQ(Outcome(Handle(GetTask("t"))), "503 operationTimeout");
}

TEST_F(DingTalkModelTest, ACustomErrorIsPossible) {
  Fault fault;
  fault.http_status = 418;
  fault.code = "Strange.Code";
  fault.headers = {{"Retry-After", "7"}};
  model_.InjectFault(fault);
  const Answer answer = Handle(GetTask("t"));

  EXPECT_EQ(Outcome(answer), "418 Strange.Code");
  EXPECT_EQ(HeaderValue(answer.headers, "retry-after"), "7");
}

TEST_F(DingTalkModelTest, TheBanPageIsHtmlAndThePunishmentLooksLikeAStatus) {
  model_.InjectFault(Canned("ip_ban_html"));
  model_.InjectFault(Canned("punish"));
  const Answer page = Handle(GetTask("t"));
  const Answer punishment = Handle(GetTask("t"));

  EXPECT_THAT(page.body, StartsWith("<!DOCTYPE html>"));
  EXPECT_THAT(std::string(HeaderValue(page.headers, "content-type")), StartsWith("text/html"));
  EXPECT_EQ(StatusOf(punishment), 1111);
}

TEST_F(DingTalkModelTest, MalformedBodiesAre200s) {
  model_.AddTask("t", ExamplePlan(), now_);
  std::vector<std::string> bodies;
  for (const char* name : {"malformed_null", "malformed_array", "malformed_empty", "malformed_result",
                           "malformed_truncated", "malformed_other_task"}) {
    model_.InjectFault(Canned(name));
    const Answer answer = Handle(GetTask("t"));
    EXPECT_EQ(answer.status, 200) << name;
    bodies.push_back(answer.body);
  }

  EXPECT_THAT(bodies, ElementsAre("null", "[]", "{}", R"({"result":{}})", R"({"taskId":"t","status":2,"totalCou)",
                                  StartsWith(R"({"taskId":"tx","status":1,)")));
}

TEST_F(DingTalkModelTest, ARedirectNamesItsTarget) {
  Fault fault = Canned("redirect");
  fault.headers = {{"Location", "http://127.0.0.1:1/elsewhere"}};
  model_.InjectFault(fault);
  const Answer answer = Handle(GetTask("t"));

  EXPECT_EQ(answer.status, 302);
  EXPECT_EQ(HeaderValue(answer.headers, "location"), "http://127.0.0.1:1/elsewhere");
}

TEST_F(DingTalkModelTest, TransportFaultsAreLeftToTheTransport) {
  model_.AddTask("t", ExamplePlan(), now_);
  for (const char* name : {"hang", "drip", "close", "reset", "huge"}) model_.InjectFault(Canned(name));

  EXPECT_EQ(Handle(GetTask("t")).transport, Transport::kHang);
  EXPECT_EQ(Handle(GetTask("t")).transport, Transport::kDrip);
  EXPECT_EQ(Handle(GetTask("t")).transport, Transport::kClose);
  EXPECT_EQ(Handle(GetTask("t")).transport, Transport::kReset);
  EXPECT_EQ(Handle(GetTask("t")).huge_bytes, size_t{64} << 20);
  EXPECT_EQ(model_.calls()[0].http_status, 0) << "no answer";
  EXPECT_EQ(model_.calls()[1].http_status, 200);
}

TEST_F(DingTalkModelTest, ADelayLeavesTheAnswerAsItIs) {
  Fault fault;
  fault.delay = absl::Seconds(3);
  model_.InjectFault(fault);
  const Answer answer = Handle(GetTask("t"));

  EXPECT_EQ(answer.delay, absl::Seconds(3));
  EXPECT_EQ(Outcome(answer), "404 taskNotExist");
}

TEST_F(DingTalkModelTest, EveryAnswerMayBeLate) {
  DingTalkModel::Options options = DefaultOptions();
  options.latency = absl::Seconds(2);
  DingTalkModel model(options);
  model.InjectFault(Canned("slow"));

  EXPECT_EQ(model.Handle(GetTask("t"), now_).delay, absl::Seconds(6));
  EXPECT_EQ(model.Handle(GetTask("t"), now_).delay, absl::Seconds(2));
}

TEST_F(DingTalkModelTest, AStaleAnswerTellsAnEarlierStateOrOfNoTask) {
  TaskPlan plan;
  plan.waiting = absl::ZeroDuration();
  plan.running = absl::Seconds(20);
  model_.AddTask("t", plan, now_);
  now_ += absl::Seconds(15);
  model_.InjectFault(Canned("stale"));
  Fault older = Canned("stale");
  older.age = absl::Seconds(16);
  model_.InjectFault(older);

  EXPECT_EQ(nlohmann::json::parse(Handle(GetTask("t")).body).at("succCount"), 5);
  EXPECT_EQ(Outcome(Handle(GetTask("t"))), "404 taskNotExist");
  EXPECT_EQ(nlohmann::json::parse(Handle(GetTask("t")).body).at("succCount"), 15);
}

TEST_F(DingTalkModelTest, CountsMayShrinkUntilTheTaskHasEnded) {
  TaskPlan plan;
  plan.waiting = absl::ZeroDuration();
  plan.running = absl::Seconds(20);
  model_.AddTask("t", plan, now_);
  Fault fault = Canned("shrink");
  fault.count = Fault::kUntilCleared;
  model_.InjectFault(fault);
  now_ += absl::Seconds(10);
  const Answer running = Handle(GetTask("t"));
  now_ += absl::Seconds(10);
  const Answer ended = Handle(GetTask("t"));

  EXPECT_EQ(running.body, R"({"taskId":"t","status":0,"totalCount":20,"succCount":5,"failCount":0})");
  EXPECT_EQ(ended.body, R"({"taskId":"t","status":1,"totalCount":20,"succCount":20,"failCount":0})");
}

TEST_F(DingTalkModelTest, ANewTaskMayBeUnknownAtFirst) {
  TaskPlan plan = ExamplePlan();
  plan.hidden = absl::Seconds(3);
  model_.AddTask("t", plan, now_);
  const Answer first = Handle(GetTask("t"));
  now_ += absl::Seconds(3);

  EXPECT_EQ(Outcome(first), "404 taskNotExist");
  EXPECT_EQ(StatusOf(Handle(GetTask("t"))), 2);
}

TEST_F(DingTalkModelTest, TheLogTellsWhichAnswersAreAState) {
  model_.AddTask("t", ExamplePlan(), now_);
  for (const char* const name : {"shrink", "malformed_truncated", "malformed_other_task", "system_error"}) {
    model_.InjectFault(Canned(name));
  }
  for (int i = 0; i < 5; ++i) Handle(GetTask("t"));
  Handle(GetTask("unknown"));
  std::vector<bool> told;
  for (const DingTalkModel::Call& call : model_.calls()) told.push_back(call.tells_state);

  EXPECT_THAT(told, ElementsAre(true, false, false, false, true, false));
}

TEST_F(DingTalkModelTest, InvalidTokenLastsUntilANewTokenIsFetched) {
  model_.AddTask("t", ExamplePlan(), now_);
  const std::string token = nlohmann::json::parse(Handle(AskAccessToken()).body).at("accessToken");
  model_.InjectFault(Canned("invalid_token"));

  EXPECT_EQ(Outcome(Handle(GetTask("t", token))), "400 InvalidAuthentication");
  EXPECT_EQ(Outcome(Handle(GetTask("t", token))), "400 InvalidAuthentication");
  const std::string fresh = nlohmann::json::parse(Handle(AskAccessToken()).body).at("accessToken");
  EXPECT_EQ(Handle(GetTask("t", fresh)).status, 200);
}

TEST_F(DingTalkModelTest, AFaultBehindTheGatewayCountsAndARefusalDoesNot) {
  model_.InjectFault(Canned("system_error"));
  model_.InjectFault(Canned("qps_limit"));
  Handle(GetTask("t"));
  Handle(GetTask("t"));

  EXPECT_EQ(model_.monthly_calls_used(), 1);
}

TEST_F(DingTalkModelTest, AnUnknownNameIsNoFault) {
  EXPECT_EQ(CannedFault("no_such").status().message(), "no fault is called \"no_such\"");
}

// The log.

TEST_F(DingTalkModelTest, TheLogTellsWhatWasAskedAndAnswered) {
  Handle(AskAccessToken());
  now_ += absl::Seconds(1);
  Handle(GetTask("t"));

  EXPECT_EQ(model_.counts().of(Api::kAccessToken), 1);
  EXPECT_EQ(model_.counts().of(Api::kTaskInfo), 1);
  ASSERT_EQ(model_.calls().size(), 2u);
  EXPECT_EQ(model_.calls()[1].api, Api::kTaskInfo);
  EXPECT_EQ(model_.calls()[1].time, now_);
  EXPECT_EQ(model_.calls()[1].http_status, 404);
  EXPECT_EQ(model_.calls()[1].code, "taskNotExist");
  EXPECT_EQ(model_.calls()[1].task_id, "t");
}

TEST_F(DingTalkModelTest, TheLogKeepsTheLatestCalls) {
  DingTalkModel::Options options = DefaultOptions();
  options.max_logged_calls = 1;
  DingTalkModel model(options);
  model.Handle(GetTask("a"), now_);
  model.Handle(GetTask("b"), now_);

  EXPECT_EQ(model.counts().of(Api::kTaskInfo), 2);
  ASSERT_EQ(model.calls().size(), 1u);
  EXPECT_EQ(model.calls()[0].task_id, "b");
}

TEST_F(DingTalkModelTest, ClearingTheLogLeavesTheQuota) {
  Handle(GetTask("t"));
  model_.ClearCalls();

  EXPECT_EQ(model_.counts().of(Api::kTaskInfo), 0);
  EXPECT_THAT(model_.calls(), IsEmpty());
  EXPECT_EQ(model_.monthly_calls_used(), 1);
}

}  // namespace
}  // namespace taskwatch::standin
