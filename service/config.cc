#include "service/config.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/flags/commandlineflag.h"
#include "absl/flags/flag.h"
#include "absl/flags/reflection.h"
#include "absl/flags/usage_config.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "flags/usage_error.h"

ABSL_FLAG(std::string, listen, "127.0.0.1:50051", "where to serve gRPC: host:port, [ipv6]:port or unix:path");
ABSL_FLAG(std::string, dingtalk_base_url, "https://api.dingtalk.io",
          "DingTalk's gateway, for the task call and the token call; http:// is allowed to loopback only");
ABSL_FLAG(std::string, dingtalk_ca_file, "", "PEM file of the authorities to trust for it, instead of the system's");
ABSL_FLAG(absl::Duration, upstream_timeout, absl::Seconds(5), "how long one call to DingTalk may take; at least 10ms");
ABSL_FLAG(std::string, access_token_file, "",
          "file with an access token, read again when it changes; or set DINGTALK_ACCESS_TOKEN");
ABSL_FLAG(std::string, app_key, "", "the app's key, to obtain access tokens with; or set DINGTALK_APP_KEY");
ABSL_FLAG(std::string, app_secret_file, "", "file with the app's secret; or set DINGTALK_APP_SECRET");
ABSL_FLAG(std::string, corp_id, "", "the organisation's id: obtain tokens by /v1.0/oauth2/{corp_id}/token");
ABSL_FLAG(std::string, state_file, "taskwatch.db",
          "file for what outlives a restart: the month's call count and the tasks that have ended; :memory: for none");
ABSL_FLAG(bool, adopt_state_file, false,
          "take over a state file of another --dingtalk_base_url, --app_key or --corp_id: its count of calls goes on, "
          "its tasks are dropped");
ABSL_FLAG(size_t, store_max_tasks, 100'000,
          "ended tasks kept in the state file; when there are more, the oldest leave");
ABSL_FLAG(double, upstream_qps, 18, "calls to DingTalk per second; 0 = unlimited");
ABSL_FLAG(int64_t, upstream_monthly_calls, 5000, "calls to DingTalk per natural month (UTC+8); 0 = unlimited");
ABSL_FLAG(double, unary_reserve, 0.1,
          "share of the month's calls that polls leave to callers, which wait for an answer");
ABSL_FLAG(absl::Duration, default_max_staleness, absl::Seconds(1),
          "how old an answer may be when the caller does not say");
ABSL_FLAG(absl::Duration, min_poll_interval, absl::Seconds(1), "the shortest time between two polls of one task");
ABSL_FLAG(absl::Duration, max_poll_interval, absl::Minutes(5), "the longest time between two polls of a watched task");
ABSL_FLAG(absl::Duration, upstream_error_budget, absl::Minutes(2),
          "how long DingTalk may fail, in ways that can pass, before a task's watches end with its error");
ABSL_FLAG(absl::Duration, heartbeat_interval, absl::Seconds(20),
          "the longest silence of a stream whose caller does not say; from --min_heartbeat_interval to 60s");
ABSL_FLAG(absl::Duration, min_heartbeat_interval, absl::Seconds(5),
          "the shortest silence after which a caller can ask for heartbeats");
ABSL_FLAG(absl::Duration, max_stream_age, absl::Minutes(10), "after about this time a stream's caller must come again");
ABSL_FLAG(size_t, max_watchers, 100'000, "watches and waits at a time");
ABSL_FLAG(size_t, max_open_calls, 10'000,
          "other calls at a time: gets, health watches and reflection; checks of the health have room of their own");
ABSL_FLAG(absl::Duration, drain_timeout, absl::Seconds(10), "how long calls may take to end after SIGTERM");
ABSL_FLAG(size_t, cache_tasks, 100'000, "tasks whose last state is kept in memory");

namespace taskwatch {
namespace {

constexpr int64_t kMaxMonthlyCalls = 1'000'000'000;
constexpr absl::Duration kMinUpstreamTimeout = absl::Milliseconds(10);

void PrintHelp() {
  std::puts(
      "taskwatchd tells other services over gRPC how DingTalk document tasks are doing.\n\n"
      "usage: taskwatchd [--flag=value ...] [--flagfile=FILE]\n\n"
      "DingTalk's access tokens come from one of --access_token_file, or --app_key with --app_secret_file, or the\n"
      "environment variables named below. SIGTERM and SIGINT end the server in good order.\n");
  std::map<std::string, absl::CommandLineFlag*> own;
  for (const auto& [name, flag] : absl::GetAllFlags()) {
    if (absl::EndsWith(flag->Filename(), "service/config.cc")) own.emplace(name, flag);
  }
  for (const auto& [name, flag] : own) {
    std::printf("  --%s (default: %s)\n      %s\n", name.c_str(),
                flag->DefaultValue().empty() ? "none" : flag->DefaultValue().c_str(), flag->Help().c_str());
  }
}

absl::Status Wrong(absl::string_view flag, absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat("--", flag, " ", problem));
}

std::string FromEnvironment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// Whether `host`, of a URL, is this machine whatever a name server says: 127.0.0.1.example.com may be anybody.
bool IsLoopback(const std::string& host) {
  in_addr address = {};
  const bool is_ipv4 = inet_pton(AF_INET, host.c_str(), &address) == 1;
  return host == "localhost" || host == "[::1]" || (is_ipv4 && ntohl(address.s_addr) >> 24 == IN_LOOPBACKNET);
}

// The URL's part, or empty.
std::string UrlPart(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK) return "";
  std::string result(text);
  curl_free(text);
  return result;
}

absl::Status ValidateBaseUrl(const std::string& base_url) {
  constexpr absl::string_view kFlag = "dingtalk_base_url";
  const std::unique_ptr<CURLU, void (*)(CURLU*)> url(curl_url(), curl_url_cleanup);
  if (curl_url_set(url.get(), CURLUPART_URL, base_url.c_str(), CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK) {
    return Wrong(kFlag, "is not a URL; give one like https://api.dingtalk.io");
  }
  if (!UrlPart(url.get(), CURLUPART_USER).empty() || !UrlPart(url.get(), CURLUPART_PASSWORD).empty()) {
    return Wrong(kFlag, "must not hold a user or password");
  }
  if (!UrlPart(url.get(), CURLUPART_QUERY).empty() || !UrlPart(url.get(), CURLUPART_FRAGMENT).empty()) {
    return Wrong(kFlag, "must not hold a query or fragment; give one like https://api.dingtalk.io");
  }
  const std::string scheme = UrlPart(url.get(), CURLUPART_SCHEME);
  if (scheme == "https") return absl::OkStatus();
  if (scheme != "http") return Wrong(kFlag, "must begin with https://");
  if (!IsLoopback(UrlPart(url.get(), CURLUPART_HOST))) {
    return Wrong(kFlag, "would send the access token unencrypted; use https:// (http:// is for loopback only)");
  }
  return absl::OkStatus();
}

// gRPC would take an address without a port for one with port 443.
absl::Status ValidateListen(absl::string_view listen) {
  if (absl::StartsWith(listen, "unix:")) return absl::OkStatus();
  const absl::string_view separator = absl::StartsWith(listen, "[") ? "]:" : ":";
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(listen, absl::MaxSplits(separator, 1));
  uint32_t port = 0;
  const bool has_port = absl::SimpleAtoi(parts.second, &port) && port <= 65535;
  if (!parts.first.empty() && has_port) return absl::OkStatus();
  return Wrong("listen", "must be host:port, [ipv6]:port or unix:path, like 127.0.0.1:50051");
}

absl::Status ValidateReadable(absl::string_view flag, const std::string& file) {
  if (file.empty()) return absl::OkStatus();
  if (access(file.c_str(), R_OK) != 0) return Wrong(flag, absl::StrCat("names '", file, "', which cannot be read"));
  std::error_code unknown;
  if (!std::filesystem::is_directory(file, unknown)) return absl::OkStatus();
  return Wrong(flag, absl::StrCat("names '", file, "', which is a directory; give the file in it"));
}

absl::Status ValidateCredentials(const Config& config) {
  const bool has_token = !config.access_token_file.empty() || !config.access_token.empty();
  const bool has_app = !config.app_key.empty() || !config.app_secret_file.empty() || !config.app_secret.empty();
  if (!has_token && !has_app) {
    return Wrong("access_token_file", "or --app_key with --app_secret_file is needed to call DingTalk");
  }
  if (has_token && has_app) {
    return Wrong("access_token_file", "and --app_key exclude each other (so do their environment variables)");
  }
  if (has_app && config.app_key.empty()) return Wrong("app_key", "is needed with the app's secret");
  if (has_app && config.app_secret_file.empty() && config.app_secret.empty()) {
    return Wrong("app_secret_file", "(or DINGTALK_APP_SECRET) is needed with --app_key");
  }
  if (!config.corp_id.empty() && !has_app) return Wrong("corp_id", "is of use with --app_key only");
  const bool corp_id_is_plain = std::all_of(config.corp_id.begin(), config.corp_id.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '-';
  });
  if (!corp_id_is_plain) return Wrong("corp_id", "may hold letters, digits, _ and - only");
  return absl::OkStatus();
}

absl::Status ValidatePositive(absl::string_view flag, absl::Duration duration) {
  if (duration > absl::ZeroDuration() && duration <= absl::Hours(24)) return absl::OkStatus();
  return Wrong(flag, "must be more than 0 and at most 24h, like 5s or 500ms");
}

// A rate below one call an hour would hold callers up for ever without a word.
absl::Status ValidateRate(absl::string_view flag, double calls_per_second) {
  const bool sensible = calls_per_second >= 1.0 / 3600 && calls_per_second <= 1e6;
  if (calls_per_second == 0 || sensible) return absl::OkStatus();
  return Wrong(flag, "is calls per second, like 18 or 0.5; 0 is unlimited");
}

}  // namespace

void ParseFlags(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const absl::string_view argument = absl::StripPrefix(absl::StripPrefix(argv[i], "-"), "-");
    if (argv[i][0] != '-' || (argument != "help" && argument != "h")) continue;
    PrintHelp();
    std::exit(0);
  }
  const std::vector<char*> rest = ParseCommandLine("ERROR: ", argc, argv);
  if (rest.size() > 1) {
    std::fprintf(stderr, "ERROR: '%s' is not a flag; flags look like --listen=127.0.0.1:50051, see --help\n", rest[1]);
    std::exit(kUsageErrorExitCode);
  }
}

absl::StatusOr<Config> ConfigFromFlags() {
  Config config;
  config.listen = absl::GetFlag(FLAGS_listen);
  config.dingtalk_base_url = std::string(absl::StripSuffix(absl::GetFlag(FLAGS_dingtalk_base_url), "/"));
  config.dingtalk_ca_file = absl::GetFlag(FLAGS_dingtalk_ca_file);
  config.upstream_timeout = absl::GetFlag(FLAGS_upstream_timeout);
  config.access_token_file = absl::GetFlag(FLAGS_access_token_file);
  config.app_key = absl::GetFlag(FLAGS_app_key);
  config.app_secret_file = absl::GetFlag(FLAGS_app_secret_file);
  config.corp_id = absl::GetFlag(FLAGS_corp_id);
  config.state_file = absl::GetFlag(FLAGS_state_file);
  config.adopt_state_file = absl::GetFlag(FLAGS_adopt_state_file);
  config.store_max_tasks = absl::GetFlag(FLAGS_store_max_tasks);
  config.upstream_qps = absl::GetFlag(FLAGS_upstream_qps);
  config.upstream_monthly_calls = absl::GetFlag(FLAGS_upstream_monthly_calls);
  config.unary_reserve = absl::GetFlag(FLAGS_unary_reserve);
  config.default_max_staleness = absl::GetFlag(FLAGS_default_max_staleness);
  config.min_poll_interval = absl::GetFlag(FLAGS_min_poll_interval);
  config.max_poll_interval = absl::GetFlag(FLAGS_max_poll_interval);
  config.upstream_error_budget = absl::GetFlag(FLAGS_upstream_error_budget);
  config.heartbeat_interval = absl::GetFlag(FLAGS_heartbeat_interval);
  config.min_heartbeat_interval = absl::GetFlag(FLAGS_min_heartbeat_interval);
  config.max_stream_age = absl::GetFlag(FLAGS_max_stream_age);
  config.max_watchers = absl::GetFlag(FLAGS_max_watchers);
  config.max_open_calls = absl::GetFlag(FLAGS_max_open_calls);
  config.drain_timeout = absl::GetFlag(FLAGS_drain_timeout);
  config.cache_tasks = absl::GetFlag(FLAGS_cache_tasks);

  // A flag beats its environment variable, and so does the flag of another way to get tokens.
  const bool flags_decide =
      !config.access_token_file.empty() || !config.app_key.empty() || !config.app_secret_file.empty();
  if (!flags_decide) config.access_token = FromEnvironment("DINGTALK_ACCESS_TOKEN");
  if (config.access_token_file.empty()) {
    if (config.app_key.empty()) config.app_key = FromEnvironment("DINGTALK_APP_KEY");
    if (config.app_secret_file.empty()) config.app_secret = FromEnvironment("DINGTALK_APP_SECRET");
  }

  const absl::Status checks[] = {
      ValidateListen(config.listen),
      ValidateBaseUrl(config.dingtalk_base_url),
      ValidateReadable("dingtalk_ca_file", config.dingtalk_ca_file),
      ValidateCredentials(config),
      ValidateReadable("access_token_file", config.access_token_file),
      ValidateReadable("app_secret_file", config.app_secret_file),
      ValidatePositive("upstream_timeout", config.upstream_timeout),
      config.upstream_timeout < kMinUpstreamTimeout
          ? Wrong("upstream_timeout", absl::StrCat("must be at least ", absl::FormatDuration(kMinUpstreamTimeout),
                                                   ", in which DingTalk can answer, like 5s"))
          : absl::OkStatus(),
      config.state_file.empty() ? Wrong("state_file", "is empty; name a file, or :memory: to keep nothing")
                                : absl::OkStatus(),
      config.store_max_tasks == 0 ? Wrong("store_max_tasks", "must be at least 1") : absl::OkStatus(),
      ValidateRate("upstream_qps", config.upstream_qps),
      config.upstream_monthly_calls < 0 || config.upstream_monthly_calls > kMaxMonthlyCalls
          ? Wrong("upstream_monthly_calls", "must be from 0, which is unlimited, to 1000000000")
          : absl::OkStatus(),
      // Not a number is neither.
      config.unary_reserve >= 0 && config.unary_reserve <= 0.9
          ? absl::OkStatus()
          : Wrong("unary_reserve", "is a share of the month's calls, from 0 to 0.9"),
      config.default_max_staleness < absl::ZeroDuration() ? Wrong("default_max_staleness", "must not be negative")
                                                          : absl::OkStatus(),
      ValidatePositive("min_poll_interval", config.min_poll_interval),
      ValidatePositive("max_poll_interval", config.max_poll_interval),
      config.min_poll_interval > config.max_poll_interval
          ? Wrong("min_poll_interval", "must not be longer than --max_poll_interval")
          : absl::OkStatus(),
      ValidatePositive("upstream_error_budget", config.upstream_error_budget),
      ValidatePositive("min_heartbeat_interval", config.min_heartbeat_interval),
      config.min_heartbeat_interval > absl::Seconds(60) ? Wrong("min_heartbeat_interval", "must not be longer than 60s")
                                                        : absl::OkStatus(),
      config.heartbeat_interval < config.min_heartbeat_interval || config.heartbeat_interval > absl::Seconds(60)
          ? Wrong("heartbeat_interval", absl::StrCat("must be from --min_heartbeat_interval (",
                                                     absl::FormatDuration(config.min_heartbeat_interval), ") to 60s"))
          : absl::OkStatus(),
      ValidatePositive("max_stream_age", config.max_stream_age),
      config.max_watchers == 0 ? Wrong("max_watchers", "must be at least 1") : absl::OkStatus(),
      config.max_open_calls == 0 ? Wrong("max_open_calls", "must be at least 1") : absl::OkStatus(),
      ValidatePositive("drain_timeout", config.drain_timeout),
      config.cache_tasks == 0 ? Wrong("cache_tasks", "must be at least 1") : absl::OkStatus(),
  };
  for (const absl::Status& check : checks) {
    if (!check.ok()) return check;
  }
  return config;
}

}  // namespace taskwatch
