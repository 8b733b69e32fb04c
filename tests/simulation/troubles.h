// What goes wrong in a simulated run, outside of the servers.
#ifndef TASKWATCH_TESTS_SIMULATION_TROUBLES_H_
#define TASKWATCH_TESTS_SIMULATION_TROUBLES_H_

#include "absl/time/time.h"

#include "tests/simulation/random.h"
#include "tests/simulation/simulated_dingtalk.h"
#include "tests/simulation/simulated_disk.h"
#include "tests/simulation/world.h"

namespace taskwatch::simulation {

// Each function begins a trouble of some kind and length. Which are possible in a run is drawn at its beginning.
class Troubles {
 public:
  // All must outlive it. At `month_end`, by DingTalk's clock, the month is over. `month_is_short` says that DingTalk's
  // calls may not last until then.
  Troubles(World* world, SimulatedDingTalk* dingtalk, Random random, absl::Time month_end, bool month_is_short);

  const NetworkMood* network() const { return &network_; }
  const DiskMood* disks() const { return &disks_; }

  // Whether any call of DingTalk's fails in this run.
  bool dingtalk_fails() const { return faults_ != Faults::kNone; }
  // Whether the month's calls may have been used up.
  bool month_used_up() const { return month_used_up_; }

  // By how much the servers' clock has been wrong at most. What was put off to some time of day comes as much later
  // when a clock that is behind is set right.
  absl::Duration clock_error() const { return clock_error_; }

  // DingTalk answers a few calls, or all for a while, as one of its faults says.
  void FailDingTalk();
  // For a while every answer takes seconds, or comes from a replica that lags behind.
  void SlowNetworkDown();
  // For a while the disks are slow or full.
  void FailDisks();
  // Somebody sets the servers' clock.
  void SetClock();

  // From now on nothing goes wrong, and what was wrong is right.
  void CalmDown();

 private:
  enum class Faults { kNone, kPassing, kAll };

  void DrawUsualMood();
  // How long a trouble lasts.
  absl::Duration DrawLength() { return random_.LogBetween(absl::Seconds(1), absl::Minutes(5)); }

  World* const world_;
  SimulatedDingTalk* const dingtalk_;
  Random random_;
  const absl::Time month_end_;
  const bool month_is_short_;
  Faults faults_ = Faults::kNone;
  bool month_used_up_;
  absl::Duration clock_error_;
  // Of the run, when there is no special trouble.
  NetworkMood usual_network_;
  NetworkMood network_;
  DiskMood disks_;
};

}  // namespace taskwatch::simulation

#endif  // TASKWATCH_TESTS_SIMULATION_TROUBLES_H_
