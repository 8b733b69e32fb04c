// The commands of the command line.
#ifndef TASKWATCH_CLIENT_CLI_COMMANDS_H_
#define TASKWATCH_CLIENT_CLI_COMMANDS_H_

#include <string>
#include <vector>

#include "client/cli/command_line.h"

namespace taskwatch::client {

// Does what `command` asks for. `arguments` are those of the process, to show the command that resumes. Blocks until
// done.
ExitCode Run(const Command& command, const std::vector<std::string>& arguments);

}  // namespace taskwatch::client

#endif  // TASKWATCH_CLIENT_CLI_COMMANDS_H_
