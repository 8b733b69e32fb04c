#include "tests/integration/service_under_test.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"

#include "service/runtime/event_loop.h"
#include "tests/integration/calls.h"
#include "tests/patience/patience.h"

namespace taskwatch {

Config TestConfig(const std::string& upstream_url) {
  Config config;
  config.listen = "127.0.0.1:0";
  config.dingtalk_base_url = upstream_url;
  config.upstream_timeout = absl::Minutes(2);
  config.access_token = kTestToken;
  config.default_max_staleness = absl::Seconds(1);
  config.min_poll_interval = absl::Milliseconds(1);
  config.max_poll_interval = absl::Minutes(5);
  config.upstream_error_budget = absl::Minutes(2);
  config.heartbeat_interval = absl::Seconds(20);
  config.max_stream_age = absl::Hours(1);
  config.max_watchers = 100'000;
  config.max_open_calls = 10'000;
  config.drain_timeout = absl::Minutes(1);
  config.cache_tasks = 10'000;
  return config;
}

ServiceUnderTest::ServiceUnderTest(const Config& config) {
  absl::StatusOr<std::unique_ptr<TaskwatchService>> service = TaskwatchService::Start(config);
  if (!service.ok()) {
    std::fprintf(stderr, "the service did not start: %s\n", service.status().ToString().c_str());
    std::abort();
  }
  service_ = *std::move(service);
  stub_ = v1::TaskService::NewStub(NewChannel(service_->address()));
}

TaskwatchService::Stats ServiceUnderTest::stats() {
  TaskwatchService::Stats stats;
  Await([&stats](const TaskwatchService::Stats& now) {
    stats = now;
    return true;
  });
  return stats;
}

void ServiceUnderTest::Await(absl::FunctionRef<bool(const TaskwatchService::Stats&)> wish) {
  absl::Notification fulfilled;
  absl::Mutex mutex;
  TaskwatchService::Stats latest;
  const Witness statistics([&] {
    absl::MutexLock lock(&mutex);
    return absl::StrCat("of ", latest.calls.started, " calls ", latest.calls.finished, " have finished and ",
                        latest.calls.open, " are open; there are ", latest.tracker.watchers, " watchers, ",
                        latest.tracker.waiting_gets, " waiting gets and ", latest.tracker.entries, " entries");
  });
  std::function<void()> look = [&] {
    const TaskwatchService::Stats stats = service_->stats();
    {
      absl::MutexLock lock(&mutex);
      latest = stats;
    }
    if (wish(stats)) {
      fulfilled.Notify();
    } else {
      service_->loop()->RunAfter(absl::Milliseconds(1), look);
    }
  };
  service_->loop()->Post(look);
  taskwatch::Await(fulfilled, "the service's statistics to be as wished");
}

size_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  size_t total = 0;
  size_t resident = 0;
  statm >> total >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

size_t MemoryBound([[maybe_unused]] size_t bytes) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  // Half of it, so that it can be added to.
  return std::numeric_limits<size_t>::max() / 2;
#else
  return bytes;
#endif
}

size_t OpenFileDescriptors() {
  const std::filesystem::directory_iterator files("/proc/self/fd");
  return std::distance(begin(files), end(files));
}

}  // namespace taskwatch
