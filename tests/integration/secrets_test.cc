// That secrets are never said: not in the log, not to callers, not in the arguments, whatever goes wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

#include "tests/dingtalk_standin/api.h"
#include "tests/dingtalk_standin/dingtalk_model.h"
#include "tests/dingtalk_standin/fault.h"
#include "tests/dingtalk_standin/task_plan.h"
#include "tests/fakes/secret_path.h"
#include "tests/integration/calls.h"
#include "tests/integration/child_process.h"
#include "tests/integration/recording_gateway.h"
#include "tests/integration/taskwatchd_process.h"
#include "tests/patience/patience.h"

namespace taskwatch {
namespace {

using standin::Api;
using standin::DingTalkModel;
using standin::Fault;
using testing::HasSubstr;

constexpr char kCanaryToken[] = "canary-token-7d1f0c5e";
constexpr char kCanarySecret[] = "canary-app-secret-b2e94a66";
// What a fault brings is of no importance, but that something is brought soon.
constexpr absl::Duration kTimeForOneAttempt = absl::Milliseconds(250);
constexpr char kTokenHeader[] = "x-acs-dingtalk-access-token: ";

// Everything that a caller is told.
std::string Text(const grpc::Status& status) {
  return absl::StrCat(status.error_message(), "\n", status.error_details(), "\n");
}

// What the callers of a taskwatchd are told in a series of calls.
class Callers {
 public:
  explicit Callers(Taskwatchd& taskwatchd) : taskwatchd_(taskwatchd) {}

  // One call of each kind, all at the same time.
  void Call(absl::Duration timeout = kLongDeadline) {
    GetRequest::Options get_options;
    get_options.max_staleness = absl::ZeroDuration();
    get_options.timeout = timeout;
    GetRequest get(taskwatchd_.stub(), NextTaskId(), get_options);
    WatchStream::Options watch_options;
    watch_options.timeout = timeout;
    WatchStream watch(taskwatchd_.stub(), NextTaskId(), watch_options);
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
    v1::WaitTaskRequest request;
    request.set_task_id(NextTaskId());
    v1::WaitTaskResponse response;
    absl::StrAppend(&told_, Text(taskwatchd_.stub().WaitTask(&context, request, &response)), response.DebugString());
    // Two statements: which of one statement's arguments is looked at first is open, and the task comes with the end.
    absl::StrAppend(&told_, Text(get.Await()));
    absl::StrAppend(&told_, get.task().DebugString());
    absl::StrAppend(&told_, Text(watch.AwaitEnd()));
    for (const v1::WatchTaskResponse& message : watch.messages()) absl::StrAppend(&told_, message.DebugString());
  }

  const std::string& told() const { return told_; }

 private:
  // Of tasks that the gateway knows; each once, so that no answer comes from memory.
  std::string NextTaskId() { return absl::StrCat("task", ++calls_); }

  Taskwatchd& taskwatchd_;
  int calls_ = 0;
  std::string told_;
};

// The tokens that the gateway has seen.
std::set<std::string> TokensIn(const std::string& record) {
  std::set<std::string> tokens;
  for (const absl::string_view line : absl::StrSplit(record, '\n')) {
    if (absl::StartsWithIgnoreCase(line, kTokenHeader)) tokens.emplace(line.substr(sizeof(kTokenHeader) - 1));
  }
  return tokens;
}

// Answers that repeat `secret` wherever a text may stand.
std::vector<Fault> EchoesOf(const std::string& secret) {
  std::vector<Fault> faults;
  for (const int http_status : {400, 403, 404, 429, 500, 503}) {
    Fault error;
    error.http_status = http_status;
    error.code = absl::StrCat("bad.", secret);
    error.message = absl::StrCat("what is ", secret, "?");
    error.required_scopes = {secret};
    faults.push_back(error);
  }
  for (const std::string& body :
       {absl::StrCat(R"({"taskId":"task1","status":")", secret, "\"}"), absl::StrCat(R"({"taskId":")", secret, "\"}"),
        absl::StrCat(R"({"taskId":"task1","status":1,"totalCount":")", secret, "\"}"), secret}) {
    Fault garbled;
    garbled.http_status = 200;
    garbled.body = body;
    faults.push_back(garbled);
  }
  Fault redirect = *standin::CannedFault("redirect");
  redirect.headers = {{"Location", absl::StrCat("http://127.0.0.1:1/", secret)}, {"x-acs-request-id", secret}};
  faults.push_back(redirect);
  return faults;
}

struct CredentialRow {
  const char* name;
  bool token_in_file;
  bool token_in_environment;
  bool secret_in_file;
  bool secret_in_environment;
  bool corp_id;
  // A refusal that closes the upstream for minutes, so each run has one, as its last.
  const char* last_fault;
};

class Canary : public testing::TestWithParam<CredentialRow> {};

TEST_P(Canary, IsInNoOutputStatusOrCommandLine) {
  const CredentialRow& row = GetParam();
  DingTalkModel::Options options;
  options.static_tokens = {kCanaryToken};
  options.app_secret = kCanarySecret;
  options.qps = 0;
  options.monthly_calls = 0;
  RecordingGateway gateway(options);
  gateway.WithModel([](DingTalkModel& model, absl::Time now) {
    standin::TaskPlan plan;
    plan.waiting = absl::ZeroDuration();
    plan.running = absl::ZeroDuration();
    for (int i = 0; i < 20'000; ++i) model.AddTask(absl::StrCat("task", i), plan, now);
  });
  SecretPath file;
  // Heartbeats tell watchers of errors, so they come soon too.
  Flags flags = {"--upstream_timeout=200ms", "--min_heartbeat_interval=50ms", "--heartbeat_interval=50ms"};
  // As loud as it can be made.
  ChildProcess::Environment environment = {
      {"GRPC_VERBOSITY", "DEBUG"}, {"GRPC_TRACE", "all"}, {"SPDLOG_LEVEL", "trace"}};
  const bool has_token = row.token_in_file || row.token_in_environment;
  const std::string canary = has_token ? kCanaryToken : kCanarySecret;
  file.Write(canary);
  if (row.token_in_file) flags.push_back(absl::StrCat("--access_token_file=", file.path()));
  if (row.token_in_environment) environment["DINGTALK_ACCESS_TOKEN"] = canary;
  if (!has_token) flags.push_back(absl::StrCat("--app_key=", options.app_key));
  if (row.secret_in_file) flags.push_back(absl::StrCat("--app_secret_file=", file.path()));
  if (row.secret_in_environment) environment["DINGTALK_APP_SECRET"] = canary;
  if (row.corp_id) flags.push_back(absl::StrCat("--corp_id=", options.corp_id));
  Taskwatchd taskwatchd(gateway.url(), flags, environment);
  Callers callers(taskwatchd);
  const auto call_with = [&](Fault fault, std::optional<Api> api) {
    fault.api = api;
    fault.count = Fault::kUntilCleared;
    gateway.WithModel([&fault](DingTalkModel& model, absl::Time) { model.InjectFault(fault); });
    callers.Call(kTimeForOneAttempt);
    gateway.WithModel([](DingTalkModel& model, absl::Time) { model.ClearFaults(); });
  };
  // What is wrong with the app is remembered, so the next fault is met only after a success. A slow machine may not
  // make it at the first time.
  const auto await_success = [&callers] {
    const size_t before = callers.told().size();
    const absl::Time end = absl::Now() + Patience();
    while (!absl::StrContains(absl::string_view(callers.told()).substr(before), "TASK_STATE_SUCCEEDED")) {
      ASSERT_LT(absl::Now(), end) << callers.told();
      callers.Call();
    }
  };

  // Before there is a token, what fails is the token call.
  if (!has_token) {
    for (const char* name : {"system_error", "close", "malformed_null", "malformed_array"}) {
      call_with(*standin::CannedFault(name), std::nullopt);
    }
  }
  ASSERT_NO_FATAL_FAILURE(await_success());
  const std::set<std::string> tokens = TokensIn(gateway.record());
  ASSERT_FALSE(tokens.empty());
  for (const char* name :
       {"system_error", "unknown_error", "operation_timeout", "param_error", "system_busy", "qps_limit",
        "permission_denied", "ip_not_in_white_list", "html_502", "malformed_null", "malformed_array",
        "malformed_truncated", "malformed_other_task", "redirect", "hang", "drip", "close", "reset", "huge"}) {
    call_with(*standin::CannedFault(name), Api::kTaskInfo);
    ASSERT_NO_FATAL_FAILURE(await_success()) << name;
  }
  for (const std::string& token : tokens) {
    for (const Fault& echo : EchoesOf(token)) {
      call_with(echo, Api::kTaskInfo);
      ASSERT_NO_FATAL_FAILURE(await_success());
    }
  }
  call_with(*standin::CannedFault(row.last_fault), Api::kTaskInfo);
  taskwatchd.process().Signal(SIGTERM);
  const std::string command_line = taskwatchd.process().CommandLine();
  EXPECT_EQ(taskwatchd.process().AwaitExit(), 0);

  // Once more from the start, with credentials that are rejected.
  Fault rejected;
  rejected.http_status = 400;
  rejected.code = has_token ? "InvalidAuthentication" : "invalidClientIdOrSecret";
  rejected.message = absl::StrCat(canary, " is wrong");
  // A token in a file may be replaced, so callers are not told at once that there is none.
  flags.push_back("--upstream_error_budget=1s");
  Taskwatchd refused(gateway.url(), flags, environment);
  Callers refused_callers(refused);
  rejected.count = Fault::kUntilCleared;
  gateway.WithModel([&rejected](DingTalkModel& model, absl::Time) { model.InjectFault(rejected); });
  refused_callers.Call();
  const std::string refused_command_line = refused.process().CommandLine();
  refused.process().Signal(SIGTERM);
  EXPECT_EQ(refused.process().AwaitExit(), 0);

  std::set<std::string> canaries = tokens;
  canaries.insert(canary);
  const std::string record = gateway.record();
  const std::pair<const char*, std::string> places[] = {
      {"stdout", taskwatchd.process().standard_output() + refused.process().standard_output()},
      {"stderr", taskwatchd.process().standard_error() + refused.process().standard_error()},
      {"command line", command_line + refused_command_line},
      {"statuses and messages", callers.told() + refused_callers.told()},
  };
  // That it would be noticed: the places are not empty, and the canaries are where they must be.
  EXPECT_THAT(places[1].second, HasSubstr("upstream: "));
  EXPECT_THAT(places[2].second, HasSubstr("--dingtalk_base_url"));
  EXPECT_THAT(places[3].second, HasSubstr("UPSTREAM_UNAUTHENTICATED"));
  EXPECT_THAT(places[3].second, HasSubstr("TASK_STATE_SUCCEEDED"));
  for (const std::string& secret : canaries) {
    EXPECT_TRUE(absl::StrContains(record, secret)) << "the gateway was never sent " << secret;
    for (const auto& [place, text] : places) {
      EXPECT_FALSE(absl::StrContains(text, secret))
          << place << ": ..." << text.substr(std::max<size_t>(text.find(secret), 200) - 200, 400);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Secrets, Canary,
    testing::Values(CredentialRow{"token_from_file", true, false, false, false, false, "ip_ban_html"},
                    CredentialRow{"token_from_environment", false, true, false, false, false, "punish"},
                    CredentialRow{"app_secret_from_file", false, false, true, false, false, "monthly_limit"},
                    CredentialRow{"app_secret_from_environment", false, false, false, true, false, "qpm_limit"},
                    CredentialRow{"corp_token", false, false, true, false, true, "ip_ban_html"}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace taskwatch
