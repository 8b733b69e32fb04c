#include "client/internal/call_control.h"

#include <utility>

#include "absl/time/clock.h"

namespace taskwatch::client {

void CallControl::Cancel() {
  std::shared_ptr<grpc::ClientContext> attempt;
  std::shared_ptr<grpc::Alarm> pause;
  {
    const absl::MutexLock lock(&mutex_);
    cancelled_ = true;
    attempt = attempt_;
    pause = pause_;
  }
  // Without the lock: gRPC may call back from within.
  if (attempt != nullptr) attempt->TryCancel();
  if (pause != nullptr) pause->Cancel();
}

bool CallControl::cancelled() const {
  const absl::MutexLock lock(&mutex_);
  return cancelled_;
}

void CallControl::SetAttempt(std::shared_ptr<grpc::ClientContext> context) {
  {
    const absl::MutexLock lock(&mutex_);
    attempt_ = context;
    if (!cancelled_) return;
  }
  if (context != nullptr) context->TryCancel();
}

void CallControl::AbandonAttempt() {
  std::shared_ptr<grpc::ClientContext> attempt;
  {
    const absl::MutexLock lock(&mutex_);
    attempt = attempt_;
  }
  if (attempt != nullptr) attempt->TryCancel();
}

void CallControl::SleepUntil(absl::Time time) {
  const absl::MutexLock lock(&mutex_);
  mutex_.AwaitWithDeadline(absl::Condition(&cancelled_), time);
}

void CallControl::PauseUntil(absl::Time time, std::function<void()> then) {
  const auto pause = std::make_shared<grpc::Alarm>();
  {
    const absl::MutexLock lock(&mutex_);
    pause_ = pause;
  }
  pause->Set(absl::ToChronoTime(time), [then = std::move(then)](bool) mutable {
    // Taken out of the alarm, which may be held by what `then` holds.
    const std::function<void()> continuation = std::move(then);
    continuation();
  });
  // A cancellation from before it was set has not reached it.
  if (cancelled()) pause->Cancel();
}

SilenceAlarm::SilenceAlarm(std::shared_ptr<CallControl> control, absl::Duration limit)
    : state_(std::make_shared<State>()) {
  state_->control = std::move(control);
  state_->limit = limit;
  const absl::MutexLock lock(&state_->mutex);
  state_->last_touch = absl::Now();
  Arm(state_);
}

SilenceAlarm::~SilenceAlarm() {
  // Destroyed without the lock: cancelling runs the callback, which takes it.
  std::unique_ptr<grpc::Alarm> alarm;
  const absl::MutexLock lock(&state_->mutex);
  state_->stopped = true;
  alarm = std::move(state_->alarm);
}

void SilenceAlarm::Touch() {
  const absl::MutexLock lock(&state_->mutex);
  state_->last_touch = absl::Now();
}

bool SilenceAlarm::expired() const {
  const absl::MutexLock lock(&state_->mutex);
  return state_->expired;
}

void SilenceAlarm::Arm(const std::shared_ptr<State>& state) {
  state->alarm = std::make_unique<grpc::Alarm>();
  state->alarm->Set(absl::ToChronoTime(state->last_touch + state->limit), [state](bool expired) {
    if (expired) OnAlarm(state);
  });
}

void SilenceAlarm::OnAlarm(const std::shared_ptr<State>& state) {
  {
    const absl::MutexLock lock(&state->mutex);
    if (state->stopped) return;
    if (absl::Now() < state->last_touch + state->limit) return Arm(state);
    state->expired = true;
  }
  state->control->AbandonAttempt();
}

}  // namespace taskwatch::client
