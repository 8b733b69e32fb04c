// One simulated run: everything that happens in it follows from its seed.
#ifndef TASKWATCH_TESTS_SIMULATION_SCENARIO_H_
#define TASKWATCH_TESTS_SIMULATION_SCENARIO_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"

#include "tests/dingtalk_standin/dingtalk_model.h"

namespace taskwatch::simulation {

struct Outcome {
  // The promises that were broken, the first one first.
  std::vector<std::string> broken;
  // What happened, a line each; empty unless it was asked for.
  std::string trace;
  // Virtual time.
  absl::Duration length;
  // How often what happened.
  std::map<std::string, uint64_t> counts;
};

Outcome RunScenario(uint64_t seed, bool tracing);

}  // namespace taskwatch::simulation

#endif  // TASKWATCH_TESTS_SIMULATION_SCENARIO_H_
