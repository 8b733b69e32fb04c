// taskwatch: the command line client.
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "client/cli/command_line.h"
#include "client/cli/commands.h"

namespace taskwatch::client {
namespace {

int Main(int argc, char** argv) {
  // Ctrl-C ends at once. The screen is in order at any time, and nothing waits in a buffer.
  ::signal(SIGINT, [](int) { _exit(130); });
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
