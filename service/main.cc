// taskwatchd: puts the rooms together. The only place that names concrete classes of all of them.
#include <signal.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "taskwatch/v1/task_service.grpc.pb.h"

#include "service/config.h"
#include "service/rpc/task_service.h"
#include "service/runtime/curl_event_loop.h"
#include "service/server/grpc_server.h"
#include "service/tracker/snapshot_cache.h"
#include "service/tracker/task_tracker.h"
#include "service/upstream/access_token.h"
#include "service/upstream/curl_http_client.h"
#include "service/upstream/dingtalk_task_source.h"
#include "service/upstream/file_access_token.h"
#include "service/upstream/fixed_access_token.h"
#include "service/upstream/logged_task_source.h"
#include "service/upstream/oauth_access_token.h"
#include "service/upstream/pausing_task_source.h"

namespace taskwatch {
namespace {

// Ends the start-up with one line that says what is wrong.
int Refuse(const absl::Status& status) {
  std::fprintf(stderr, "ERROR: %s\n", std::string(status.message()).c_str());
  return 2;
}

void LogToStderr() {
  auto logger = std::make_shared<spdlog::logger>("taskwatchd", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
}

absl::StatusOr<std::unique_ptr<AccessTokenProvider>> NewAccessTokens(const Config& config, EventLoop* loop,
                                                                     HttpClient* http) {
  if (!config.access_token_file.empty()) return std::make_unique<FileAccessToken>(config.access_token_file);
  if (!config.access_token.empty()) return FixedAccessToken::Create(config.access_token, "DINGTALK_ACCESS_TOKEN");
  OauthAccessToken::Options options;
  options.app_key = config.app_key;
  options.app_secret = config.app_secret;
  options.app_secret_file = config.app_secret_file;
  options.corp_id = config.corp_id;
  options.timeout = config.upstream_timeout;
  return OauthAccessToken::Create(loop, http, std::move(options));
}

int Serve(const Config& config, const sigset_t& signals) {
  CurlEventLoop loop;
  CurlHttpClient::Options http_options;
  http_options.base_url = config.dingtalk_base_url;
  http_options.ca_file = config.dingtalk_ca_file;
  CurlHttpClient http(&loop, std::move(http_options));
  const absl::StatusOr<std::unique_ptr<AccessTokenProvider>> tokens = NewAccessTokens(config, &loop, &http);
  if (!tokens.ok()) return Refuse(tokens.status());

  DingTalkTaskSource::Options source_options;
  source_options.attempt_timeout = config.upstream_timeout;
  DingTalkTaskSource dingtalk(&loop, &http, tokens->get(), source_options);
  LoggedTaskSource logged(&dingtalk);
  PausingTaskSource source(&loop, &logged);

  SnapshotCache cache(config.cache_tasks);
  TaskTracker::Options tracker_options;
  tracker_options.error_budget = config.upstream_error_budget;
  tracker_options.poll_limits.min_interval = config.min_poll_interval;
  tracker_options.poll_limits.max_interval = config.max_poll_interval;
  tracker_options.max_watchers = config.max_watchers;
  tracker_options.seed = std::random_device()();
  TaskTracker tracker(&loop, &source, &cache, tracker_options);

  TaskService::Options service_options;
  service_options.default_max_staleness = config.default_max_staleness;
  service_options.default_heartbeat_interval = config.heartbeat_interval;
  service_options.max_stream_age = config.max_stream_age;
  TaskService service(&loop, &tracker, &cache, service_options);

  GrpcServer::Options server_options;
  server_options.listen = config.listen;
  server_options.service_names = {v1::TaskService::service_full_name()};
  const absl::StatusOr<std::unique_ptr<GrpcServer>> server = GrpcServer::Start(server_options, {&service});
  if (!server.ok()) return Refuse(server.status());
  std::thread loop_thread([&loop] { loop.Run(); });
  spdlog::info("listening on {}, upstream {}", (*server)->address(), config.dingtalk_base_url);

  int signal = 0;
  sigwait(&signals, &signal);
  spdlog::info("{}: draining for at most {}", signal == SIGTERM ? "SIGTERM" : "SIGINT",
               absl::FormatDuration(config.drain_timeout));
  // A second Ctrl-C does not wait.
  sigset_t interrupt;
  sigemptyset(&interrupt);
  sigaddset(&interrupt, SIGINT);
  pthread_sigmask(SIG_UNBLOCK, &interrupt, nullptr);
  (*server)->StopServing();
  service.Drain();
  (*server)->Shutdown(config.drain_timeout);
  // Posted, so that it comes after all that the calls which have just ended have posted.
  loop.Post([&loop] { loop.Stop(); });
  loop_thread.join();
  spdlog::info("stopped");
  return 0;
}

int Main(int argc, char** argv) {
  // Debian builds Abseil with its search for lock cycles switched on, which every lock pays for.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  ParseFlags(argc, argv);
  const absl::StatusOr<Config> config = ConfigFromFlags();
  if (!config.ok()) return Refuse(config.status());
  LogToStderr();

  // Before the first thread begins, so that none of them takes the signals that sigwait waits for.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  return Serve(*config, signals);
}

}  // namespace
}  // namespace taskwatch

int main(int argc, char** argv) { return taskwatch::Main(argc, argv); }
