// A client that opens streams and never lets go of them: stream_holder ADDRESS TASK_ID STREAMS. Prints "holding" once
// each has its first message, and waits to be killed.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "tests/integration/calls.h"

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const auto stub = taskwatch::v1::TaskService::NewStub(taskwatch::NewChannel(argv[1]));
  std::vector<std::unique_ptr<taskwatch::WatchStream>> streams;
  for (int i = 0; i < std::atoi(argv[3]); ++i) {
    streams.push_back(std::make_unique<taskwatch::WatchStream>(*stub, argv[2]));
  }
  for (const auto& stream : streams) {
    if (!stream->AwaitMessages(1)) return 1;
  }
  std::puts("holding");
  std::fflush(stdout);
  while (true) pause();
}
