#include "tests/simulation/wait_loop.h"

#include <utility>

namespace taskwatch::simulation {

WaitLoop::WaitLoop(World* world, std::string name, std::string task_id)
    : world_(world), name_(std::move(name)), task_id_(std::move(task_id)) {
  Wait();
}

WaitLoop::~WaitLoop() { world_->loop->CancelTimer(timer_); }

void WaitLoop::Leave() {
  left_ = true;
  world_->loop->CancelTimer(timer_);
  if (waiter_ != nullptr) waiter_->Cancel();
}

void WaitLoop::Wait() {
  world_->journal->Count("waits in a loop");
  Waiter::Options options;
  options.name = name_;
  options.session.task_id = task_id_;
  options.session.timeout = absl::Minutes(1);
  options.session.last_etag = etag_;
  options.on_end = [this](const absl::StatusOr<TaskSnapshotPtr>& answer) { OnEnd(answer); };
  waiter_ = std::make_unique<Waiter>(world_, std::move(options));
}

void WaitLoop::OnEnd(const absl::StatusOr<TaskSnapshotPtr>& answer) {
  if (answer.ok() && IsDone((*answer)->info.state)) return;
  if (answer.ok()) etag_ = (*answer)->etag;
  if (left_ || world_->calm) return;
  timer_ = world_->loop->RunAfter(answer.ok() ? absl::ZeroDuration() : absl::Seconds(1), [this] { Wait(); });
}

}  // namespace taskwatch::simulation
