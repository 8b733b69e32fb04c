// taskwatchd's settings: from flags, flag files and the environment to one validated struct.
#ifndef TASKWATCH_SERVICE_CONFIG_H_
#define TASKWATCH_SERVICE_CONFIG_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace taskwatch {

struct Config {
  std::string listen;

  std::string dingtalk_base_url;
  std::string dingtalk_ca_file;
  absl::Duration upstream_timeout;
  // Exactly one way to get access tokens is set: a file with a token, a token, or an app key with a secret or its file.
  std::string access_token_file;
  std::string access_token;
  std::string app_key;
  std::string app_secret_file;
  std::string app_secret;
  std::string corp_id;

  // ":memory:" or empty keeps nothing.
  std::string state_file;
  // Whether the state file may be taken over from another app's service.
  bool adopt_state_file = false;
  size_t store_max_tasks = 100'000;
  // 0 is no limit.
  double upstream_qps = 0;
  int64_t upstream_monthly_calls = 0;
  double unary_reserve = 0;

  absl::Duration default_max_staleness;
  absl::Duration min_poll_interval;
  absl::Duration max_poll_interval;
  absl::Duration upstream_error_budget;
  absl::Duration heartbeat_interval;
  // What callers can ask for; the proto promises them 5 s.
  absl::Duration min_heartbeat_interval = absl::Seconds(5);
  absl::Duration max_stream_age;
  // A call is cancelled when its caller does not read what it is sent for so long. No flag: a client that does not read
  // for so long never will.
  absl::Duration stall_timeout = absl::Seconds(30);
  // The time of a GetTaskInfo whose caller sets no deadline. No flag: the proto tells it to callers.
  absl::Duration default_get_timeout = absl::Seconds(60);
  size_t max_watchers = 0;
  size_t max_open_calls = 0;
  // For how long it is known how fast a task went that nobody asks for. No flag: it costs little, and saves calls.
  absl::Duration linger = absl::Minutes(10);
  absl::Duration drain_timeout;
  size_t cache_tasks = 0;
};

// Reads the flags in `argv`. Answers --help and --version itself and ends the process with 0; a flag that is unknown or
// cannot be parsed is named in one line on stderr and ends it with 2. To be called once, first thing in main.
void ParseFlags(int argc, char** argv);

// What the parsed flags and the environment amount to, or an error for people that names the flag and what to do.
// Secrets are taken from the environment and from files only, never from a flag.
absl::StatusOr<Config> ConfigFromFlags();

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_CONFIG_H_
