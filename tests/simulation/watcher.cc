#include "tests/simulation/watcher.h"

#include <utility>

#include "service/task/task_error.h"

namespace taskwatch::simulation {

Watcher::Watcher(World* world, Random random, Options options)
    : world_(world), random_(random), options_(std::move(options)) {
  OpenIn(options_.arrival);
}

Watcher::~Watcher() {
  world_->loop->CancelTimer(open_timer_);
  world_->loop->CancelTimer(cancel_timer_);
}

void Watcher::Leave() {
  left_ = true;
  world_->loop->CancelTimer(open_timer_);
  if (stream_ != nullptr) stream_->Cancel();
}

void Watcher::OpenIn(absl::Duration delay) {
  open_timer_ = world_->loop->RunAfter(delay, [this] { Open(); });
}

void Watcher::Open() {
  WatchSession::Options session = options_.session;
  // Some clients do not care to say what they know.
  if (!random_.Chance(0.1)) session.last_etag = etag_;
  ++world_->started;
  stream_ = std::make_unique<WatchStream>(world_->loop, world_->journal, world_->server, &random_, options_.name,
                                          std::move(session), &options_.habit,
                                          [this](const WatchStream::Result& result) { OnEnd(result); });
  stream_->Open();
  world_->loop->CancelTimer(cancel_timer_);
  if (random_.Chance(options_.restless)) {
    cancel_timer_ = world_->loop->RunAfter(random_.LogBetween(absl::Milliseconds(1), absl::Minutes(5)), [this] {
      if (!world_->calm && stream_ != nullptr) stream_->Cancel();
    });
  }
}

void Watcher::OnEnd(const WatchStream::Result& result) {
  ++world_->finished;
  etag_ = result.etag;
  stream_.reset();
  world_->loop->CancelTimer(cancel_timer_);
  if (result.status.ok()) {
    saw_the_end_ = true;
    return;
  }
  const bool enough = !options_.patient && random_.Chance(0.5);
  if (left_ || enough) return;
  switch (ReasonOf(result.status)) {
    case ErrorReason::kNone:
    case ErrorReason::kServerDraining:
    case ErrorReason::kStreamRotated:
      OpenIn(random_.Between(absl::ZeroDuration(), absl::Seconds(3)));
      return;
    default:
      OpenIn(random_.Between(absl::Seconds(1), absl::Seconds(30)));
  }
}

}  // namespace taskwatch::simulation
