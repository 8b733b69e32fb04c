// Watches one task to its end: watch_task HOST:PORT TASK_ID
#include <cstdio>
#include <string>

#include "absl/time/time.h"
#include "taskwatch/client/channel.h"
#include "taskwatch/client/options.h"
#include "taskwatch/client/rpc_status.h"
#include "taskwatch/client/task_client.h"
#include "taskwatch/v1/task_service.pb.h"

int main(int argc, char** argv) {
  using namespace taskwatch;
  if (argc != 3) {
    std::fprintf(stderr, "usage: watch_task HOST:PORT TASK_ID\n");
    return 2;
  }
  client::ChannelOptions where;
  where.server = argv[1];
  const auto channel = client::NewChannel(where);
  if (!channel.ok()) {
    std::fprintf(stderr, "%s\n", channel.status().ToString().c_str());
    return 2;
  }

  client::TaskClient tasks(*channel, {});
  client::WatchObserver observer;
  observer.on_task = [](const v1::TaskInfo& task) {
    std::printf("%s %lld/%lld\n", v1::TaskState_Name(task.state()).c_str(),
                static_cast<long long>(task.succeeded_count() + task.failed_count()),
                static_cast<long long>(task.total_count()));
    // At once, into a pipe or file, too.
    std::fflush(stdout);
  };
  client::WatchOptions options;
  // A stream that is silent for three times as long is taken for dead.
  options.heartbeat_interval = absl::Seconds(5);
  const auto result = tasks.Watch(argv[2], options, observer);
  if (!result.ok()) {
    std::fprintf(stderr, "%s: %s\n", client::ErrorReasonOf(result.status()).c_str(),
                 std::string(result.status().message()).c_str());
    return 3;
  }
  return result->state() == v1::TASK_STATE_SUCCEEDED ? 0 : 1;
}
