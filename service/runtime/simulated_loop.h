// An event loop in virtual time: the same code as in production, with no waiting and no threads.
#ifndef TASKWATCH_SERVICE_RUNTIME_SIMULATED_LOOP_H_
#define TASKWATCH_SERVICE_RUNTIME_SIMULATED_LOOP_H_

#include <deque>

#include "absl/container/btree_map.h"
#include "absl/time/time.h"

#include "service/runtime/event_loop.h"

namespace taskwatch {

// Single-threaded: everything, Post included, is called from the test's own thread. Time passes only in RunFor; the
// wall clock may be set, which no timer notices.
class SimulatedLoop final : public EventLoop {
 public:
  explicit SimulatedLoop(absl::Time start = absl::FromUnixSeconds(1'800'000'000)) : start_(start) {}

  absl::Time Now() const override { return SteadyNow() + clock_offset_; }
  void Post(Callback callback) override { posted_.push_back(std::move(callback)); }
  TimerId RunAfter(absl::Duration delay, Callback callback) override;
  bool CancelTimer(TimerId id) override { return timers_.erase({id.due, id.sequence}) > 0; }

  // Runs what has been posted, and what that posts, without letting time pass.
  void RunPosted();

  // Lets `duration` pass, running each timer at its moment.
  void RunFor(absl::Duration duration);

  // Virtual time since the start.
  absl::Duration Elapsed() const { return elapsed_; }
  // What the wall clock would tell if nobody had set it.
  absl::Time SteadyNow() const { return start_ + elapsed_; }

  // Sets the wall clock, as an administrator or NTP does, to `offset` more than SteadyNow; less, if it is negative.
  void SetClock(absl::Duration offset) {
    clock_offset_ = offset;
    ++clock_changes_;
  }
  // How often that was done.
  int clock_changes() const { return clock_changes_; }

  // How many timers are set, for tests of what is left behind.
  size_t TimerCount() const { return timers_.size(); }

 private:
  const absl::Time start_;
  absl::Duration elapsed_ = absl::ZeroDuration();
  absl::Duration clock_offset_ = absl::ZeroDuration();
  int clock_changes_ = 0;
  uint64_t last_sequence_ = 0;
  std::deque<Callback> posted_;
  absl::btree_map<std::pair<absl::Duration, uint64_t>, Callback> timers_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_RUNTIME_SIMULATED_LOOP_H_
