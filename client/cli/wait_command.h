// `taskwatch wait`.
#ifndef TASKWATCH_CLIENT_CLI_WAIT_COMMAND_H_
#define TASKWATCH_CLIENT_CLI_WAIT_COMMAND_H_

#include "taskwatch/client/task_client.h"

#include "client/cli/command_line.h"
#include "client/cli/console.h"
#include "client/cli/outcome.h"

namespace taskwatch::client {

// Waits for the end of the command's tasks, shows each on `console` as soon as it comes, and returns how they ended.
// Trouble is told on stderr when it begins; a terminal there is also told what is waited for. Ctrl-C ends the wait:
// then stderr is told what is known of the tasks that have not ended. A second Ctrl-C ends the process.
Outcome Wait(const Command& command, const Console& console, TaskClient& client);

}  // namespace taskwatch::client

#endif  // TASKWATCH_CLIENT_CLI_WAIT_COMMAND_H_
