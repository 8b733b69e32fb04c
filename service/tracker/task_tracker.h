// Answers gets and tells watchers about tasks, and asks DingTalk once for all of them: a thousand watchers of a task
// cost the calls of one.
#ifndef TASKWATCH_SERVICE_TRACKER_TASK_TRACKER_H_
#define TASKWATCH_SERVICE_TRACKER_TASK_TRACKER_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/node_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "service/pace/error_streak.h"
#include "service/pace/lingering_tasks.h"
#include "service/pace/poll_schedule.h"
#include "service/pace/progress_history.h"
#include "service/pace/recent_etags.h"
#include "service/runtime/event_loop.h"
#include "service/runtime/lifetime.h"
#include "service/task/finished_tasks.h"
#include "service/task/task_error.h"
#include "service/task/task_info.h"
#include "service/task/task_source.h"
#include "service/tracker/audience.h"
#include "service/tracker/fetch_plan.h"
#include "service/tracker/resuming_watchers.h"
#include "service/tracker/snapshot_cache.h"
#include "service/tracker/task_subscriber.h"
#include "service/tracker/waiting_gets.h"

namespace taskwatch {

// Has an entry for each task with waiting gets, watchers or a fetch in flight:
// - FetchPlan: the fetch in flight, and when the next one is due;
// - ErrorStreak: the errors since a fetch last succeeded;
// - WaitingGets: the gets, and which fetch answers which of them;
// - Audience: the watchers, and what each of them was told;
// - ResumingWatchers: those of them to whom nothing older is to be told than they have seen on another server.
// An entry without gets, watchers and fetch is erased. What it knew of the task lingers for a while: the next watcher
// goes on with its poll schedule, so that a stream that is rotated, or a loop of waits, costs what one watch costs:
//
//   10:00:00  a task of one hour is polled, the next poll is due at 10:00:36, the watcher leaves at 10:00:10
//   10:00:20  it comes back: is told the snapshot, the poll comes at 10:00:36
//   10:00:50  had it come back only now, the poll would come at once
//
// A task that nobody asks for is never polled. A task that has ended is final: it is neither fetched nor changed again.
//
// Retries are decided here and nowhere below: a get is tried up to `max_attempts` times, a watched task again and
// again, as its poll schedule says.
//
// Lives on the event loop's thread, as do all callbacks. Task ids must be valid (IsValidTaskId).
class TaskTracker {
 public:
  struct Options {
    // Fetches made for one get.
    int max_attempts = 3;
    // The longest pause between two attempts of a get. Errors that ask for a longer one are answered at once.
    absl::Duration max_retry_delay = absl::Seconds(5);
    // How long a task id that DingTalk refused is refused without asking again.
    absl::Duration refusal_memory = absl::Seconds(10);
    // For how long all fetches of a task must have failed with transient errors before its watches end.
    absl::Duration error_budget = absl::Minutes(2);
    PollLimits poll_limits;
    // For how long, and of how many tasks, it is kept what is known of a task that nobody asks for.
    LingeringTasks::Options lingering;
    // For the jitter.
    uint64_t seed = 0;
    // Returns the factor, at least 1, by which polls are slowed down so that the month's calls last. Unset: 1.
    std::function<double()> slowdown;
    // Where the tasks that have ended are kept beyond the cache and a restart, or null. Must outlive the tracker.
    FinishedTasks* finished_tasks = nullptr;
  };

  // Counters since the start, and gauges.
  struct Stats {
    uint64_t fetches_started = 0;
    uint64_t fetches_failed = 0;
    // Given up before they were made, because nobody waited for them any more.
    uint64_t fetches_cancelled = 0;
    // Answers that differ from the final state that is known.
    uint64_t final_states_contradicted = 0;
    // Final states found in `finished_tasks` and not in the cache.
    uint64_t recalled = 0;
    size_t entries = 0;
    // Tasks without an entry of which more is known than the snapshot.
    size_t lingering = 0;
    size_t watchers = 0;
    size_t waiting_gets = 0;
  };

  using GetDone = absl::AnyInvocable<void(absl::StatusOr<TaskSnapshotPtr>)>;
  using GetId = WaitingGets::GetId;

  using WatchId = Audience::WatchId;

  struct WatchStart {
    // Names the subscription; 0 if there is none, because the task has ended.
    WatchId id = 0;
    // What is known and may be told, or null.
    TaskSnapshotPtr snapshot;
    // Set if a state is known, or on its way, that must not be told, as the watcher may have seen a newer one: OnUpdate
    // tells what the next fetch brings.
    bool resuming = false;
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

  // Calls `done` once with a snapshot that is final or observed at most `max_staleness` ago; with zero, by a fetch that
  // was made after this call. Joins the fetch in flight where that is good enough: with zero, if it still waits for its
  // turn. At `deadline` it calls `done` with DEADLINE_EXCEEDED. Never calls `done` before returning: an answer that is
  // known already is posted to the loop.
  GetId Get(absl::string_view task_id, absl::Duration max_staleness, absl::Time deadline, GetDone done);

  // Cancels a get: destroys its `done` without calling it. Returns whether the get was still to be answered; if not, it
  // does nothing. A fetch that nobody wants any more is given up if it still waits for its turn; one that has been made
  // goes on, since it has been paid for, and what it tells is kept.
  bool CancelGet(absl::string_view task_id, GetId id);

  // Subscribes to a task and returns its latest known state in one step, so that no change falls between the two.
  // `poll_interval` is a hint, clamped to the limits; the shortest one among the watchers counts. Fails if DingTalk
  // refused the task id a moment ago.
  //
  // `last_etag` is that of the last state that the watcher has seen, or empty. If it is none of the task's last eight
  // known here, it may be of a newer state that another server was told. Then the watcher is told what a fetch that is
  // made after this call brings, or what is known should that fail. Such watchers share that fetch, which is a poll,
  // and comes no sooner than the shortest poll interval after the last answer. While polls are put off there is none.
  absl::StatusOr<WatchStart> Watch(absl::string_view task_id, std::optional<absl::Duration> poll_interval,
                                   TaskSubscriber* subscriber, absl::string_view last_etag = "");

  // Ends a subscription: after this returns the subscriber is not called again. Polling stops with the last one, and a
  // fetch is given up as by CancelGet. Does nothing for a subscription that has ended.
  void Unwatch(absl::string_view task_id, WatchId id);

  PollState PollStateOf(absl::string_view task_id) const;

  // A random number in [0, 1), from the seed.
  double Jitter() { return std::uniform_real_distribution<double>(0.0, 1.0)(random_); }

  Stats stats() const;

 private:
  struct Entry {
    Entry(absl::string_view id, EventLoop* loop) : task_id(id), fetch(loop), gets(loop) {}

    const std::string task_id;
    // Whether it has had a watcher, or has lingered.
    bool watched = false;
    // The latest state, or null.
    TaskSnapshotPtr snapshot;
    RecentEtags etags;
    ProgressHistory progress;
    FetchPlan fetch;
    ErrorStreak errors;
    WaitingGets gets;
    Audience audience;
    // The watchers that are held back.
    ResumingWatchers resuming;
  };
  struct Refusal {
    absl::Status error;
    absl::Time expiry;
  };
  // Calls to make once the tracker's own state is consistent again.
  using Calls = std::vector<absl::AnyInvocable<void()>>;

  // The latest snapshot of a task, or null.
  TaskSnapshotPtr Latest(absl::string_view task_id);
  // The final snapshot of a task that has left the cache or ended before a restart, back in the cache; else null.
  TaskSnapshotPtr Recall(absl::string_view task_id);
  // The error with which DingTalk refused the task id a moment ago, or null.
  const absl::Status* RefusalOf(absl::string_view task_id);
  // The answer to a get that needs no fetch, if there is one.
  std::optional<absl::StatusOr<TaskSnapshotPtr>> KnownAnswer(absl::string_view task_id, absl::Duration max_staleness);

  // The entry of a task; a new one if there is none.
  Entry& EntryOf(absl::string_view task_id);
  // To be called whenever gets or watchers may have left, as the last thing that is done with the entry: gives up a
  // fetch that nobody wants any more, and erases the entry if it has no gets, no watchers and no fetch in flight;
  // otherwise sees to its next fetch.
  void Settle(Entry& entry);
  // Erases the entry. What is known of a watched task lingers, and of one that was seen to change. A flood of gets of
  // other tasks must not push that out.
  void Forget(Entry& entry);

  // Decides when the watchers want the next poll.
  void PlanNextPoll(Entry& entry);
  // When it is due: as planned, or sooner for resuming watchers.
  absl::Time NextPollTime(const Entry& entry) const;
  // Starts the next fetch if it is due, or else sets the timer for it. Does nothing while one is in flight.
  void ScheduleFetch(Entry& entry);
  void StartFetch(Entry& entry);
  // How urgent the next fetch of the entry is, or the one in flight has become.
  static FetchOptions FetchOptionsOf(const Entry& entry);

  // Whether a watcher with this etag may have seen a newer state than is known, and a fetch may find out.
  bool MustResume(const Entry& entry, absl::string_view last_etag) const;
  // Lets these watchers be told what is known.
  static void Release(Entry& entry, const std::vector<WatchId>& ids);

  void OnFetched(Entry& entry, absl::StatusOr<TaskInfo> result);
  void OnFetchError(Entry& entry, const absl::Status& error, Calls& calls);
  // Makes the state that was fetched the entry's snapshot.
  void Observe(Entry& entry, TaskInfo info);

  // Calls a get's `done`, unless the get has been cancelled.
  void AnswerGet(GetId id, absl::StatusOr<TaskSnapshotPtr> answer);
  void AnswerGets(const std::vector<GetId>& ids, const absl::StatusOr<TaskSnapshotPtr>& answer, Calls& calls);
  void OnGetDeadline(Entry& entry, GetId id);
  void RetryOrFailGets(Entry& entry, const absl::Status& error, const ErrorDetails& details, Calls& calls);

  // Tells the watchers by `tell` (Tell or TellMore), and posts what comes after it.
  void TellWatchers(Entry& entry, bool (Audience::*tell)(const TaskSnapshotPtr&));
  void EndWatches(Entry& entry, const absl::Status& error, Calls& calls);

  EventLoop* const loop_;
  TaskSource* const source_;
  SnapshotCache* const cache_;
  const Options options_;
  std::mt19937_64 random_;
  // Of gets and watches.
  uint64_t last_id_ = 0;
  // Of all entries.
  size_t watchers_ = 0;
  Stats stats_;
  absl::node_hash_map<std::string, Entry> entries_;
  // Of no task that has an entry.
  LingeringTasks lingering_;
  absl::node_hash_map<std::string, Refusal> refusals_;
  // The gets that have been neither answered nor cancelled.
  absl::flat_hash_map<GetId, GetDone> gets_;
  // For what is posted.
  const Lifetime lifetime_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_TRACKER_TASK_TRACKER_H_
