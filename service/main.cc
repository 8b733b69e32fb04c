// taskwatchd: Taskwatch as a process, with flags, a log on stderr and signals that end it.
#include <signal.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "flags/usage_error.h"

#include "service/config.h"
#include "service/taskwatch_service.h"

namespace taskwatch {
namespace {

// Ends the start-up with one line that says what is wrong.
int Refuse(const absl::Status& status) {
  std::fprintf(stderr, "ERROR: %s\n", std::string(status.message()).c_str());
  return kUsageErrorExitCode;
}

void LogToStderr() {
  auto logger = std::make_shared<spdlog::logger>("taskwatchd", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
}

// Serves until a signal comes.
void Serve(TaskwatchService& taskwatch, const Config& config, const sigset_t& signals) {
  spdlog::info("listening on {}, upstream {}", taskwatch.address(), config.dingtalk_base_url);
  int signal = 0;
  sigwait(&signals, &signal);
  spdlog::info("{}: draining for at most {}", signal == SIGTERM ? "SIGTERM" : "SIGINT",
               absl::FormatDuration(config.drain_timeout));
  // A second Ctrl-C does not wait.
  sigset_t interrupt;
  sigemptyset(&interrupt);
  sigaddset(&interrupt, SIGINT);
  pthread_sigmask(SIG_UNBLOCK, &interrupt, nullptr);
  taskwatch.Drain(config.drain_timeout);
  spdlog::info("stopped");
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
  const absl::StatusOr<std::unique_ptr<TaskwatchService>> taskwatch = TaskwatchService::Start(*config);
  if (!taskwatch.ok()) return Refuse(taskwatch.status());
  Serve(**taskwatch, *config, signals);
  return 0;
}

}  // namespace
}  // namespace taskwatch

int main(int argc, char** argv) { return taskwatch::Main(argc, argv); }
