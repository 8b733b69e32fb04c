#include "client/internal/watch_progress.h"

#include <cstdint>
#include <tuple>

namespace taskwatch::client {
namespace {

std::tuple<int64_t, int32_t> Key(const google::protobuf::Timestamp& time) { return {time.seconds(), time.nanos()}; }

// How far a task is, as far as its content tells: comparable between two states of the same task.
std::tuple<int, int64_t> Advance(const v1::TaskInfo& task) {
  const int rank = task.done() ? 2 : task.state() == v1::TASK_STATE_WAITING ? 0 : 1;
  return {rank, task.succeeded_count() + task.failed_count()};
}

}  // namespace

void WatchProgress::OnStream() {
  caught_up_ = !last_.has_value();
  held_back_.reset();
}

std::optional<v1::TaskInfo> WatchProgress::OnTask(const v1::TaskInfo& task) {
  if (done()) return std::nullopt;
  // A watcher that began with an etag of its own is sent the end in any case, but nothing else twice.
  if (task.etag() == last_etag_ && (last_.has_value() || !task.done())) {
    caught_up_ = true;
    held_back_.reset();
    if (last_.has_value()) *last_->mutable_observe_time() = task.observe_time();
    return std::nullopt;
  }
  const bool first = !caught_up_ && !held_back_.has_value();
  if (first && !task.done() && LooksOlder(task)) {
    held_back_ = task;
    return std::nullopt;
  }
  return Tell(task);
}

std::optional<v1::TaskInfo> WatchProgress::OnHeartbeat(const v1::Heartbeat& heartbeat) {
  if (done()) return std::nullopt;
  if (held_back_.has_value()) {
    const bool confirmed =
        heartbeat.etag() == held_back_->etag() && Key(heartbeat.observe_time()) > Key(held_back_->observe_time());
    if (!confirmed) return std::nullopt;
    v1::TaskInfo task = *held_back_;
    *task.mutable_observe_time() = heartbeat.observe_time();
    return Tell(task);
  }
  // It knows the same state, or none yet: what it says next, it will have polled since.
  if (heartbeat.etag().empty() || heartbeat.etag() == last_etag_) caught_up_ = true;
  if (last_.has_value() && heartbeat.etag() == last_etag_ && heartbeat.has_observe_time()) {
    *last_->mutable_observe_time() = heartbeat.observe_time();
  }
  return std::nullopt;
}

v1::TaskInfo WatchProgress::Tell(const v1::TaskInfo& task) {
  caught_up_ = true;
  held_back_.reset();
  last_etag_ = task.etag();
  last_ = task;
  return task;
}

bool WatchProgress::LooksOlder(const v1::TaskInfo& task) const {
  if (Advance(task) != Advance(*last_)) return Advance(task) < Advance(*last_);
  return Key(task.observe_time()) < Key(last_->observe_time());
}

}  // namespace taskwatch::client
