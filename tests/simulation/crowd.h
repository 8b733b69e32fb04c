// Callers who never stop: each gets its own task in a loop, and watches it.
#ifndef TASKWATCH_TESTS_SIMULATION_CROWD_H_
#define TASKWATCH_TESTS_SIMULATION_CROWD_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "service/runtime/simulated_loop.h"
#include "service/task/task_error.h"
#include "service/task/task_info.h"
#include "service/tracker/task_subscriber.h"
#include "service/tracker/task_tracker.h"
#include "tests/simulation/simulated_server.h"

namespace taskwatch::simulation {

class Crowd {
 public:
  // What the callers have been told, since Forget.
  struct Heard {
    // Gets that were answered, by the second in which they were.
    std::map<int64_t, int> answers;
    // Gets that failed for a reason, and when the last one did.
    std::map<ErrorReason, absl::Time> failures;
    // Watches that ended before their task, by reason.
    std::map<ErrorReason, int> watches_lost;
  };

  // `size` callers, about tasks "t0", "t1" and so on. Both must outlive the crowd.
  Crowd(SimulatedLoop* loop, SimulatedServer* server, size_t size);
  ~Crowd();

  static std::string TaskId(size_t caller);

  const Heard& heard() const { return heard_; }
  void Forget() { heard_ = Heard(); }

 private:
  class Caller;

  SimulatedLoop* const loop_;
  SimulatedServer* const server_;
  Heard heard_;
  std::vector<std::unique_ptr<Caller>> callers_;
};

}  // namespace taskwatch::simulation

#endif  // TASKWATCH_TESTS_SIMULATION_CROWD_H_
