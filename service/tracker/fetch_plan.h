// The fetch of one task that is in flight, and when the next one is due.
#ifndef TASKWATCH_SERVICE_TRACKER_FETCH_PLAN_H_
#define TASKWATCH_SERVICE_TRACKER_FETCH_PLAN_H_

#include <cstdint>

#include "absl/time/time.h"

#include "service/runtime/event_loop.h"

namespace taskwatch {

// One fetch is in flight at a time; they are numbered from 1. The next one is due at the poll time if there are
// watchers, at the retry time if there are gets, and at the earlier of the two if there are both. When the wall clock
// is set back, so are these times: a poll that was to come in a minute does not come an hour later.
//
// Lives on the event loop's thread.
class FetchPlan {
 public:
  // `loop` must outlive it.
  explicit FetchPlan(EventLoop* loop) : loop_(loop) {}
  // Cancels the timer.
  ~FetchPlan() { CancelTimer(); }
  FetchPlan(const FetchPlan&) = delete;
  FetchPlan& operator=(const FetchPlan&) = delete;

  // The next fetch begins now, and the timer is cancelled.
  void Begin();
  // The fetch in flight has been answered.
  void End();
  // The fetch in flight has been given up before it was made.
  void GiveUp() { in_flight_ = false; }

  bool in_flight() const { return in_flight_; }
  // The number of the latest fetch; 0 before the first.
  uint64_t latest() const { return latest_; }
  // When the latest fetch began.
  absl::Time start() const { return start_; }
  // When one was answered last, also for another plan for the same task; the infinite past if none was.
  absl::Time last_answer() const { return last_answer_; }
  void set_last_answer(absl::Time time) {
    KeepTime();
    last_answer_ = time;
  }

  // When watchers want the next poll: the past if at once, the infinite future if never.
  void set_poll_time(absl::Time time) {
    KeepTime();
    poll_time_ = time;
  }
  absl::Time poll_time() const { return poll_time_; }

  // Before which time gets are not to be tried again; the infinite past if they may be at once.
  void set_retry_time(absl::Time time) {
    KeepTime();
    retry_time_ = time;
  }

  // When the next fetch is due, given whether gets wait and whether anybody watches; the infinite future if never.
  absl::Time NextTime(bool gets_wait, bool watched);

  // Runs `callback` at `time`, in place of a timer that was set before.
  void SetTimer(absl::Time time, EventLoop::Callback callback);
  void CancelTimer();
  // Whether the timer is set, and for this time.
  bool TimerIsSetFor(absl::Time time) const { return timer_ && timer_time_ == time; }

 private:
  // Moves the times back if the clock was set back since it was looked at last.
  void KeepTime();

  EventLoop* const loop_;
  // The latest time that was seen.
  absl::Time seen_ = absl::InfinitePast();
  bool in_flight_ = false;
  uint64_t latest_ = 0;
  absl::Time start_;
  absl::Time last_answer_ = absl::InfinitePast();
  absl::Time poll_time_ = absl::InfiniteFuture();
  absl::Time retry_time_ = absl::InfinitePast();
  EventLoop::TimerId timer_;
  absl::Time timer_time_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_TRACKER_FETCH_PLAN_H_
