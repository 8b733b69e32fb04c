#include "service/runtime/simulated_loop.h"

#include <algorithm>
#include <utility>

namespace taskwatch {

EventLoop::TimerId SimulatedLoop::RunAfter(absl::Duration delay, Callback callback) {
  TimerId id;
  id.due = elapsed_ + std::max(delay, absl::ZeroDuration());
  id.sequence = ++last_sequence_;
  timers_.emplace(std::make_pair(id.due, id.sequence), std::move(callback));
  return id;
}

void SimulatedLoop::RunPosted() {
  while (!posted_.empty()) {
    Callback callback = std::move(posted_.front());
    posted_.pop_front();
    callback();
  }
}

void SimulatedLoop::RunFor(absl::Duration duration) {
  const absl::Duration end = elapsed_ + duration;
  RunPosted();
  while (!timers_.empty() && timers_.begin()->first.first <= end) {
    auto timer = timers_.begin();
    elapsed_ = timer->first.first;
    Callback callback = std::move(timer->second);
    timers_.erase(timer);
    callback();
    RunPosted();
  }
  elapsed_ = end;
}

}  // namespace taskwatch
