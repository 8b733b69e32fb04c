// How the command line client ends.
#ifndef TASKWATCH_CLIENT_CLI_EXIT_CODE_H_
#define TASKWATCH_CLIENT_CLI_EXIT_CODE_H_

#include "flags/usage_error.h"

namespace taskwatch::client {

// The exit codes that --help lists.
enum class ExitCode {
  kSuccess = 0,
  kTaskFailed = 1,
  kUsage = kUsageErrorExitCode,
  kServiceTrouble = 3,
  kTimedOut = 4,
  kNoSuchTask = 5,
  kOutputLost = 6,
  kInterrupted = 130,
};

}  // namespace taskwatch::client

#endif  // TASKWATCH_CLIENT_CLI_EXIT_CODE_H_
