// `taskwatch watch`.
#ifndef TASKWATCH_CLIENT_CLI_WATCH_COMMAND_H_
#define TASKWATCH_CLIENT_CLI_WATCH_COMMAND_H_

#include <string>
#include <vector>

#include "taskwatch/client/task_client.h"

#include "client/cli/command_line.h"
#include "client/cli/console.h"
#include "client/cli/outcome.h"

namespace taskwatch::client {

// Watches the command's tasks until each is over, shows their states on `console`, and returns how they ended.
Outcome Watch(const Command& command, const Console& console, TaskClient& client);

}  // namespace taskwatch::client

#endif  // TASKWATCH_CLIENT_CLI_WATCH_COMMAND_H_
