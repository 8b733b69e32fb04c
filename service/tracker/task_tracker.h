// Knows what is known of each task, and sees that DingTalk is asked once for everybody who wants to know more.
#ifndef TASKWATCH_SERVICE_TRACKER_TASK_TRACKER_H_
#define TASKWATCH_SERVICE_TRACKER_TASK_TRACKER_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/node_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "service/runtime/event_loop.h"
#include "service/runtime/lifetime.h"
#include "service/task/finished_tasks.h"
#include "service/task/task_info.h"
#include "service/task/task_source.h"
#include "service/tracker/poll_schedule.h"
#include "service/tracker/progress_history.h"
#include "service/tracker/snapshot_cache.h"

namespace taskwatch {

// One entry per task that somebody waits for or watches: the fetch in flight, the next poll, the waiting gets and the
// watchers. An entry that nobody needs is gone; what it knew stays in the cache. A task that has ended is final: it is
// neither fetched nor changed again.
//
// Retries are decided here and nowhere below: a get is tried a few times, a watched task by its poll schedule.
//
// Lives on the event loop's thread, as do all callbacks. Task ids must be valid (IsValidTaskId).
class TaskTracker {
 public:
  struct Options {
    // Upstream attempts made for one get.
    int max_attempts = 3;
    // The longest pause between two attempts of a get. Errors that ask for a longer one are answered at once.
    absl::Duration max_retry_delay = absl::Seconds(5);
    // How long a task id that DingTalk refused is refused without asking again.
    absl::Duration refusal_memory = absl::Seconds(10);
    // How long transient errors are kept from a task's watchers before they end its watches.
    absl::Duration error_budget = absl::Minutes(2);
    PollLimits poll_limits;
    // Watchers at a time, of all tasks.
    size_t max_watchers = 100'000;
    // For the jitter.
    uint64_t seed = 0;
    // By how much the time between polls is to be stretched so that the month's calls last, at least 1; unset, it is
    // not.
    std::function<double()> slowdown;
    // Where the tasks that have ended are kept beyond the cache and a restart, or null. Must outlive the tracker.
    FinishedTasks* finished_tasks = nullptr;
  };

  // Counters since the start, and gauges.
  struct Stats {
    uint64_t fetches_started = 0;
    uint64_t fetches_failed = 0;
    // Answers that would have changed a task that has ended.
    uint64_t final_states_contradicted = 0;
    // Ends that were not in the cache but among the finished tasks.
    uint64_t recalled = 0;
    size_t entries = 0;
    size_t watchers = 0;
    size_t waiting_gets = 0;
  };

  using GetDone = absl::AnyInvocable<void(absl::StatusOr<TaskSnapshotPtr>)>;
  using GetId = uint64_t;

  // Is told about one task. Owned by whoever subscribes, and outlives the subscription.
  class Subscriber {
   public:
    virtual ~Subscriber() = default;
    // The task is in this state now. If it has ended, so has the subscription. Must not block, nor
    // change anything in the tracker.
    virtual void OnUpdate(const TaskSnapshotPtr& snapshot) = 0;
    // The task cannot be watched any longer. The subscription has ended; no call follows. The tracker may be called.
    virtual void OnError(const absl::Status& error) = 0;
  };
  using WatchId = uint64_t;

  struct WatchStart {
    // Names the subscription; 0 if there is none, because the task has ended.
    WatchId id = 0;
    // What is known, or null.
    TaskSnapshotPtr snapshot;
  };

  // How a watched task is being polled, for heartbeats.
  struct PollState {
    TaskSnapshotPtr snapshot;
    // When the next poll is due; the past if one is under way.
    absl::Time next_poll_time;
    // Why the last poll failed; OK if it did not.
    absl::Status last_error;
  };

  // `loop`, `source` and `cache` must outlive the tracker.
  TaskTracker(EventLoop* loop, TaskSource* source, SnapshotCache* cache, const Options& options);
  ~TaskTracker();

  // Calls `done` once with a snapshot that is final or observed at most `max_staleness` ago; with zero, by a fetch that
  // began after this call. Joins the fetch in flight where that is good enough. At `deadline` it calls `done` with
  // DEADLINE_EXCEEDED. Never calls `done` before returning: an answer that is known already is posted to the loop.
  GetId Get(absl::string_view task_id, absl::Duration max_staleness, absl::Time deadline, GetDone done);

  // Cancels a get: destroys its `done` without calling it. The fetch goes on: it has been paid for. Returns whether
  // the get was still to be answered; if not, it does nothing.
  bool CancelGet(absl::string_view task_id, GetId id);

  // Subscribes to a task and returns what is known of it, in one step. `poll_interval` is a wish. Fails if there are
  // too many watchers or the task id was refused a moment ago.
  absl::StatusOr<WatchStart> Watch(absl::string_view task_id, std::optional<absl::Duration> poll_interval,
                                   Subscriber* subscriber);

  // Ends a subscription: after this returns the subscriber is not called again. Polling stops with the last one. Does
  // nothing for a subscription that has ended.
  void Unwatch(absl::string_view task_id, WatchId id);

  PollState PollStateOf(absl::string_view task_id) const;

  // A random number in [0, 1), from the seed.
  double Jitter() { return std::uniform_real_distribution<double>(0.0, 1.0)(random_); }

  Stats stats() const;

 private:
  struct Waiter {
    // The first fetch of the entry whose answer is new enough.
    uint64_t first_fetch;
    int attempts = 0;
    absl::Time deadline;
    EventLoop::TimerId deadline_timer;
    GetDone done;
  };
  using Waiters = absl::btree_map<GetId, Waiter>;
  struct Watcher {
    Subscriber* subscriber;
    std::optional<absl::Duration> poll_interval;
    // The entry's version that the subscriber was told last.
    uint64_t told_version;
  };
  struct Entry {
    std::string task_id;
    TaskSnapshotPtr snapshot;
    // Counts changes of `snapshot` that watchers must be told of.
    uint64_t version = 0;
    // Counts fetches; the latest one may be in flight.
    uint64_t fetches = 0;
    bool fetching = false;
    absl::Time fetch_start;
    ProgressHistory progress;
    absl::Time next_poll_time = absl::InfiniteFuture();
    absl::Time next_retry_time = absl::InfinitePast();
    EventLoop::TimerId fetch_timer;
    absl::Time fetch_timer_time;
    int consecutive_errors = 0;
    // When the transient errors began of which nothing else has come since; a pause is not counted among them.
    absl::Time transient_since = absl::InfiniteFuture();
    absl::Status last_error;
    // The round in which watchers are told: whether its next slice is posted, the version with which it began, and the
    // watcher that it reached last.
    bool telling = false;
    uint64_t told_round = 0;
    WatchId told_last = 0;
    Waiters waiters;
    absl::btree_map<WatchId, Watcher> watchers;
  };
  struct Refusal {
    absl::Status error;
    absl::Time expiry;
  };
  // Calls to make once the tracker's own state is consistent again.
  using Calls = std::vector<absl::AnyInvocable<void()>>;

  // What answers a get without a fetch: a snapshot, the refusal that is remembered, or nothing.
  std::optional<absl::StatusOr<TaskSnapshotPtr>> KnownAnswer(absl::string_view task_id, absl::Duration max_staleness);
  // Answers a get in the next turn of the loop, unless it is cancelled before.
  void PostAnswer(GetId id, GetDone done, absl::StatusOr<TaskSnapshotPtr> answer);
  // The final snapshot of a task that has left the cache or ended before a restart, back in the cache; else null.
  TaskSnapshotPtr Recall(absl::string_view task_id);
  Entry& EntryOf(absl::string_view task_id);
  const absl::Status* RefusalOf(absl::string_view task_id);
  void StartFetch(Entry& entry);
  // How much the next fetch of `entry` matters.
  static FetchOptions FetchOptionsOf(const Entry& entry);
  void OnFetched(Entry& entry, absl::StatusOr<TaskInfo> result);
  void Observe(Entry& entry, TaskInfo info);
  void AnswerWaiters(Entry& entry, Calls& calls);
  void OnFetchError(Entry& entry, const absl::Status& error, Calls& calls);
  void RetryOrFailWaiters(Entry& entry, const absl::Status& error, Calls& calls);
  void EndWatches(Entry& entry, const absl::Status& error, Calls& calls);
  // Tells the watchers, a slice at a time, so that a large audience holds up neither timers nor transfers.
  void TellWatchers(Entry& entry);
  void PlanNextPoll(Entry& entry);
  // Starts or times the next fetch, or forgets the entry if nobody needs it. The entry may be gone afterwards.
  void Continue(Entry& entry);
  Waiters::iterator RemoveWaiter(Entry& entry, Waiters::iterator waiter);

  EventLoop* const loop_;
  TaskSource* const source_;
  SnapshotCache* const cache_;
  const Options options_;
  std::mt19937_64 random_;
  uint64_t last_id_ = 0;
  size_t watchers_ = 0;
  Stats stats_;
  absl::node_hash_map<std::string, Entry> entries_;
  absl::node_hash_map<std::string, Refusal> refusals_;
  // Gets whose answers are posted.
  absl::flat_hash_map<GetId, GetDone> answered_gets_;
  // For what is posted.
  const Lifetime lifetime_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_TRACKER_TASK_TRACKER_H_
