// A client that calls WaitTask again and again with the etag of the last answer, as its documentation advises.
#ifndef TASKWATCH_TESTS_SIMULATION_WAIT_LOOP_H_
#define TASKWATCH_TESTS_SIMULATION_WAIT_LOOP_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"

#include "service/runtime/event_loop.h"
#include "service/task/task_info.h"
#include "tests/simulation/callers.h"
#include "tests/simulation/world.h"

namespace taskwatch::simulation {

class WaitLoop {
 public:
  // Begins at once, and ends with the task, or when all is calm. `world` must outlive it.
  WaitLoop(World* world, std::string name, std::string task_id);
  ~WaitLoop();

  void Leave();

 private:
  void Wait();
  void OnEnd(const absl::StatusOr<TaskSnapshotPtr>& answer);

  World* const world_;
  const std::string name_;
  const std::string task_id_;
  std::string etag_;
  bool left_ = false;
  std::unique_ptr<Waiter> waiter_;
  EventLoop::TimerId timer_;
};

}  // namespace taskwatch::simulation

#endif  // TASKWATCH_TESTS_SIMULATION_WAIT_LOOP_H_
