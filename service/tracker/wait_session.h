// One WaitTask call, without gRPC: what it is answered with, and when.
#ifndef TASKWATCH_SERVICE_TRACKER_WAIT_SESSION_H_
#define TASKWATCH_SERVICE_TRACKER_WAIT_SESSION_H_

#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "service/runtime/event_loop.h"
#include "service/task/task_info.h"
#include "service/tracker/task_subscriber.h"
#include "service/tracker/task_tracker.h"

namespace taskwatch {

// Subscribes to the task as a watcher does, and answers once:
// - with the final state, as soon as it is known;
// - with any state whose etag differs from `last_etag`, if one was given; it is no older than that one's, as far as
// this
//   server can find out (TaskTracker::Watch);
// - with the latest state when `timeout` has passed; if none is known then, with the error of the last poll, or with
//   DEADLINE_EXCEEDED if DingTalk has not answered at all;
// - with an error that ends the watch (the task does not exist, say), or the status given to End.
//
// Lives on the event loop's thread.
class WaitSession final : private TaskSubscriber {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<TaskSnapshotPtr>)>;

  struct Options {
    std::string task_id;
    std::string last_etag;
    absl::Duration timeout = absl::Minutes(1);
  };

  // Both must outlive the session.
  WaitSession(EventLoop* loop, TaskTracker* tracker, Options options, Done done);
  // If there was no answer yet, `done` is destroyed without being called.
  ~WaitSession() override;

  // To be called once. Calls `done` exactly once, never before returning, and as the last thing that the session does:
  // `done` may destroy it.
  void Start();

  // Calls `done` before returning unless it has been called: with `status`, or with an answer that was on its way.
  void End(const absl::Status& status);

 private:
  void OnUpdate(const TaskSnapshotPtr& snapshot) override;
  void OnError(const absl::Status& error) override;

  // Whether `snapshot` answers the call before its time is up.
  bool Answers(const TaskSnapshot& snapshot) const;
  void OnTimeout();
  // Answers in the next turn of the loop.
  void AnswerSoon(absl::StatusOr<TaskSnapshotPtr> answer);
  void Answer(absl::StatusOr<TaskSnapshotPtr> answer);

  EventLoop* const loop_;
  TaskTracker* const tracker_;
  const Options options_;
  Done done_;
  TaskTracker::WatchId watch_id_ = 0;
  // Set by AnswerSoon.
  std::optional<absl::StatusOr<TaskSnapshotPtr>> answer_;
  // Runs at the timeout, or at once when `answer_` is set.
  EventLoop::TimerId timer_;
  bool answered_ = false;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_TRACKER_WAIT_SESSION_H_
