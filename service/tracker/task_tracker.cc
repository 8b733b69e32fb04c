#include "service/tracker/task_tracker.h"

#include <algorithm>
#include <memory>

#include "service/task/priority.h"

namespace taskwatch {
namespace {

constexpr absl::Duration kRetryBase = absl::Milliseconds(250);
constexpr absl::Duration kRetryCap = absl::Seconds(2);
// Refusals remembered at a time; each costs an upstream call, so only an unlimited quota can come near it.
constexpr size_t kMaxRefusals = 10'000;

// Whether an error is about the task id itself, and so the same for every caller.
bool IsRefusal(ErrorReason reason) {
  return reason == ErrorReason::kUpstreamParamError || reason == ErrorReason::kTaskNotFound;
}

bool IsFinal(const TaskSnapshotPtr& snapshot) { return snapshot != nullptr && IsDone(snapshot->info.state); }

// Whether the next attempt may tell a caller more than this one. Of what was not asked the whole server knows when to
// ask again. A malformed answer is a bug of the upstream's, and a certificate that is not trusted is wrong for longer
// than a caller waits: the next one would be as bad, and cost a call.
bool IsWorthRetrying(const ErrorDetails& details) {
  return details.persistence == Persistence::kTransient && !details.not_asked &&
         details.reason != ErrorReason::kUpstreamMalformedResponse && details.reason != ErrorReason::kUpstreamUntrusted;
}

}  // namespace

TaskTracker::TaskTracker(EventLoop* loop, TaskSource* source, SnapshotCache* cache, const Options& options)
    : loop_(loop),
      source_(source),
      cache_(cache),
      options_(options),
      random_(options.seed),
      lingering_(options.lingering) {}

TaskTracker::GetId TaskTracker::Get(absl::string_view task_id, absl::Duration max_staleness, absl::Time deadline,
                                    GetDone done) {
  const GetId id = ++last_id_;
  gets_.emplace(id, std::move(done));
  if (auto answer = KnownAnswer(task_id, max_staleness)) {
    loop_->Post(
        lifetime_.Guard([this, id, answer = *std::move(answer)]() mutable { AnswerGet(id, std::move(answer)); }));
    return id;
  }
  Entry& entry = EntryOf(task_id);
  bool can_join = false;
  if (entry.fetch.in_flight()) {
    FetchOptions options;
    if (entry.audience.empty()) options.deadline = deadline;
    // A fetch that still waits for its turn will be made after this, and so is fresh enough for everybody.
    can_join = source_->Join(task_id, options) || max_staleness > absl::ZeroDuration();
  }
  entry.gets.Add(id, can_join ? entry.fetch.latest() : entry.fetch.latest() + 1, deadline,
                 [this, &entry, id] { OnGetDeadline(entry, id); });
  ScheduleFetch(entry);
  return id;
}

bool TaskTracker::CancelGet(absl::string_view task_id, GetId id) {
  if (gets_.erase(id) == 0) return false;
  const auto entry = entries_.find(task_id);
  if (entry != entries_.end() && entry->second.gets.Remove(id)) Settle(entry->second);
  return true;
}

absl::StatusOr<TaskTracker::WatchStart> TaskTracker::Watch(absl::string_view task_id,
                                                           std::optional<absl::Duration> poll_interval,
                                                           TaskSubscriber* subscriber, absl::string_view last_etag) {
  TaskSnapshotPtr snapshot = Latest(task_id);
  if (IsFinal(snapshot)) return WatchStart{0, std::move(snapshot)};
  if (const absl::Status* refusal = RefusalOf(task_id)) return *refusal;
  Entry& entry = EntryOf(task_id);
  const WatchId id = ++last_id_;
  const bool is_first = entry.audience.empty();
  const std::optional<absl::Duration> wish = entry.audience.ShortestPollInterval();
  if (!entry.audience.Add(id, subscriber, poll_interval)) return WatchStart{0, entry.snapshot};
  ++watchers_;
  entry.watched = true;
  // After an error a wish does not count, and newcomers must not put off the next attempt, nor bring it forward.
  const bool counts = is_first || wish != entry.audience.ShortestPollInterval();
  if (counts && !entry.errors.failing()) PlanNextPoll(entry);
  const bool resuming = MustResume(entry, last_etag);
  // A get's deadline is not the watcher's.
  bool joined = false;
  if (entry.fetch.in_flight() && (is_first || resuming)) joined = source_->Join(task_id, FetchOptionsOf(entry));
  if (resuming) {
    entry.audience.Hold(id);
    entry.resuming.Add(id, joined ? entry.fetch.latest() : entry.fetch.latest() + 1, RecentEtags::KeyOf(last_etag));
  }
  WatchStart start{id, resuming ? nullptr : entry.snapshot, resuming};
  ScheduleFetch(entry);
  return start;
}

void TaskTracker::Unwatch(absl::string_view task_id, WatchId id) {
  const auto found = entries_.find(task_id);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  const std::optional<absl::Duration> wish = entry.audience.ShortestPollInterval();
  if (!entry.audience.Remove(id)) return;
  entry.resuming.Remove(id);
  --watchers_;
  if (wish != entry.audience.ShortestPollInterval() && !entry.errors.failing()) PlanNextPoll(entry);
  Settle(entry);
}

TaskTracker::PollState TaskTracker::PollStateOf(absl::string_view task_id) const {
  const auto found = entries_.find(task_id);
  if (found == entries_.end()) return {};
  const Entry& entry = found->second;
  return {entry.snapshot, entry.fetch.in_flight() ? entry.fetch.start() : NextPollTime(entry),
          entry.errors.last_error()};
}

TaskTracker::Stats TaskTracker::stats() const {
  Stats stats = stats_;
  stats.entries = entries_.size();
  stats.lingering = lingering_.size();
  stats.watchers = watchers_;
  stats.waiting_gets = gets_.size();
  return stats;
}

TaskSnapshotPtr TaskTracker::Latest(absl::string_view task_id) {
  const auto entry = entries_.find(task_id);
  // The cache may have lost it.
  if (entry != entries_.end() && entry->second.snapshot != nullptr) return entry->second.snapshot;
  const LingeringTask* const lingering = lingering_.Find(task_id, loop_->Now());
  if (lingering != nullptr && lingering->snapshot != nullptr) return lingering->snapshot;
  if (TaskSnapshotPtr snapshot = cache_->Find(task_id)) return snapshot;
  // For a task that has an entry it was tried already.
  return entry == entries_.end() ? Recall(task_id) : nullptr;
}

TaskSnapshotPtr TaskTracker::Recall(absl::string_view task_id) {
  if (options_.finished_tasks == nullptr) return nullptr;
  TaskSnapshotPtr snapshot = options_.finished_tasks->Find(task_id);
  if (snapshot == nullptr) return nullptr;
  ++stats_.recalled;
  cache_->Put(snapshot);
  return snapshot;
}

const absl::Status* TaskTracker::RefusalOf(absl::string_view task_id) {
  const auto refusal = refusals_.find(task_id);
  if (refusal == refusals_.end()) return nullptr;
  // More than the whole is left if the clock was set back: nothing is known then of how old it is.
  const absl::Duration left = refusal->second.expiry - loop_->Now();
  if (left > absl::ZeroDuration() && left <= options_.refusal_memory) return &refusal->second.error;
  refusals_.erase(refusal);
  return nullptr;
}

std::optional<absl::StatusOr<TaskSnapshotPtr>> TaskTracker::KnownAnswer(absl::string_view task_id,
                                                                        absl::Duration max_staleness) {
  TaskSnapshotPtr snapshot = Latest(task_id);
  if (snapshot != nullptr && SnapshotCache::IsFresh(*snapshot, max_staleness, loop_->Now())) return snapshot;
  if (max_staleness <= absl::ZeroDuration()) return std::nullopt;
  if (const absl::Status* refusal = RefusalOf(task_id)) return *refusal;
  return std::nullopt;
}

TaskTracker::Entry& TaskTracker::EntryOf(absl::string_view task_id) {
  const auto [found, inserted] = entries_.try_emplace(task_id, task_id, loop_);
  Entry& entry = found->second;
  if (!inserted) return entry;
  const absl::Time now = loop_->Now();
  if (std::optional<LingeringTask> task = lingering_.Take(task_id, now)) {
    entry.watched = true;
    entry.snapshot = std::move(task->snapshot);
    entry.etags = task->etags;
    entry.progress = task->progress;
    entry.errors = std::move(task->errors);
    // Nobody has found out meanwhile whether the trouble was over.
    if (now > task->poll_time) entry.errors.RestartBudget();
    entry.fetch.set_poll_time(task->poll_time);
    entry.fetch.set_last_answer(task->last_answer);
    return entry;
  }
  entry.snapshot = cache_->Find(task_id);
  if (entry.snapshot == nullptr) return entry;
  entry.etags.Add(RecentEtags::KeyOf(entry.snapshot->etag));
  entry.progress = ProgressHistory(*entry.snapshot);
  entry.fetch.set_last_answer(entry.snapshot->observe_time);
  return entry;
}

void TaskTracker::Settle(Entry& entry) {
  if (!entry.gets.empty() || !entry.audience.empty()) return ScheduleFetch(entry);
  if (entry.fetch.in_flight()) {
    if (!source_->Cancel(entry.task_id)) return;
    entry.fetch.GiveUp();
    ++stats_.fetches_cancelled;
  }
  Forget(entry);
}

void TaskTracker::Forget(Entry& entry) {
  // The snapshot is in the cache, with its etag: gets need no more.
  const bool worth_it =
      entry.etags.size() > 1 || (entry.watched && (entry.snapshot != nullptr || entry.errors.failing()));
  if (worth_it && !IsFinal(entry.snapshot)) {
    LingeringTask task;
    task.snapshot = std::move(entry.snapshot);
    task.etags = entry.etags;
    task.progress = entry.progress;
    task.errors = std::move(entry.errors);
    task.poll_time = entry.fetch.poll_time();
    task.last_answer = entry.fetch.last_answer();
    lingering_.Add(entry.task_id, std::move(task), loop_->Now());
  }
  entries_.erase(entry.task_id);
}

void TaskTracker::PlanNextPoll(Entry& entry) {
  if (IsFinal(entry.snapshot)) return entry.fetch.set_poll_time(absl::InfiniteFuture());
  const bool failing = entry.errors.failing();
  // Planned when somebody watches again.
  if (entry.audience.empty() && !failing) return;
  if (entry.snapshot == nullptr && !failing) return entry.fetch.set_poll_time(absl::InfinitePast());
  PollConditions conditions;
  conditions.consecutive_errors = entry.errors.length();
  conditions.put_off = entry.errors.put_off();
  conditions.retry_after = entry.errors.retry_after();
  conditions.hint = entry.audience.ShortestPollInterval();
  if (options_.slowdown) conditions.slowdown = options_.slowdown();
  const absl::Time now = loop_->Now();
  const absl::Time last_poll = failing ? now : std::min(now, entry.snapshot->observe_time);
  entry.fetch.set_poll_time(last_poll + NextPollDelay(entry.progress, conditions, options_.poll_limits, Jitter()));
}

absl::Time TaskTracker::NextPollTime(const Entry& entry) const {
  const absl::Time planned = entry.fetch.poll_time();
  if (entry.resuming.empty()) return planned;
  const absl::Time last = entry.fetch.last_answer();
  // If the clock was set back, nobody knows how long ago that was.
  if (last > loop_->Now()) return loop_->Now();
  return std::min(planned, last + options_.poll_limits.min_interval);
}

bool TaskTracker::MustResume(const Entry& entry, absl::string_view last_etag) const {
  if (last_etag.empty()) return false;
  // The first answer may be to a call that was made before the watcher came.
  if (entry.snapshot == nullptr) return entry.fetch.in_flight();
  // To ask now would be of no use.
  if (entry.errors.put_off() || entry.errors.retry_after().has_value()) return false;
  return !entry.etags.Contains(RecentEtags::KeyOf(last_etag));
}

void TaskTracker::Release(Entry& entry, const std::vector<WatchId>& ids) {
  for (const WatchId id : ids) entry.audience.Release(id);
}

void TaskTracker::ScheduleFetch(Entry& entry) {
  if (entry.fetch.in_flight()) return;
  absl::Time next = entry.fetch.NextTime(!entry.gets.empty(), !entry.audience.empty());
  if (!entry.audience.empty()) next = std::min(next, NextPollTime(entry));
  if (entry.fetch.TimerIsSetFor(next)) return;
  entry.fetch.CancelTimer();
  if (next == absl::InfiniteFuture()) return;
  if (next <= loop_->Now()) return StartFetch(entry);
  entry.fetch.SetTimer(next, [this, &entry] { StartFetch(entry); });
}

void TaskTracker::StartFetch(Entry& entry) {
  entry.fetch.Begin();
  ++stats_.fetches_started;
  // An entry is never forgotten while a fetch of it is in flight.
  source_->Fetch(entry.task_id, FetchOptionsOf(entry),
                 [this, &entry](absl::StatusOr<TaskInfo> result) { OnFetched(entry, std::move(result)); });
}

FetchOptions TaskTracker::FetchOptionsOf(const Entry& entry) {
  FetchOptions options;
  // The watchers of a task of which nothing is known are waiting as well.
  if (entry.gets.empty() && entry.snapshot != nullptr) options.priority = Priority::kPoll;
  if (entry.audience.empty()) options.deadline = entry.gets.LatestDeadline();
  return options;
}

void TaskTracker::OnFetched(Entry& entry, absl::StatusOr<TaskInfo> result) {
  Calls calls;
  entry.fetch.End();
  if (result.ok()) {
    entry.errors.Reset();
    entry.fetch.set_retry_time(absl::InfinitePast());
    Observe(entry, *std::move(result));
    const bool final = IsDone(entry.snapshot->info.state);
    Release(entry, entry.resuming.RemoveAnswered(entry.fetch.latest(), entry.etags));
    AnswerGets(final ? entry.gets.RemoveAll() : entry.gets.RemoveAnswered(entry.fetch.latest()), entry.snapshot, calls);
  } else {
    ++stats_.fetches_failed;
    OnFetchError(entry, result.status(), calls);
  }
  PlanNextPoll(entry);
  TellWatchers(entry, &Audience::Tell);
  Settle(entry);
  for (auto& call : calls) call();
}

void TaskTracker::OnFetchError(Entry& entry, const absl::Status& error, Calls& calls) {
  const absl::Time now = loop_->Now();
  ErrorDetails details = DetailsOf(error);
  details.persistence = entry.errors.Add(error, details, now);
  if (IsRefusal(details.reason)) {
    if (refusals_.size() >= kMaxRefusals) refusals_.clear();
    refusals_[entry.task_id] = Refusal{error, now + options_.refusal_memory};
  }
  RetryOrFailGets(entry, error, details, calls);
  // They hear of the newest that can be had. If gets go on at once, that is what they bring.
  const bool goes_on = details.reason == ErrorReason::kPollDeferred && !entry.gets.empty();
  if (!goes_on) Release(entry, entry.resuming.RemoveAll());
  const bool budget_spent =
      details.persistence == Persistence::kTransient && entry.errors.TransientFor(now) >= options_.error_budget;
  if (details.persistence == Persistence::kPermanent || budget_spent) EndWatches(entry, error, calls);
  // The next watcher asks anew: somebody may have changed something.
  if (details.persistence == Persistence::kPermanent) entry.errors.Reset();
  if (budget_spent) entry.errors.RestartBudget();
}

void TaskTracker::Observe(Entry& entry, TaskInfo info) {
  const absl::Time now = loop_->Now();
  const TaskSnapshotPtr known = IsFinal(entry.snapshot) ? entry.snapshot : cache_->Find(entry.task_id);
  if (IsFinal(known)) {
    if (known->info != info) ++stats_.final_states_contradicted;
    if (entry.snapshot != known) entry.audience.NoteChange();
    entry.snapshot = known;
    return;
  }
  entry.progress.Observe(now, info);
  auto snapshot = std::make_shared<TaskSnapshot>();
  snapshot->etag = EtagOf(info);
  snapshot->info = std::move(info);
  snapshot->observe_time = now;
  const bool changed = entry.snapshot == nullptr || entry.snapshot->etag != snapshot->etag;
  snapshot->change_time = changed ? now : entry.snapshot->change_time;
  snapshot->first_observe_time = entry.snapshot == nullptr ? now : entry.snapshot->first_observe_time;
  if (changed) entry.audience.NoteChange();
  entry.etags.Add(RecentEtags::KeyOf(snapshot->etag));
  entry.snapshot = std::move(snapshot);
  cache_->Put(entry.snapshot);
  if (options_.finished_tasks != nullptr && IsDone(entry.snapshot->info.state)) {
    options_.finished_tasks->Put(entry.snapshot);
  }
}

void TaskTracker::AnswerGet(GetId id, absl::StatusOr<TaskSnapshotPtr> answer) {
  auto get = gets_.extract(id);
  if (!get.empty()) get.mapped()(std::move(answer));
}

void TaskTracker::AnswerGets(const std::vector<GetId>& ids, const absl::StatusOr<TaskSnapshotPtr>& answer,
                             Calls& calls) {
  for (const GetId id : ids) calls.push_back([this, id, answer] { AnswerGet(id, answer); });
}

void TaskTracker::OnGetDeadline(Entry& entry, GetId id) {
  entry.gets.Remove(id);
  Settle(entry);
  AnswerGet(id, absl::DeadlineExceededError("DingTalk did not answer before the caller's deadline"));
}

void TaskTracker::RetryOrFailGets(Entry& entry, const absl::Status& error, const ErrorDetails& details, Calls& calls) {
  // Only polls are deferred: the gets that had joined this one get a fetch of their own at once.
  if (details.reason == ErrorReason::kPollDeferred) return entry.fetch.set_retry_time(absl::InfinitePast());
  const absl::Time now = loop_->Now();
  const absl::Duration delay = std::max(FullJitterBackoff(entry.errors.length() - 1, kRetryBase, kRetryCap, Jitter()),
                                        details.retry_after.value_or(absl::ZeroDuration()));
  const bool worth_retrying = IsWorthRetrying(details) && delay <= options_.max_retry_delay;
  std::optional<WaitingGets::Retry> retry;
  if (worth_retrying) {
    // The next attempt will take about as long as the last one did.
    retry.emplace().next_answer = now + delay + (now - entry.fetch.start());
    // An attempt that was refused for the rate has cost nothing, so it does not count: a get goes on until its
    // deadline, or until the error budget is spent.
    const bool attempt_counts =
        details.reason != ErrorReason::kUpstreamRateLimited || entry.errors.TransientFor(now) >= options_.error_budget;
    if (attempt_counts) retry->max_attempts = options_.max_attempts;
  }
  AnswerGets(entry.gets.RemoveFailed(entry.fetch.latest(), retry), error, calls);
  entry.fetch.set_retry_time(worth_retrying ? now + delay : absl::InfinitePast());
}

void TaskTracker::TellWatchers(Entry& entry, bool (Audience::*tell)(const TaskSnapshotPtr&)) {
  if (entry.snapshot == nullptr) return;
  const size_t before = entry.audience.size();
  const bool more = (entry.audience.*tell)(entry.snapshot);
  watchers_ -= before - entry.audience.size();
  if (!more) return;
  loop_->Post(lifetime_.Guard([this, task_id = entry.task_id] {
    const auto found = entries_.find(task_id);
    if (found == entries_.end()) return;
    TellWatchers(found->second, &Audience::TellMore);
    Settle(found->second);
  }));
}

void TaskTracker::EndWatches(Entry& entry, const absl::Status& error, Calls& calls) {
  for (TaskSubscriber* const subscriber : entry.audience.RemoveAll()) {
    --watchers_;
    calls.push_back([subscriber, error] { subscriber->OnError(error); });
  }
}

}  // namespace taskwatch
