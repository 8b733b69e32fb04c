// The command line, from flags, arguments and environment to one validated struct.
#ifndef TASKWATCH_CLIENT_CLI_COMMAND_LINE_H_
#define TASKWATCH_CLIENT_CLI_COMMAND_LINE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "taskwatch/client/channel.h"

#include "client/cli/exit_code.h"

namespace taskwatch::client {

struct Command {
  enum class Name { kGet, kWatch, kWait, kHealth };

  Name name = Name::kHealth;
  // Each once, in the order given.
  std::vector<std::string> task_ids;
  ChannelOptions channel;
  std::string token_file;
  bool json = false;
  absl::Duration deadline = absl::InfiniteDuration();
  absl::Duration timeout = absl::InfiniteDuration();
};

// Reads the flags in `argv` and returns the other arguments, without the program's name. Answers --help itself
// and ends the process with 0; a flag that is unknown or cannot be parsed is named in one line on stderr and ends it
// with 2. To be called once, first thing in main.
std::vector<std::string> ParseFlags(int argc, char** argv);

// The command that the parsed flags, the environment and `arguments` give, or an error for people that says what to do.
absl::StatusOr<Command> CommandFrom(const std::vector<std::string>& arguments);

// The command that goes on where this one stopped: `arguments` (all of them, flags too) without `done` task ids, quoted
// for the shell.
std::string ResumeCommand(const std::vector<std::string>& arguments, const std::vector<std::string>& done);

}  // namespace taskwatch::client

#endif  // TASKWATCH_CLIENT_CLI_COMMAND_LINE_H_
