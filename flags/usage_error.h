// How our programs end when their command line is wrong.
#ifndef TASKWATCH_FLAGS_USAGE_ERROR_H_
#define TASKWATCH_FLAGS_USAGE_ERROR_H_

namespace taskwatch {

// The exit code for an unknown flag, a value that cannot be parsed, or flags that do not go together. A program that
// links this ends with it where absl::ParseCommandLine would end the process with 1.
constexpr int kUsageErrorExitCode = 2;

}  // namespace taskwatch

#endif  // TASKWATCH_FLAGS_USAGE_ERROR_H_
