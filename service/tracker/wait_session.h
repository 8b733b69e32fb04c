// One caller's wait for a task: the contract of WaitTask without its transport.
#ifndef TASKWATCH_SERVICE_TRACKER_WAIT_SESSION_H_
#define TASKWATCH_SERVICE_TRACKER_WAIT_SESSION_H_

#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "service/runtime/event_loop.h"
#include "service/task/task_info.h"
#include "service/tracker/task_tracker.h"

namespace taskwatch {

// Subscribes to the task like any watcher, and answers once: with the final state; with any state whose etag is not the
// caller's, if it gave one; or with the latest state when the time is up. If no state could be had until then, with
// why.
//
// Lives on the event loop's thread.
class WaitSession final : private TaskTracker::Subscriber {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<TaskSnapshotPtr>)>;

  struct Options {
    std::string task_id;
    std::string last_etag;
    absl::Duration timeout = absl::Minutes(1);
  };

  // Both must outlive the session.
  WaitSession(EventLoop* loop, TaskTracker* tracker, Options options, Done done);
  // Without an answer if there was none yet.
  ~WaitSession() override;

  // To be called once. `done` is called exactly once, as the last thing that the session does, possibly before
  // returning; it may destroy the session once Start has returned.
  void Start();

  // Answers now, with the error `status` unless what is waited for has just come.
  void End(const absl::Status& status);

 private:
  void OnUpdate(const TaskSnapshotPtr& snapshot) override;
  void OnError(const absl::Status& error) override;

  bool IsWaitedFor(const TaskSnapshot& snapshot) const;
  void OnTimeout();
  void Answer(absl::StatusOr<TaskSnapshotPtr> answer);

  EventLoop* const loop_;
  TaskTracker* const tracker_;
  const Options options_;
  Done done_;
  TaskTracker::WatchId watch_id_ = 0;
  // What is waited for has come; the answer follows in a moment, when the tracker may be called again.
  TaskSnapshotPtr found_;
  EventLoop::TimerId timer_;
  bool answered_ = false;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_TRACKER_WAIT_SESSION_H_
