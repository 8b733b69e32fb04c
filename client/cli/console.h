// The process's stdout and stderr, as the commands use them.
#ifndef TASKWATCH_CLIENT_CLI_CONSOLE_H_
#define TASKWATCH_CLIENT_CLI_CONSOLE_H_

#include <string>

#include "absl/strings/string_view.h"
#include "taskwatch/v1/task_service.pb.h"

#include "client/cli/live_screen.h"

namespace taskwatch::client {

// Unbuffered: a line has been written when the function returns. What cannot be written to stdout ends the process with
// ExitCode::kOutputLost and a line on stderr that says why; a pipe that its reader has closed ends it by SIGPIPE, as it
// does other programs. Not thread-safe.
class Console {
 public:
  explicit Console(bool json) : json_(json) {}

  bool json() const { return json_; }

  // Whether a live screen can be drawn on stdout, and in colours.
  bool live() const;
  bool color() const;
  ScreenSize size() const;

  // The state on stdout, in words or JSON.
  void Show(const v1::TaskInfo& task) const;

  // A line on stdout.
  void Line(const std::string& line) const;

  // Bytes on stdout.
  void Write(absl::string_view bytes) const;

  // A line on stderr, after the program's name.
  void Complain(absl::string_view line) const;

  // The same if stderr is a terminal: what a person likes to know, and a script does not.
  void Note(absl::string_view line) const;

 private:
  const bool json_;
};

}  // namespace taskwatch::client

#endif  // TASKWATCH_CLIENT_CLI_CONSOLE_H_
