// Clients that ask once: GetTaskInfo and WaitTask, with everything checked that is promised of their answers.
#ifndef TASKWATCH_TESTS_SIMULATION_CALLERS_H_
#define TASKWATCH_TESTS_SIMULATION_CALLERS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "service/runtime/event_loop.h"
#include "service/task/task_info.h"
#include "service/tracker/task_tracker.h"
#include "service/tracker/wait_session.h"
#include "tests/simulation/simulated_dingtalk.h"
#include "tests/simulation/simulated_server.h"
#include "tests/simulation/world.h"

namespace taskwatch::simulation {

// One GetTaskInfo.
class Getter {
 public:
  struct Options {
    std::string name;
    std::string task_id;
    absl::Duration max_staleness;
    absl::Duration timeout;
    // Goes away after this time, if set.
    std::optional<absl::Duration> cancel_after;
  };

  // Asks at once. `world` must outlive it.
  Getter(World* world, Options options);
  ~Getter();

  void Cancel();
  bool ended() const { return ended_; }

 private:
  void OnAnswer(const absl::StatusOr<TaskSnapshotPtr>& answer);
  void CheckAnswer(const absl::StatusOr<TaskSnapshotPtr>& answer);
  // The server has crashed.
  void Lose();
  void End();

  World* const world_;
  SimulatedServer* const server_;
  const Options options_;
  const absl::Time asked_;
  uint64_t call_id_ = 0;
  TaskTracker::GetId get_id_ = 0;
  bool ended_ = false;
  EventLoop::TimerId cancel_timer_;
};

// One WaitTask.
class Waiter {
 public:
  struct Options {
    std::string name;
    WaitSession::Options session;
    // Goes away after this time, if set.
    std::optional<absl::Duration> cancel_after;
    // Hears the answer, if set; must not destroy the waiter.
    std::function<void(const absl::StatusOr<TaskSnapshotPtr>& answer)> on_end;
  };

  // Asks at once. `world` must outlive it.
  Waiter(World* world, Options options);
  ~Waiter();

  void Cancel();
  bool ended() const { return ended_; }

 private:
  void OnAnswer(const absl::StatusOr<TaskSnapshotPtr>& answer);
  void CheckAnswer(const absl::StatusOr<TaskSnapshotPtr>& answer);
  // The server has crashed.
  void Lose();
  void LoseInterest();
  void End(const absl::StatusOr<TaskSnapshotPtr>& answer);

  World* const world_;
  SimulatedServer* const server_;
  const Options options_;
  const absl::Time asked_;
  uint64_t call_id_ = 0;
  bool has_place_ = false;
  bool interested_ = true;
  bool end_asked_ = false;
  bool ended_ = false;
  EventLoop::TimerId cancel_timer_;
  // None once the server has crashed.
  std::unique_ptr<WaitSession> session_;
};

}  // namespace taskwatch::simulation

#endif  // TASKWATCH_TESTS_SIMULATION_CALLERS_H_
