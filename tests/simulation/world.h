// What everybody in a simulated run shares.
#ifndef TASKWATCH_TESTS_SIMULATION_WORLD_H_
#define TASKWATCH_TESTS_SIMULATION_WORLD_H_

#include <cstdint>

#include "service/runtime/simulated_loop.h"
#include "tests/simulation/journal.h"
#include "tests/simulation/simulated_server.h"

namespace taskwatch::simulation {

struct World {
  SimulatedLoop* loop = nullptr;
  Journal* journal = nullptr;
  // The server that takes new calls.
  SimulatedServer* server = nullptr;
  // Nothing goes wrong any more, and nobody leaves without what he came for.
  bool calm = false;
  // Calls of all kinds.
  uint64_t started = 0;
  uint64_t finished = 0;
};

}  // namespace taskwatch::simulation

#endif  // TASKWATCH_TESTS_SIMULATION_WORLD_H_
