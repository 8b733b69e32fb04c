// What somebody else writes on Taskwatch's client: prints the states of one task until it is done.
#include <cstdio>
#include <string>

#include "taskwatch/client/channel.h"
#include "taskwatch/client/rpc_status.h"
#include "taskwatch/client/task_client.h"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  taskwatch::client::ChannelOptions options;
  options.server = argv[1];
  const auto channel = taskwatch::client::NewChannel(options);
  if (!channel.ok()) return 2;

  taskwatch::client::TaskClient tasks(*channel, {});
  taskwatch::client::WatchObserver observer;
  observer.on_task = [](const taskwatch::v1::TaskInfo& task) {
    std::printf("%s\n", taskwatch::v1::TaskState_Name(task.state()).c_str());
    std::fflush(stdout);
  };
  const auto result = tasks.Watch(argv[2], {}, observer);
  if (!result.ok()) std::printf("%s\n", taskwatch::client::ErrorReasonOf(result.status()).c_str());
  return result.ok() ? 0 : 1;
}
