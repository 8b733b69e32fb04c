#include "service/server/time_limit.h"

namespace taskwatch {
namespace {

constexpr int kTicksInLimit = 4;

}  // namespace

TimeLimit::TimeLimit(CompletionThread* thread, absl::Duration limit)
    : thread_(thread), tick_length_(limit / kTicksInLimit) {
  ends_.previous_ = ends_.next_ = &ends_;
}

void TimeLimit::Begin(Wait& wait) {
  wait.began_ = ticks_;
  wait.previous_ = ends_.previous_;
  wait.next_ = &ends_;
  wait.previous_->next_ = &wait;
  ends_.previous_ = &wait;
  if (ticking_) return;
  ticking_ = true;
  thread_->RunAfter(tick_length_, [this] { Tick(); });
}

void TimeLimit::Wait::End() {
  if (next_ == nullptr) return;
  previous_->next_ = next_;
  next_->previous_ = previous_;
  previous_ = next_ = nullptr;
}

void TimeLimit::Tick() {
  ++ticks_;
  while (ends_.next_ != &ends_ && ticks_ - ends_.next_->began_ > kTicksInLimit) {
    Wait& late = *ends_.next_;
    late.End();
    // May destroy it.
    late.expired_();
  }
  ticking_ = ends_.next_ != &ends_;
  if (ticking_) thread_->RunAfter(tick_length_, [this] { Tick(); });
}

}  // namespace taskwatch
