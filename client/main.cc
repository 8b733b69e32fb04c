// taskwatch: the command line client.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "client/cli/command_line.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"

namespace taskwatch::client {
namespace {

// Where a standard stream is closed, its number is not to become that of a connection, into which the output would go.
// What is put in its place fails as a closed one does.
void ReserveStandardStreams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    // The lowest number that is free is taken, which is this one. Nothing can be written to it, as it is read-only.
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) < 0) _exit(static_cast<int>(ExitCode::kOutputLost));
  }
}

int Main(int argc, char** argv) {
  ReserveStandardStreams();
  // Ctrl-C ends at once, except in `wait`. The screen is in order at any time, and nothing waits in a buffer.
  ::signal(SIGINT, [](int) { _exit(static_cast<int>(ExitCode::kInterrupted)); });
  // gRPC logs for its developers; what matters to people is in the status of the call. Set it to debug.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  const absl::StatusOr<Command> command = CommandFrom(ParseFlags(argc, argv));
  if (!command.ok()) {
    std::fprintf(stderr, "taskwatch: %s\n", std::string(command.status().message()).c_str());
    return static_cast<int>(ExitCode::kUsage);
  }
  return static_cast<int>(Run(*command, std::vector<std::string>(argv + 1, argv + argc)));
}

}  // namespace
}  // namespace taskwatch::client

int main(int argc, char** argv) { return taskwatch::client::Main(argc, argv); }
