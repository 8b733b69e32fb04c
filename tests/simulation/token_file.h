// Somebody who keeps an access token up to date in a file, for servers with --access_token_file.
#ifndef TASKWATCH_TESTS_SIMULATION_TOKEN_FILE_H_
#define TASKWATCH_TESTS_SIMULATION_TOKEN_FILE_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"

#include "service/runtime/simulated_loop.h"
#include "tests/simulation/journal.h"
#include "tests/simulation/random.h"
#include "tests/simulation/simulated_dingtalk.h"

namespace taskwatch::simulation {

// Writes a new token each time before the old one expires, or some time after.
class TokenFile {
 public:
  // All must outlive it. Writes the first token at once.
  TokenFile(SimulatedLoop* loop, Journal* journal, SimulatedDingTalk* dingtalk, Random random,
            absl::Duration token_lifetime);
  // Removes the file.
  ~TokenFile();

  // A real file, of the same name in each run.
  const std::string& path() const { return path_; }

  // From now on new tokens come in time, the next one at once.
  void CalmDown();

 private:
  void Write();

  SimulatedLoop* const loop_;
  Journal* const journal_;
  SimulatedDingTalk* const dingtalk_;
  Random random_;
  const absl::Duration token_lifetime_;
  const std::string path_;
  bool calm_ = false;
  EventLoop::TimerId timer_;
};

}  // namespace taskwatch::simulation

#endif  // TASKWATCH_TESTS_SIMULATION_TOKEN_FILE_H_
