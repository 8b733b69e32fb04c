#include "service/dingtalk/error_table.h"

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "service/http/http_client.h"
#include "service/task/task_error.h"
#include "tests/matchers/status_matchers.h"

namespace taskwatch {
namespace {

constexpr absl::string_view kPunishment = R"({"status":1111,"wait":5,"source":"x5","punish":"deny","uuid":"0a1b"})";
constexpr absl::string_view kPage = "<!DOCTYPE html><html><body>denied</body></html>";

HttpResponse Answer(int status, absl::string_view body) {
  HttpResponse response;
  response.status = status;
  response.body = std::string(body);
  response.headers = {{"x-acs-request-id", "from-header"}};
  return response;
}

std::string Refusal(absl::string_view code) {
  return absl::StrCat(R"({"code":")", code, R"(","requestid":"from-body","message":"because"})");
}

struct Row {
  int status;
  std::string body;
  absl::StatusCode code;
  ErrorReason reason;
  Persistence persistence;
  std::optional<absl::Duration> retry_after;
};

void ExpectRow(const Row& row) {
  const absl::Status error = ErrorOf(Answer(row.status, row.body));
  const ErrorDetails details = DetailsOf(error);
  const std::string which = absl::StrCat(row.status, " ", row.body, ": ", error.ToString());
  EXPECT_THAT(error, StatusIs(row.code)) << which;
  EXPECT_THAT(error, HasReason(row.reason)) << which;
  EXPECT_EQ(details.persistence, row.persistence) << which;
  EXPECT_EQ(details.retry_after, row.retry_after) << which;
  EXPECT_EQ(details.http_status, row.status) << which;
}

constexpr auto kUnset = std::nullopt;
constexpr auto kExhausted = absl::StatusCode::kResourceExhausted;
constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;
constexpr auto kUnavailable = absl::StatusCode::kUnavailable;

TEST(ErrorTable, KnowsEveryDocumentedRefusal) {
  const Row rows[] = {
      {400, Refusal("InvalidAuthentication"), kPrecondition, ErrorReason::kUpstreamUnauthenticated,
       Persistence::kPermanent, kUnset},
      {401, "", kPrecondition, ErrorReason::kUpstreamUnauthenticated, Persistence::kPermanent, kUnset},
      {401, Refusal("whatever"), kPrecondition, ErrorReason::kUpstreamUnauthenticated, Persistence::kPermanent, kUnset},
      {403, Refusal("Forbidden.AccessDenied.QpsLimitForAppkeyAndApi"), kExhausted, ErrorReason::kUpstreamRateLimited,
       Persistence::kTransient, absl::Seconds(1)},
      {403, Refusal("Forbidden.AccessDenied.QpsLimitForApi"), kExhausted, ErrorReason::kUpstreamRateLimited,
       Persistence::kTransient, absl::Seconds(1)},
      {403, Refusal("Forbidden.AccessDenied.QpmLimitForAppkeyAndApi"), kExhausted, ErrorReason::kUpstreamRateLimited,
       Persistence::kPaused, absl::Seconds(60)},
      {403, Refusal("Forbidden.AccessDenied.ApiCountLimitForOrg"), kExhausted, ErrorReason::kMonthlyQuotaExhausted,
       Persistence::kPaused, kUnset},
      {403, Refusal("Forbidden.AccessDenied.AccessTokenPermissionDenied"), kPrecondition,
       ErrorReason::kUpstreamPermissionDenied, Persistence::kPermanent, kUnset},
      {403, Refusal("Forbidden.AccessDenied.IpNotInWhiteList"), kPrecondition, ErrorReason::kUpstreamPermissionDenied,
       Persistence::kPermanent, kUnset},
      {403, Refusal("Forbidden.SomethingNew"), kPrecondition, ErrorReason::kUpstreamPermissionDenied,
       Persistence::kPermanent, kUnset},
      {429, Refusal("system.busy"), kUnavailable, ErrorReason::kUpstreamUnavailable, Persistence::kTransient,
       absl::Seconds(1)},
      {429, Refusal("systemBusy"), kUnavailable, ErrorReason::kUpstreamUnavailable, Persistence::kTransient,
       absl::Seconds(1)},
      {500, Refusal("systemError"), absl::StatusCode::kInternal, ErrorReason::kUpstreamSystemError,
       Persistence::kTransient, kUnset},
      {500, Refusal("unknownError"), absl::StatusCode::kUnknown, ErrorReason::kUpstreamUnknownError,
       Persistence::kTransient, kUnset},
      {502, "", kUnavailable, ErrorReason::kUpstreamUnavailable, Persistence::kTransient, absl::Seconds(1)},
      {503, Refusal("operationTimeout"), kUnavailable, ErrorReason::kUpstreamTimeout, Persistence::kTransient,
       absl::Seconds(1)},
      {504, "", kUnavailable, ErrorReason::kUpstreamTimeout, Persistence::kTransient, absl::Seconds(1)},
      {400, Refusal("paramError"), absl::StatusCode::kInvalidArgument, ErrorReason::kUpstreamParamError,
       Persistence::kPermanent, kUnset},
      {404, Refusal("taskNotExist"), absl::StatusCode::kNotFound, ErrorReason::kTaskNotFound, Persistence::kPermanent,
       kUnset},
      {404, "", absl::StatusCode::kNotFound, ErrorReason::kTaskNotFound, Persistence::kPermanent, kUnset},
  };
  for (const Row& row : rows) ExpectRow(row);
}

TEST(ErrorTable, KnowsABan) {
  for (const int status : {200, 400, 401, 403, 404, 429}) {
    ExpectRow({status, std::string(kPage), kExhausted, ErrorReason::kUpstreamIpBanned, Persistence::kPaused,
               absl::Seconds(300)});
  }
  for (const int status : {200, 302, 400, 403, 404, 500, 503}) {
    ExpectRow({status, std::string(kPunishment), kExhausted, ErrorReason::kUpstreamIpBanned, Persistence::kPaused,
               absl::Seconds(300)});
  }
}

TEST(ErrorTable, TakesAWebPageFromABrokenGatewayForWhatItsStatusSays) {
  const Row rows[] = {
      {408, std::string(kPage), kUnavailable, ErrorReason::kUpstreamTimeout, Persistence::kTransient, absl::Seconds(1)},
      {425, std::string(kPage), kUnavailable, ErrorReason::kUpstreamUnavailable, Persistence::kTransient,
       absl::Seconds(1)},
      {500, std::string(kPage), absl::StatusCode::kInternal, ErrorReason::kUpstreamSystemError, Persistence::kTransient,
       kUnset},
      {502, std::string(kPage), kUnavailable, ErrorReason::kUpstreamUnavailable, Persistence::kTransient,
       absl::Seconds(1)},
      {503, std::string(kPage), kUnavailable, ErrorReason::kUpstreamUnavailable, Persistence::kTransient,
       absl::Seconds(1)},
      {504, std::string(kPage), kUnavailable, ErrorReason::kUpstreamTimeout, Persistence::kTransient, absl::Seconds(1)},
      {301, std::string(kPage), kUnavailable, ErrorReason::kUpstreamUnavailable, Persistence::kTransient,
       absl::Seconds(1)},
  };
  for (const Row& row : rows) ExpectRow(row);
}

TEST(ErrorTable, LooksAtTheCodeBeforeTheStatus) {
  const Row rows[] = {
      {429, Refusal("Forbidden.AccessDenied.QpmLimitForAppkeyAndApi"), kExhausted, ErrorReason::kUpstreamRateLimited,
       Persistence::kPaused, absl::Seconds(60)},
      {400, Refusal("Forbidden.AccessDenied.ApiCountLimitForOrg"), kExhausted, ErrorReason::kMonthlyQuotaExhausted,
       Persistence::kPaused, kUnset},
      {401, Refusal("Forbidden.AccessDenied.IpNotInWhiteList"), kPrecondition, ErrorReason::kUpstreamPermissionDenied,
       Persistence::kPermanent, kUnset},
      {400, Refusal("system.busy"), kUnavailable, ErrorReason::kUpstreamUnavailable, Persistence::kTransient,
       absl::Seconds(1)},
      {503, Refusal("systemBusy"), kUnavailable, ErrorReason::kUpstreamUnavailable, Persistence::kTransient,
       absl::Seconds(1)},
      {403, Refusal("InvalidAuthentication"), kPrecondition, ErrorReason::kUpstreamUnauthenticated,
       Persistence::kPermanent, kUnset},
  };
  for (const Row& row : rows) ExpectRow(row);
}

TEST(ErrorTable, ReadsCodesWithoutRegardToCase) {
  const Row rows[] = {
      {400, Refusal("invalidauthentication"), kPrecondition, ErrorReason::kUpstreamUnauthenticated,
       Persistence::kPermanent, kUnset},
      {403, Refusal("forbidden.accessdenied.qpslimitforapi"), kExhausted, ErrorReason::kUpstreamRateLimited,
       Persistence::kTransient, absl::Seconds(1)},
      {403, Refusal("FORBIDDEN.ACCESSDENIED.APICOUNTLIMITFORORG"), kExhausted, ErrorReason::kMonthlyQuotaExhausted,
       Persistence::kPaused, kUnset},
      {429, Refusal("SYSTEM.BUSY"), kUnavailable, ErrorReason::kUpstreamUnavailable, Persistence::kTransient,
       absl::Seconds(1)},
      {400, Refusal("ParamError"), absl::StatusCode::kInvalidArgument, ErrorReason::kUpstreamParamError,
       Persistence::kPermanent, kUnset},
      {503, Refusal("OperationTimeout"), kUnavailable, ErrorReason::kUpstreamTimeout, Persistence::kTransient,
       absl::Seconds(1)},
  };
  for (const Row& row : rows) ExpectRow(row);
}

TEST(ErrorTable, HasAnAnswerToEveryOtherStatus) {
  const Row rows[] = {
      {400, Refusal("Missingbody"), absl::StatusCode::kUnknown, ErrorReason::kUpstreamUnknownError,
       Persistence::kDoubtful, kUnset},
      {400, "", absl::StatusCode::kUnknown, ErrorReason::kUpstreamUnknownError, Persistence::kDoubtful, kUnset},
      {405, "", absl::StatusCode::kUnknown, ErrorReason::kUpstreamUnknownError, Persistence::kDoubtful, kUnset},
      {499, "", absl::StatusCode::kUnknown, ErrorReason::kUpstreamUnknownError, Persistence::kDoubtful, kUnset},
      {408, "", kUnavailable, ErrorReason::kUpstreamTimeout, Persistence::kTransient, absl::Seconds(1)},
      {408, Refusal("somethingNew"), kUnavailable, ErrorReason::kUpstreamTimeout, Persistence::kTransient,
       absl::Seconds(1)},
      {425, "", kUnavailable, ErrorReason::kUpstreamUnavailable, Persistence::kTransient, absl::Seconds(1)},
      {403, "", kPrecondition, ErrorReason::kUpstreamPermissionDenied, Persistence::kPermanent, kUnset},
      {429, "", kExhausted, ErrorReason::kUpstreamRateLimited, Persistence::kTransient, absl::Seconds(1)},
      {429, Refusal("tooMany"), kExhausted, ErrorReason::kUpstreamRateLimited, Persistence::kTransient,
       absl::Seconds(1)},
      {500, "", absl::StatusCode::kInternal, ErrorReason::kUpstreamSystemError, Persistence::kTransient, kUnset},
      {500, Refusal("somethingNew"), absl::StatusCode::kInternal, ErrorReason::kUpstreamSystemError,
       Persistence::kTransient, kUnset},
      {501, "", absl::StatusCode::kInternal, ErrorReason::kUpstreamSystemError, Persistence::kTransient, kUnset},
      {503, Refusal("somethingNew"), kUnavailable, ErrorReason::kUpstreamUnavailable, Persistence::kTransient,
       absl::Seconds(1)},
      {302, "", kUnavailable, ErrorReason::kUpstreamUnavailable, Persistence::kTransient, absl::Seconds(1)},
      {100, "", absl::StatusCode::kInternal, ErrorReason::kUpstreamMalformedResponse, Persistence::kTransient, kUnset},
      {201, R"({"taskId":"abcd","status":1})", absl::StatusCode::kInternal, ErrorReason::kUpstreamMalformedResponse,
       Persistence::kTransient, kUnset},
      {204, "", absl::StatusCode::kInternal, ErrorReason::kUpstreamMalformedResponse, Persistence::kTransient, kUnset},
      {999, "", absl::StatusCode::kInternal, ErrorReason::kUpstreamMalformedResponse, Persistence::kTransient, kUnset},
  };
  for (const Row& row : rows) ExpectRow(row);
}

TEST(ErrorTable, TakesNoAnswerForPermanentThatNoDocumentationMentions) {
  for (int status = 100; status <= 999; ++status) {
    // What is known of these is that they do not pass by themselves.
    if (status == 200 || status == 401 || status == 403 || status == 404) continue;
    const ErrorDetails details = DetailsOf(ErrorOf(Answer(status, Refusal("somethingNew"))));
    const bool refused = 400 <= status && status <= 499 && status != 408 && status != 425 && status != 429;
    EXPECT_EQ(details.persistence, refused ? Persistence::kDoubtful : Persistence::kTransient) << status;
  }
}

TEST(ErrorTable, LetsA200BeParsed) {
  EXPECT_THAT(ErrorOf(Answer(200, R"({"taskId":"abcd","status":1})")), IsOk());
  EXPECT_THAT(ErrorOf(Answer(200, "null")), IsOk());
  EXPECT_THAT(ErrorOf(Answer(200, "")), IsOk());
}

TEST(ErrorTable, KeepsCodeAndRequestIdInEitherSpelling) {
  for (const char* body : {R"({"code":"paramError","requestid":"from-body","message":"because"})",
                           R"({"Code":"paramError","RequestId":"from-body","Message":"because"})",
                           R"({"code":"paramError","requestId":"from-body","message":"because"})"}) {
    const absl::Status error = ErrorOf(Answer(400, body));
    EXPECT_THAT(error, HasReason(ErrorReason::kUpstreamParamError)) << body;
    EXPECT_EQ(DetailsOf(error).upstream_code, "paramError") << body;
    EXPECT_EQ(DetailsOf(error).upstream_request_id, "from-body") << body;
    EXPECT_TRUE(absl::StrContains(error.message(), "HTTP 400, paramError: \"because\"")) << error;
  }
}

TEST(ErrorTable, TakesTheRequestIdOfTheHeaderIfTheBodyHasNone) {
  EXPECT_EQ(DetailsOf(ErrorOf(Answer(500, R"({"code":"systemError"})"))).upstream_request_id, "from-header");
  EXPECT_EQ(DetailsOf(ErrorOf(Answer(200, kPage))).upstream_request_id, "from-header");
}

TEST(ErrorTable, NamesTheMissingScopes) {
  const std::string detail = R"({"requiredScopes":["A.Read","B.Write"]})";
  for (const char* name : {"accessdenieddetail", "AccessDeniedDetail", "accessDeniedDetail"}) {
    const absl::Status error =
        ErrorOf(Answer(403, absl::StrCat(R"({"code":"Forbidden.AccessDenied.AccessTokenPermissionDenied",")", name,
                                         R"(":)", detail, "}")));
    EXPECT_TRUE(absl::StrContains(error.message(), "A.Read, B.Write")) << error;
  }
  for (const char* body : {"", R"({"code":"Forbidden.AccessDenied.AccessTokenPermissionDenied"})",
                           R"({"code":"Forbidden.X","accessdenieddetail":{"requiredScopes":[]}})",
                           R"({"code":"Forbidden.X","accessdenieddetail":null})"}) {
    const absl::Status error = ErrorOf(Answer(403, body));
    EXPECT_TRUE(absl::StrContains(error.message(), "SNS.Document.WorkspaceDocument.Read")) << error;
  }
}

TEST(ErrorTable, SaysThatTheAddressMustBeAllowed) {
  const absl::Status error = ErrorOf(Answer(403, Refusal("Forbidden.AccessDenied.IpNotInWhiteList")));
  EXPECT_TRUE(absl::StrContains(error.message(), "must be allowed")) << error;
}

TEST(ErrorTable, SaysThatRedirectsAreNotFollowed) {
  const absl::Status error = ErrorOf(Answer(302, ""));
  EXPECT_TRUE(absl::StrContains(error.message(), "redirects are not followed")) << error;
  EXPECT_TRUE(absl::StrContains(DetailsOf(error).log_detail, "--dingtalk_base_url")) << error;
}

TEST(ErrorTable, HonoursRetryAfterWithinBounds) {
  struct RetryRow {
    int status;
    std::string body;
    std::string answered;
    std::optional<absl::Duration> expected;
  };
  const std::string qpm = Refusal("Forbidden.AccessDenied.QpmLimitForAppkeyAndApi");
  const RetryRow rows[] = {
      {503, "", "7", absl::Seconds(7)},
      {503, "", "0", absl::Seconds(1)},
      {503, "", "3600", absl::Minutes(5)},
      {503, "", "-1", absl::Seconds(1)},
      {503, "", "9223372036854775807", absl::Minutes(5)},
      {503, "", "Wed, 21 Oct 2026 07:28:00 GMT", absl::Seconds(1)},
      {500, Refusal("systemError"), "2", absl::Seconds(2)},
      {403, qpm, "10", absl::Seconds(10)},
      {200, std::string(kPage), "30", absl::Seconds(30)},
      // What will not pass does not pass sooner for it.
      {400, Refusal("paramError"), "2", kUnset},
      {403, Refusal("Forbidden.AccessDenied.ApiCountLimitForOrg"), "2", kUnset},
  };
  for (const RetryRow& row : rows) {
    HttpResponse response = Answer(row.status, row.body);
    response.headers = {{"retry-after", row.answered}};
    EXPECT_EQ(DetailsOf(ErrorOf(response)).retry_after, row.expected) << row.status << " " << row.answered;
  }
}

TEST(ErrorTable, BoundsAndCleansTextsFromOutside) {
  const std::string longest(100'000, 'x');
  HttpResponse response = Answer(500, absl::StrCat(R"({"code":"a\r\nb)", longest, R"(","message":"\u001b[31m)", longest,
                                                   R"(","requestid":"\u0000)", longest, R"("})"));
  const absl::Status error = ErrorOf(response);
  EXPECT_LT(error.message().size(), 600u);
  EXPECT_LT(DetailsOf(error).upstream_code.size(), 200u);
  EXPECT_LT(DetailsOf(error).upstream_request_id.size(), 200u);
  for (const char c : error.ToString()) EXPECT_GE(c, ' ') << error;

  response = Answer(500, "");
  response.headers = {{"x-acs-request-id", "a\nb"}};
  EXPECT_EQ(DetailsOf(ErrorOf(response)).upstream_request_id, R"(a\x0ab)");
}

TEST(ErrorTable, DoesNotRepeatTheSecretThatTheRequestCarried) {
  const std::string canary = "canary-0123456789";
  // Once where the cut would leave half of it.
  const std::string message = absl::StrCat(canary, std::string(175, 'x'), canary);
  HttpResponse response = Answer(
      403, absl::StrCat(R"({"code":"Forbidden.)", canary, R"(","requestid":")", canary, R"(","message":")", message,
                        R"(","accessdenieddetail":{"requiredScopes":[")", canary, R"(","\u0063anary-0123456789"]}})"));
  EXPECT_FALSE(absl::StrContains(ErrorOf(response, canary).ToString(), "canary")) << ErrorOf(response, canary);
  response = Answer(500, "");
  response.headers = {{"x-acs-request-id", canary}};
  EXPECT_FALSE(absl::StrContains(ErrorOf(response, canary).ToString(), "canary"));
}

TEST(ErrorTable, QuotesNothingOfAWebPage) {
  const absl::Status error = ErrorOf(Answer(403, "<html>canary</html>"));
  EXPECT_FALSE(absl::StrContains(error.ToString(), "canary")) << error;
}

}  // namespace
}  // namespace taskwatch
