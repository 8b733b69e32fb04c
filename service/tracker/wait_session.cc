#include "service/tracker/wait_session.h"

#include <utility>

namespace taskwatch {

WaitSession::WaitSession(EventLoop* loop, TaskTracker* tracker, Options options, Done done)
    : loop_(loop), tracker_(tracker), options_(std::move(options)), done_(std::move(done)) {}

WaitSession::~WaitSession() {
  if (watch_id_ != 0) tracker_->Unwatch(options_.task_id, watch_id_);
  loop_->CancelTimer(timer_);
}

void WaitSession::Start() {
  absl::StatusOr<TaskTracker::WatchStart> start =
      tracker_->Watch(options_.task_id, std::nullopt, this, options_.last_etag);
  if (!start.ok()) return AnswerSoon(start.status());
  watch_id_ = start->id;
  if (start->snapshot != nullptr && Answers(*start->snapshot)) return AnswerSoon(std::move(start->snapshot));
  timer_ = loop_->RunAfter(options_.timeout, [this] { OnTimeout(); });
}

void WaitSession::End(const absl::Status& status) { Answer(answer_.has_value() ? *std::move(answer_) : status); }

bool WaitSession::Answers(const TaskSnapshot& snapshot) const {
  return IsDone(snapshot.info.state) || (!options_.last_etag.empty() && snapshot.etag != options_.last_etag);
}

void WaitSession::OnUpdate(const TaskSnapshotPtr& snapshot) {
  if (IsDone(snapshot->info.state)) watch_id_ = 0;
  // The tracker must not be called from here, and so not be told that the watch is over.
  if (Answers(*snapshot)) AnswerSoon(snapshot);
}

void WaitSession::OnError(const absl::Status& error) {
  watch_id_ = 0;
  End(error);
}

void WaitSession::OnTimeout() {
  const TaskTracker::PollState state = tracker_->PollStateOf(options_.task_id);
  if (state.snapshot != nullptr) return Answer(state.snapshot);
  if (!state.last_error.ok()) return Answer(state.last_error);
  Answer(absl::DeadlineExceededError("DingTalk has not answered yet, so nothing is known of the task"));
}

void WaitSession::AnswerSoon(absl::StatusOr<TaskSnapshotPtr> answer) {
  answer_ = std::move(answer);
  loop_->CancelTimer(timer_);
  timer_ = loop_->RunAfter(absl::ZeroDuration(), [this] { Answer(*std::move(answer_)); });
}

void WaitSession::Answer(absl::StatusOr<TaskSnapshotPtr> answer) {
  if (std::exchange(answered_, true)) return;
  loop_->CancelTimer(timer_);
  if (watch_id_ != 0) tracker_->Unwatch(options_.task_id, std::exchange(watch_id_, 0));
  Done done = std::move(done_);
  done(std::move(answer));
}

}  // namespace taskwatch
