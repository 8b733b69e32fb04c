// The stand-in for DingTalk's gateway as a program, for demos and for clients in other languages.
//
// Prints one line, `dingtalk_standin: listening on http://127.0.0.1:8080`, once it takes calls; SIGTERM or SIGINT end
// it with exit code 0. Wrong flags end it with one line on stderr and exit code 2.
#include <signal.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

#include "tests/dingtalk_standin/dingtalk_model.h"
#include "tests/dingtalk_standin/dingtalk_server.h"
#include "tests/dingtalk_standin/http_server.h"
#include "tests/dingtalk_standin/task_plan.h"

ABSL_FLAG(std::string, listen, "127.0.0.1:8080", "host:port; port 0 picks a free one");
ABSL_FLAG(std::string, tls_cert_file, "", "PEM certificate chain; with --tls_key_file, https instead of http");
ABSL_FLAG(std::string, tls_key_file, "", "PEM private key of --tls_cert_file");
ABSL_FLAG(std::string, app_key, taskwatch::standin::DingTalkModel::Options().app_key, "the only app that it knows");
ABSL_FLAG(std::string, app_secret_file, "", "file with the app's secret; unset, the secret is demo-app-secret");
ABSL_FLAG(std::string, corp_id, taskwatch::standin::DingTalkModel::Options().corp_id, "the only organisation");
ABSL_FLAG(std::string, access_token_file, "", "file with an access token that is accepted from the start");
ABSL_FLAG(absl::Duration, token_lifetime, absl::Hours(2), "of the tokens it hands out");
ABSL_FLAG(int64_t, qps, 20, "calls per second and API; 0 = unlimited");
ABSL_FLAG(int64_t, monthly_calls, 5000, "calls per natural month (UTC+8); 0 = unlimited");
ABSL_FLAG(int64_t, monthly_calls_used, 0, "how many of them others have used up when it starts");
ABSL_FLAG(absl::Duration, latency, absl::ZeroDuration(), "how long every answer takes");
ABSL_FLAG(absl::Duration, task_hidden, absl::ZeroDuration(),
          "how long after its creation nobody knows a copied document's task yet");
ABSL_FLAG(absl::Duration, task_waiting, absl::Seconds(2), "how long a copied document's task waits");
ABSL_FLAG(absl::Duration, task_running, absl::Seconds(10), "how long it runs");
ABSL_FLAG(int64_t, task_items, 20, "its totalCount");
ABSL_FLAG(int, task_outcome, 1, "its end: 1 success, 2 partial failure, 3 all failed, 4 failed");
ABSL_FLAG(std::string, unknown_task, "not_found", "answer to an unknown task id: not_found (404) or param_error (400)");
ABSL_FLAG(bool, example_task, true, "whether there is the task `abcd` of DingTalk's API page");
ABSL_FLAG(bool, capitalised_error_keys, false, "errors with Code, RequestId, Message instead of lower-case keys");
ABSL_FLAG(uint64_t, seed, 1, "of tokens, task ids and request ids; pick another if two run at once");

namespace taskwatch::standin {
namespace {

// Abseil ends the program with 1 when it cannot read the flags. Until they are read, that is to be 2, the code for a
// wrong command line.
bool reading_flags = true;

void ExitWithTwo(int status, void*) {
  if (!reading_flags || status != 1) return;
  std::fflush(nullptr);
  _Exit(2);
}

// The file's content without the white space around it.
absl::StatusOr<std::string> ReadSecret(const std::string& path) {
  std::ifstream file(path);
  const std::string content((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::string secret(absl::StripAsciiWhitespace(content));
  if (secret.empty()) return absl::InvalidArgumentError(absl::StrCat(path, " cannot be read or is empty"));
  return secret;
}

absl::Status Wrong(absl::string_view flag, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("--", flag, ": ", what));
}

absl::StatusOr<HttpServer::Options> HttpOptions() {
  HttpServer::Options options;
  const std::string listen = absl::GetFlag(FLAGS_listen);
  const size_t colon = listen.rfind(':');
  if (colon == std::string::npos || colon == 0 || !absl::SimpleAtoi(listen.substr(colon + 1), &options.port) ||
      options.port < 0 || options.port > 65535) {
    return Wrong("listen", absl::StrCat("expected host:port, got \"", listen, "\""));
  }
  options.host = listen.substr(0, colon);
  if (options.host.size() > 2 && options.host.front() == '[' && options.host.back() == ']') {
    options.host = options.host.substr(1, options.host.size() - 2);
  }
  options.tls_cert_file = absl::GetFlag(FLAGS_tls_cert_file);
  options.tls_key_file = absl::GetFlag(FLAGS_tls_key_file);
  if (options.tls_cert_file.empty() != options.tls_key_file.empty()) {
    return Wrong("tls_cert_file", "needs --tls_key_file, and the other way round");
  }
  return options;
}

absl::StatusOr<DingTalkModel::Options> ModelOptions() {
  DingTalkModel::Options options;
  options.seed = absl::GetFlag(FLAGS_seed);
  options.app_key = absl::GetFlag(FLAGS_app_key);
  if (options.app_key.empty()) return Wrong("app_key", "must not be empty");
  options.corp_id = absl::GetFlag(FLAGS_corp_id);
  if (const std::string path = absl::GetFlag(FLAGS_app_secret_file); !path.empty()) {
    absl::StatusOr<std::string> secret = ReadSecret(path);
    if (!secret.ok()) return Wrong("app_secret_file", secret.status().message());
    options.app_secret = *std::move(secret);
  }
  if (const std::string path = absl::GetFlag(FLAGS_access_token_file); !path.empty()) {
    absl::StatusOr<std::string> token = ReadSecret(path);
    if (!token.ok()) return Wrong("access_token_file", token.status().message());
    options.static_tokens.push_back(*std::move(token));
  }
  options.token_lifetime = absl::GetFlag(FLAGS_token_lifetime);
  if (options.token_lifetime < absl::Seconds(1)) return Wrong("token_lifetime", "must be at least 1s");
  options.qps = absl::GetFlag(FLAGS_qps);
  if (options.qps < 0) return Wrong("qps", "must not be negative");
  options.monthly_calls = absl::GetFlag(FLAGS_monthly_calls);
  if (options.monthly_calls < 0) return Wrong("monthly_calls", "must not be negative");
  options.monthly_calls_used = absl::GetFlag(FLAGS_monthly_calls_used);
  if (options.monthly_calls_used < 0) return Wrong("monthly_calls_used", "must not be negative");
  options.latency = absl::GetFlag(FLAGS_latency);
  if (options.latency < absl::ZeroDuration()) return Wrong("latency", "must not be negative");

  TaskPlan& task = options.copied_task;
  task.hidden = absl::GetFlag(FLAGS_task_hidden);
  if (task.hidden < absl::ZeroDuration()) return Wrong("task_hidden", "must not be negative");
  task.waiting = absl::GetFlag(FLAGS_task_waiting);
  if (task.waiting < absl::ZeroDuration()) return Wrong("task_waiting", "must not be negative");
  task.running = absl::GetFlag(FLAGS_task_running);
  if (task.running < absl::ZeroDuration()) return Wrong("task_running", "must not be negative");
  task.items = absl::GetFlag(FLAGS_task_items);
  if (task.items < 0) return Wrong("task_items", "must not be negative");
  task.outcome = absl::GetFlag(FLAGS_task_outcome);
  if (task.outcome < 1 || task.outcome > 4) return Wrong("task_outcome", "must be 1, 2, 3 or 4");

  const std::string unknown_task = absl::GetFlag(FLAGS_unknown_task);
  if (unknown_task == "param_error") {
    options.unknown_task = DingTalkModel::UnknownTask::kParamError;
  } else if (unknown_task != "not_found") {
    return Wrong("unknown_task", "must be not_found or param_error");
  }
  options.example_task = absl::GetFlag(FLAGS_example_task);
  options.capitalised_error_keys = absl::GetFlag(FLAGS_capitalised_error_keys);
  return options;
}

int Fail(int exit_code, absl::string_view message) {
  std::fprintf(stderr, "dingtalk_standin: %s\n", std::string(message).c_str());
  return exit_code;
}

int Main(int argc, char* argv[]) {
  absl::SetProgramUsageMessage(
      "A stand-in for DingTalk's gateway. Usage: dingtalk_standin [--listen=127.0.0.1:8080] ...\n"
      "While it runs, POST /control/faults makes calls fail: -d '{\"kind\": \"hang\", \"count\": 3}'. The kinds are "
      "in\n"
      "fault.h, the other keys in control_json.h and the other controls in dingtalk_server.h.");
  on_exit(ExitWithTwo, nullptr);
  const std::vector<char*> rest = absl::ParseCommandLine(argc, argv);
  reading_flags = false;
  if (rest.size() > 1) return Fail(2, absl::StrCat("unexpected argument \"", rest[1], "\""));
  absl::StatusOr<HttpServer::Options> http = HttpOptions();
  if (!http.ok()) return Fail(2, http.status().message());
  absl::StatusOr<DingTalkModel::Options> model = ModelOptions();
  if (!model.ok()) return Fail(2, model.status().message());

  // Before the first thread, so that all of them inherit it and the signals wait for sigwait.
  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGTERM);
  sigaddset(&ending, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ending, nullptr);

  absl::StatusOr<std::unique_ptr<DingTalkServer>> server = DingTalkServer::Start({*std::move(http), *std::move(model)});
  if (!server.ok()) return Fail(absl::IsInvalidArgument(server.status()) ? 2 : 1, server.status().message());
  std::printf("dingtalk_standin: listening on %s\n", (*server)->base_url().c_str());
  std::fflush(stdout);

  int signal = 0;
  sigwait(&ending, &signal);
  (*server)->Stop();
  return 0;
}

}  // namespace
}  // namespace taskwatch::standin

int main(int argc, char* argv[]) { return taskwatch::standin::Main(argc, argv); }
