#include "service/tracker/fetch_plan.h"

#include <algorithm>
#include <utility>

namespace taskwatch {

void FetchPlan::Begin() {
  CancelTimer();
  in_flight_ = true;
  start_ = loop_->Now();
  ++latest_;
}

void FetchPlan::End() {
  KeepTime();
  in_flight_ = false;
  last_answer_ = loop_->Now();
}

void FetchPlan::KeepTime() {
  const absl::Time now = loop_->Now();
  if (const absl::Duration back = seen_ - now; back > absl::ZeroDuration()) {
    poll_time_ -= back;
    retry_time_ -= back;
    timer_time_ -= back;
    last_answer_ -= back;
  }
  seen_ = now;
}

absl::Time FetchPlan::NextTime(bool gets_wait, bool watched) {
  KeepTime();
  return std::min(gets_wait ? retry_time_ : absl::InfiniteFuture(), watched ? poll_time_ : absl::InfiniteFuture());
}

void FetchPlan::SetTimer(absl::Time time, EventLoop::Callback callback) {
  CancelTimer();
  KeepTime();
  timer_time_ = time;
  timer_ = loop_->RunAfter(time - loop_->Now(), std::move(callback));
}

void FetchPlan::CancelTimer() {
  loop_->CancelTimer(timer_);
  timer_ = {};
}

}  // namespace taskwatch
