// The servers of a simulated run: one takes new calls; others drain, or have crashed.
#ifndef TASKWATCH_TESTS_SIMULATION_SERVERS_H_
#define TASKWATCH_TESTS_SIMULATION_SERVERS_H_

#include <memory>
#include <string>
#include <vector>

#include "tests/simulation/random.h"
#include "tests/simulation/simulated_dingtalk.h"
#include "tests/simulation/simulated_disk.h"
#include "tests/simulation/simulated_server.h"
#include "tests/simulation/world.h"

namespace taskwatch::simulation {

class Servers {
 public:
  // All must outlive it. Begins with one server.
  Servers(World* world, SimulatedDingTalk* dingtalk, const NetworkMood* network, const DiskMood* disks, Random random,
          const SimulatedServer::Options& options);

  // Starts another server, with a state file of its own, and lets the present one drain.
  void Replace();

  // The present server dies. Another one goes on with its state file.
  void Crash();

  // Forgets the servers that have drained.
  void Reap();

  // When nobody calls any more: nothing may be left in any of them.
  void CheckEmpty(const std::vector<std::string>& task_ids);

  // After this none is left.
  void Clear() { servers_.clear(); }

 private:
  void Start(std::shared_ptr<SimulatedDisk> disk);

  World* const world_;
  SimulatedDingTalk* const dingtalk_;
  const NetworkMood* const network_;
  const DiskMood* const disks_;
  Random random_;
  SimulatedServer::Options options_;
  // The last one takes new calls.
  std::vector<std::unique_ptr<SimulatedServer>> servers_;
  // State files that no server uses.
  std::vector<std::shared_ptr<SimulatedDisk>> spare_disks_;
};

}  // namespace taskwatch::simulation

#endif  // TASKWATCH_TESTS_SIMULATION_SERVERS_H_
