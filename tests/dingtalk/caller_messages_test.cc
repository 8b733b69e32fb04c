// What callers are told names nothing of this server's: no flag, no file, no environment variable.
#include <iostream>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "service/dingtalk/error_table.h"
#include "service/dingtalk/tokens/access_token.h"
#include "service/dingtalk/tokens/file_access_token.h"
#include "service/dingtalk/tokens/fixed_access_token.h"
#include "service/dingtalk/tokens/token_answer.h"
#include "service/http/http_client.h"
#include "service/quota/call_budget.h"
#include "service/runtime/simulated_loop.h"
#include "service/task/priority.h"
#include "service/task/task_error.h"
#include "tests/fakes/secret_path.h"
#include "tests/matchers/status_matchers.h"

namespace taskwatch {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// Checks what a caller would be told.
void ExpectDiscreet(const absl::Status& error) {
  ASSERT_FALSE(error.ok());
  EXPECT_THAT(std::string(error.message()),
              Not(AnyOf(IsEmpty(), HasSubstr("--"), HasSubstr("/"), HasSubstr("DINGTALK_"), HasSubstr("_file"))));
}

constexpr absl::string_view kCodes[] = {
    "",
    "InvalidAuthentication",
    "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi",
    "Forbidden.AccessDenied.QpmLimitForAppkeyAndApi",
    "Forbidden.AccessDenied.ApiCountLimitForOrg",
    "Forbidden.AccessDenied.AccessTokenPermissionDenied",
    "Forbidden.AccessDenied.IpNotInWhiteList",
    "Forbidden.SomethingNew",
    "system.busy",
    "systemBusy",
    "systemError",
    "unknownError",
    "operationTimeout",
    "paramError",
    "taskNotExist",
    "InvalidAction.NotFound",
    "invalidClientIdOrSecret",
    "invalid.client",
    "unauthorized.client",
    "unsupported.grant.type",
    "Missingbody",
    "somethingNew",
};

TEST(CallerMessages, OfEveryAnswerOfDingTalksNameNothingOfTheServers) {
  int checked = 0;
  for (int status = 100; status <= 599; ++status) {
    for (const absl::string_view code : kCodes) {
      HttpResponse response;
      response.status = status;
      response.body = absl::StrCat(R"({"code":")", code, R"(","message":"because","requestid":"r"})");
      if (status != 200) ExpectDiscreet(ErrorOf(response));
      ExpectDiscreet(IssuedTokenIn(response, "secret").status());
      ++checked;
    }
    for (const char* body : {"<html></html>", R"({"status":1111,"punish":"deny"})", "", "null"}) {
      HttpResponse response;
      response.status = status;
      response.body = body;
      if (const absl::Status error = ErrorOf(response); !error.ok()) ExpectDiscreet(error);
      ExpectDiscreet(IssuedTokenIn(response, "secret").status());
      ++checked;
    }
  }
  std::cout << checked << " answers of two calls checked\n";
}

absl::Status WhyThereIsNoToken(SimulatedLoop& loop, AccessTokenProvider& provider) {
  std::optional<absl::StatusOr<std::string>> result;
  provider.GetToken([&result](absl::StatusOr<std::string> token) { result = std::move(token); });
  loop.RunPosted();
  return result.has_value() ? result->status() : absl::OkStatus();
}

TEST(CallerMessages, OfTokensThatAreMissingOrRejectedLeaveTheirPlaceToTheLog) {
  SimulatedLoop loop;
  SecretPath path;
  FileAccessToken from_file(&loop, path.path());
  const auto expect_told_to_the_log_only = [&](const absl::Status& error, const std::string& place) {
    ExpectDiscreet(error);
    EXPECT_THAT(DetailsOf(error).log_detail, HasSubstr(place));
  };
  expect_told_to_the_log_only(WhyThereIsNoToken(loop, from_file), path.path());
  for (const std::string& content : {std::string(), std::string("two words"), std::string(100'000, 'x')}) {
    path.Write(content);
    expect_told_to_the_log_only(WhyThereIsNoToken(loop, from_file), path.path());
  }
  path.Write("token");
  EXPECT_THAT(WhyThereIsNoToken(loop, from_file), IsOk());
  from_file.Invalidate("token");
  expect_told_to_the_log_only(WhyThereIsNoToken(loop, from_file), path.path());

  const auto fixed = FixedAccessToken::Create(&loop, "token", "DINGTALK_ACCESS_TOKEN");
  ASSERT_THAT(fixed, IsOk());
  (*fixed)->Invalidate("token");
  expect_told_to_the_log_only(WhyThereIsNoToken(loop, **fixed), "DINGTALK_ACCESS_TOKEN");
}

TEST(CallerMessages, OfCallsThatAreHeldBackNameNoSetting) {
  const absl::Time now = absl::FromCivil(absl::CivilDay(2026, 11, 2), absl::FixedTimeZone(8 * 60 * 60));
  CallBudget::Options options;
  options.monthly_calls = 1000;
  CallBudget budget(options);
  budget.OpenMonth(absl::CivilMonth(2026, 11), 500);
  absl::Status deferred;
  for (int i = 0; i < 100 && deferred.ok(); ++i) deferred = budget.AdmitPoll(absl::StrCat("task", i), now);
  ExpectDiscreet(deferred);
  budget.OpenMonth(absl::CivilMonth(2026, 11), 1000);
  ExpectDiscreet(budget.Check(Priority::kCaller, now));
}

}  // namespace
}  // namespace taskwatch
