// How our programs say that their command line is wrong, and end.
#ifndef TASKWATCH_FLAGS_USAGE_ERROR_H_
#define TASKWATCH_FLAGS_USAGE_ERROR_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace taskwatch {

// The exit code for an unknown flag, a value that cannot be parsed, or flags that do not go together.
constexpr int kUsageErrorExitCode = 2;

// absl::ParseCommandLine, with errors in one form: the first that is found stands on stderr in one line after `prefix`,
// and the process ends with kUsageErrorExitCode. Returns the arguments that are no flags, the program's name first. To
// be called once, while the process has one thread.
std::vector<char*> ParseCommandLine(absl::string_view prefix, int argc, char** argv);

// What ParseCommandLine makes of an error in Abseil's words: "Illegal value '5' specified for flag 'deadline'" becomes
// "--deadline: '5' is not a duration; give one like 90s or 10m". Words that are not known stay, on one line.
std::string FlagError(absl::string_view abseil_error);

}  // namespace taskwatch

#endif  // TASKWATCH_FLAGS_USAGE_ERROR_H_
