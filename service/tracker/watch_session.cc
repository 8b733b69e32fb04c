#include "service/tracker/watch_session.h"

#include <utility>

#include "service/task/task_error.h"

namespace taskwatch {
namespace {

// Heartbeats and rotations come early by up to this share, at random, so that watchers that came at the same time do
// not stay in step.
constexpr double kJitterShare = 0.1;

absl::Status RotatedError() {
  ErrorDetails details;
  details.reason = ErrorReason::kStreamRotated;
  details.persistence = Persistence::kTransient;
  details.retry_after = absl::ZeroDuration();
  return MakeError(details, "the stream has reached its maximum age; watch again with the last etag");
}

}  // namespace

WatchSession::WatchSession(EventLoop* loop, TaskTracker* tracker, Sink* sink, Options options)
    : loop_(loop), tracker_(tracker), sink_(sink), options_(std::move(options)), told_etag_(options_.last_etag) {}

WatchSession::~WatchSession() {
  Unsubscribe();
  loop_->CancelTimer(timer_);
  loop_->CancelTimer(age_timer_);
}

void WatchSession::Start() {
  if (ended_ || end_.has_value()) return Pump();
  absl::StatusOr<TaskTracker::WatchStart> start =
      tracker_->Watch(options_.task_id, options_.poll_interval, this, options_.last_etag);
  if (!start.ok()) {
    end_ = start.status();
    return Pump();
  }
  watch_id_ = start->id;
  resuming_ = start->resuming;
  age_timer_ =
      loop_->RunAfter(options_.max_age * (1.0 - kJitterShare * tracker_->Jitter()), [this] { End(RotatedError()); });
  if (start->snapshot != nullptr) OnUpdate(start->snapshot);
  if (!writing_ && !ended_) ArmTimer();
}

void WatchSession::OnUpdate(const TaskSnapshotPtr& snapshot) {
  if (end_.has_value()) return;
  resuming_ = false;
  const bool final = IsDone(snapshot->info.state);
  if (final) watch_id_ = 0;
  if (snapshot->etag != told_etag_ || final) {
    pending_ = snapshot;
  } else {
    // Back to what the watcher has seen last; what came between was never told, and need not be.
    pending_ = nullptr;
    heartbeat_pending_ = !wrote_;
  }
  Pump();
}

void WatchSession::OnError(const absl::Status& error) {
  watch_id_ = 0;
  End(error);
}

void WatchSession::OnWritten(bool ok) {
  writing_ = false;
  if (!ok) {
    pending_ = nullptr;
    if (!end_.has_value()) end_ = absl::CancelledError("the watcher has gone");
  }
  Pump();
  if (!writing_ && !ended_) ArmTimer();
}

void WatchSession::OnCancelled() {
  if (ended_) return;
  pending_ = nullptr;
  heartbeat_pending_ = false;
  end_ = absl::CancelledError("the watcher has gone");
  Unsubscribe();
  Pump();
}

void WatchSession::End(const absl::Status& status) {
  if (ended_ || end_.has_value()) return;
  // A final state on its way ends the stream by itself.
  if (pending_ != nullptr && IsDone(pending_->info.state)) return;
  end_ = status;
  Unsubscribe();
  Pump();
}

void WatchSession::Pump() {
  if (writing_ || ended_) return;
  if (pending_ != nullptr) {
    const TaskSnapshotPtr snapshot = std::exchange(pending_, nullptr);
    heartbeat_pending_ = false;
    if (IsDone(snapshot->info.state)) {
      Close();
      sink_->WriteAndFinish(*snapshot);
      return;
    }
    told_etag_ = snapshot->etag;
    StartWrite();
    sink_->Write(*snapshot);
  } else if (end_.has_value()) {
    Close();
    sink_->Finish(*end_);
  } else if (std::exchange(heartbeat_pending_, false)) {
    WriteHeartbeat();
  }
}

void WatchSession::WriteHeartbeat() {
  const TaskTracker::PollState state = tracker_->PollStateOf(options_.task_id);
  const bool known = state.snapshot != nullptr && !resuming_;
  if (known && state.snapshot->etag != told_etag_) {
    // The news is on its way through a large audience and has not come to this watcher yet.
    pending_ = state.snapshot;
    return Pump();
  }
  Heartbeat heartbeat;
  if (known) {
    heartbeat.etag = told_etag_;
    heartbeat.observe_time = state.snapshot->observe_time;
  }
  heartbeat.next_poll_time = state.next_poll_time;
  heartbeat.last_poll_error = state.last_error;
  StartWrite();
  sink_->Write(heartbeat);
}

void WatchSession::StartWrite() {
  writing_ = true;
  wrote_ = true;
  ArmTimer();
}

void WatchSession::ArmTimer() {
  loop_->CancelTimer(timer_);
  const absl::Duration delay =
      writing_ ? options_.stall_timeout : options_.heartbeat_interval * (1.0 - kJitterShare * tracker_->Jitter());
  timer_ = loop_->RunAfter(delay, [this] { OnTimer(); });
}

void WatchSession::OnTimer() {
  if (writing_) {
    sink_->Abort();
  } else {
    WriteHeartbeat();
  }
}

void WatchSession::Unsubscribe() {
  if (watch_id_ != 0) tracker_->Unwatch(options_.task_id, std::exchange(watch_id_, 0));
}

void WatchSession::Close() {
  ended_ = true;
  Unsubscribe();
  loop_->CancelTimer(timer_);
  loop_->CancelTimer(age_timer_);
}

}  // namespace taskwatch
