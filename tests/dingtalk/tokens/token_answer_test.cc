#include "service/dingtalk/tokens/token_answer.h"

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "service/http/http_client.h"
#include "service/task/task_error.h"
#include "tests/fakes/scripted_http_client.h"
#include "tests/matchers/status_matchers.h"

namespace taskwatch {
namespace {

using testing::Not;

std::string Refusal(absl::string_view code) {
  return absl::StrCat(R"({"code":")", code, R"(","requestid":"r","message":"because"})");
}

TEST(TokenAnswer, ReadsBothCallsAnswers) {
  for (const char* body :
       {R"({"accessToken":"t0ken","expireIn":7200})", R"({"access_token":"t0ken","expires_in":7200})",
        R"({"accessToken":"t0ken","expireIn":"7200"})"}) {
    const absl::StatusOr<IssuedToken> issued = IssuedTokenIn(HttpAnswer(200, body), "");
    ASSERT_THAT(issued, IsOk());
    EXPECT_EQ(issued->token, "t0ken");
    EXPECT_EQ(issued->lifetime, absl::Hours(2));
  }
}

TEST(TokenAnswer, RefusesAnAnswerWithoutAUsableTokenAndQuotesNothing) {
  for (const char* body : {
           "",
           "null",
           "[]",
           "{}",
           R"({"accessToken":"canary")",
           R"({"result":{"accessToken":"canary","expireIn":7200}})",
           R"({"expireIn":7200})",
           R"({"accessToken":null,"expireIn":7200})",
           R"({"accessToken":12345,"expireIn":7200})",
           R"({"accessToken":"","expireIn":7200})",
           R"({"accessToken":"can ary","expireIn":7200})",
           R"({"accessToken":"canary\r\nx: y","expireIn":7200})",
           R"({"accessToken":"canary\u0000","expireIn":7200})",
           R"({"accessToken":"canary中","expireIn":7200})",
           R"({"accessToken":"canary"})",
           R"({"accessToken":"canary","expireIn":null})",
           R"({"accessToken":"canary","expireIn":0})",
           R"({"accessToken":"canary","expireIn":-1})",
           R"({"accessToken":"canary","expireIn":1.5})",
           R"({"accessToken":"canary","expireIn":"canary"})",
           R"({"accessToken":"canary","expireIn":true})",
           R"({"accessToken":"canary","expireIn":99999999999999999999})",
       }) {
    const absl::StatusOr<IssuedToken> issued = IssuedTokenIn(HttpAnswer(200, body), "");
    ASSERT_THAT(issued, Not(IsOk())) << body;
    const ErrorDetails details = DetailsOf(issued.status());
    EXPECT_EQ(details.reason, ErrorReason::kUpstreamMalformedResponse) << body;
    EXPECT_EQ(details.persistence, Persistence::kTransient) << body;
    EXPECT_EQ(details.http_status, 200) << body;
    EXPECT_EQ(details.upstream_request_id, "request-id") << body;
    EXPECT_FALSE(absl::StrContains(issued.status().ToString(), "canary")) << issued.status();
  }
}

struct Row {
  int status;
  std::string body;
  ErrorReason reason;
  Persistence persistence;
  // A part of the message, or of what the log is told beside it.
  std::string says;
};

TEST(TokenAnswer, TellsWhatToCheck) {
  const Row rows[] = {
      {400, Refusal("invalidClientIdOrSecret"), ErrorReason::kUpstreamUnauthenticated, Persistence::kPermanent,
       "--app_secret_file"},
      {400, Refusal("InvalidClientIdOrSecret"), ErrorReason::kUpstreamUnauthenticated, Persistence::kPermanent,
       "--app_key"},
      {400, Refusal("invalid.client"), ErrorReason::kUpstreamUnauthenticated, Persistence::kPermanent, "--app_key"},
      {401, Refusal("unauthorized.client"), ErrorReason::kUpstreamUnauthenticated, Persistence::kPermanent,
       "--corp_id"},
      {400, Refusal("unsupported.grant.type"), ErrorReason::kUpstreamUnauthenticated, Persistence::kPermanent,
       "--app_key"},
      {401, "", ErrorReason::kUpstreamUnauthenticated, Persistence::kPermanent, "--app_key"},
      {400, Refusal("InvalidAuthentication"), ErrorReason::kUpstreamUnauthenticated, Persistence::kPermanent,
       "--app_key"},
      // A task that is not found, or a parameter, is nothing that a token call could mean.
      {404, "", ErrorReason::kUpstreamUnauthenticated, Persistence::kPermanent, "--dingtalk_base_url"},
      {404, Refusal("InvalidAction.NotFound"), ErrorReason::kUpstreamUnauthenticated, Persistence::kPermanent,
       "--dingtalk_base_url"},
      {400, Refusal("paramError"), ErrorReason::kUpstreamUnauthenticated, Persistence::kPermanent,
       "--dingtalk_base_url"},
      {400, Refusal("Missingbody"), ErrorReason::kUpstreamUnknownError, Persistence::kDoubtful, "Missingbody"},
      {302, "", ErrorReason::kUpstreamUnavailable, Persistence::kTransient, "--dingtalk_base_url"},
      {500, Refusal("server.error"), ErrorReason::kUpstreamSystemError, Persistence::kTransient, "server.error"},
      {502, "", ErrorReason::kUpstreamUnavailable, Persistence::kTransient, "access token"},
      {403, Refusal("Forbidden.AccessDenied.QpsLimitForApi"), ErrorReason::kUpstreamRateLimited,
       Persistence::kTransient, "access token"},
      {403, Refusal("Forbidden.AccessDenied.ApiCountLimitForOrg"), ErrorReason::kMonthlyQuotaExhausted,
       Persistence::kPaused, "month"},
      {403, Refusal("Forbidden.AccessDenied.IpNotInWhiteList"), ErrorReason::kUpstreamPermissionDenied,
       Persistence::kPermanent, "must be allowed"},
      {200, "<html></html>", ErrorReason::kUpstreamIpBanned, Persistence::kPaused, "banned"},
      {404, "<html></html>", ErrorReason::kUpstreamIpBanned, Persistence::kPaused, "banned"},
      {403, R"({"status":1111,"punish":"deny"})", ErrorReason::kUpstreamIpBanned, Persistence::kPaused, "banned"},
  };
  for (const Row& row : rows) {
    const absl::Status error = IssuedTokenIn(HttpAnswer(row.status, row.body), "").status();
    EXPECT_THAT(error, HasReason(row.reason)) << row.status << row.body << error;
    EXPECT_EQ(DetailsOf(error).persistence, row.persistence) << row.status << row.body << error;
    EXPECT_EQ(DetailsOf(error).http_status, row.status) << row.body << error;
    const std::string says = absl::StrCat(error.message(), "; ", DetailsOf(error).log_detail);
    EXPECT_TRUE(absl::StrContains(says, row.says)) << row.status << row.body << says;
  }
}

TEST(TokenAnswer, DoesNotRepeatTheAppSecret) {
  const std::string echo = R"({"code":"canary","message":"canary is wrong","requestid":"canary"})";
  for (const int status : {400, 401, 403, 404, 500}) {
    const absl::Status error = IssuedTokenIn(HttpAnswer(status, echo), "canary").status();
    EXPECT_FALSE(absl::StrContains(error.ToString(), "canary")) << error;
  }
}

}  // namespace
}  // namespace taskwatch
