#include "service/tracker/task_tracker.h"

#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"

#include "service/task/priority.h"
#include "service/task/task_error.h"

namespace taskwatch {
namespace {

constexpr absl::Duration kRetryBase = absl::Milliseconds(250);
constexpr absl::Duration kRetryCap = absl::Seconds(2);
// Watchers told before timers and transfers get their turn again.
constexpr size_t kSlice = 256;
// Refusals remembered at a time; each costs an upstream call, so only an unlimited quota can come near it.
constexpr size_t kMaxRefusals = 10'000;

// Whether an error is about the task id itself, and so the same for everybody who asks for it.
bool IsRefusal(ErrorReason reason) {
  return reason == ErrorReason::kUpstreamParamError || reason == ErrorReason::kTaskNotFound;
}

}  // namespace

TaskTracker::TaskTracker(EventLoop* loop, TaskSource* source, SnapshotCache* cache, const Options& options)
    : loop_(loop), source_(source), cache_(cache), options_(options), random_(options.seed) {}

TaskTracker::~TaskTracker() {
  for (auto& [task_id, entry] : entries_) {
    loop_->CancelTimer(entry.fetch_timer);
    for (auto& [id, waiter] : entry.waiters) loop_->CancelTimer(waiter.deadline_timer);
  }
}

TaskTracker::GetId TaskTracker::Get(absl::string_view task_id, absl::Duration max_staleness, absl::Time deadline,
                                    GetDone done) {
  const GetId id = ++last_id_;
  if (auto answer = KnownAnswer(task_id, max_staleness)) {
    PostAnswer(id, std::move(done), *std::move(answer));
    return id;
  }
  const bool must_be_new = max_staleness <= absl::ZeroDuration();
  Entry& entry = EntryOf(task_id);
  Waiter& waiter = entry.waiters[id];
  waiter.first_fetch = entry.fetching && !must_be_new ? entry.fetches : entry.fetches + 1;
  waiter.deadline = deadline;
  waiter.done = std::move(done);
  if (deadline != absl::InfiniteFuture()) {
    waiter.deadline_timer = loop_->RunAfter(deadline - loop_->Now(), [this, &entry, id] {
      const auto late = entry.waiters.find(id);
      GetDone done = std::move(late->second.done);
      RemoveWaiter(entry, late);
      Continue(entry);
      done(absl::DeadlineExceededError("DingTalk did not answer before the caller's deadline"));
    });
  }
  ++stats_.waiting_gets;
  if (entry.fetching) {
    const absl::Time latest = entry.watchers.empty() ? deadline : absl::InfiniteFuture();
    source_->Join(task_id, {Priority::kCaller, latest});
  }
  Continue(entry);
  return id;
}

bool TaskTracker::CancelGet(absl::string_view task_id, GetId id) {
  if (answered_gets_.erase(id) > 0) return true;
  const auto entry = entries_.find(task_id);
  if (entry == entries_.end()) return false;
  const auto waiter = entry->second.waiters.find(id);
  if (waiter == entry->second.waiters.end()) return false;
  RemoveWaiter(entry->second, waiter);
  Continue(entry->second);
  return true;
}

absl::StatusOr<TaskTracker::WatchStart> TaskTracker::Watch(absl::string_view task_id,
                                                           std::optional<absl::Duration> poll_interval,
                                                           Subscriber* subscriber) {
  TaskSnapshotPtr snapshot = cache_->Find(task_id);
  if (snapshot == nullptr) snapshot = Recall(task_id);
  if (snapshot != nullptr && IsDone(snapshot->info.state)) return WatchStart{0, std::move(snapshot)};
  if (const absl::Status* refusal = RefusalOf(task_id)) return *refusal;
  if (watchers_ >= options_.max_watchers) {
    ErrorDetails details;
    details.reason = ErrorReason::kTooManyWatchers;
    details.persistence = Persistence::kTransient;
    details.retry_after = absl::Seconds(5);
    return MakeError(details, absl::StrCat("this server watches for ", watchers_,
                                           " callers already, which is all that it may; try another one, or later"));
  }
  Entry& entry = EntryOf(task_id);
  const WatchId id = ++last_id_;
  entry.watchers[id] = Watcher{subscriber, poll_interval, entry.version};
  ++watchers_;
  // After an error a wish does not count, and newcomers must not put off the next attempt, nor bring it forward.
  const bool wish_counts = poll_interval.has_value() && entry.consecutive_errors == 0;
  if (entry.watchers.size() == 1 || wish_counts) PlanNextPoll(entry);
  WatchStart start{id, entry.snapshot};
  // A get's deadline is not the watcher's.
  if (entry.fetching && entry.watchers.size() == 1) source_->Join(task_id, FetchOptionsOf(entry));
  Continue(entry);
  return start;
}

void TaskTracker::Unwatch(absl::string_view task_id, WatchId id) {
  const auto entry = entries_.find(task_id);
  if (entry == entries_.end() || entry->second.watchers.erase(id) == 0) return;
  --watchers_;
  Continue(entry->second);
}

TaskTracker::PollState TaskTracker::PollStateOf(absl::string_view task_id) const {
  const auto entry = entries_.find(task_id);
  if (entry == entries_.end()) return {};
  const Entry& found = entry->second;
  return {found.snapshot, found.fetching ? found.fetch_start : found.next_poll_time, found.last_error};
}

TaskTracker::Stats TaskTracker::stats() const {
  Stats stats = stats_;
  stats.entries = entries_.size();
  stats.watchers = watchers_;
  stats.waiting_gets += answered_gets_.size();
  return stats;
}

std::optional<absl::StatusOr<TaskSnapshotPtr>> TaskTracker::KnownAnswer(absl::string_view task_id,
                                                                        absl::Duration max_staleness) {
  TaskSnapshotPtr snapshot = cache_->FindFresh(task_id, max_staleness, loop_->Now());
  if (snapshot == nullptr) snapshot = Recall(task_id);
  if (snapshot != nullptr) return snapshot;
  if (max_staleness <= absl::ZeroDuration()) return std::nullopt;
  if (const absl::Status* refusal = RefusalOf(task_id)) return *refusal;
  return std::nullopt;
}

void TaskTracker::PostAnswer(GetId id, GetDone done, absl::StatusOr<TaskSnapshotPtr> answer) {
  answered_gets_.emplace(id, std::move(done));
  loop_->Post(lifetime_.Guard([this, id, answer = std::move(answer)]() mutable {
    auto get = answered_gets_.extract(id);
    if (!get.empty()) get.mapped()(std::move(answer));
  }));
}

TaskSnapshotPtr TaskTracker::Recall(absl::string_view task_id) {
  // For a task that has an entry it was tried already.
  if (options_.finished_tasks == nullptr || entries_.contains(task_id)) return nullptr;
  if (cache_->Find(task_id) != nullptr) return nullptr;
  TaskSnapshotPtr snapshot = options_.finished_tasks->Find(task_id);
  if (snapshot == nullptr) return nullptr;
  ++stats_.recalled;
  cache_->Put(snapshot);
  return snapshot;
}

TaskTracker::Entry& TaskTracker::EntryOf(absl::string_view task_id) {
  const auto [entry, inserted] = entries_.try_emplace(std::string(task_id));
  if (inserted) {
    entry->second.task_id = entry->first;
    entry->second.snapshot = cache_->Find(task_id);
    if (entry->second.snapshot != nullptr) entry->second.progress = ProgressHistory(*entry->second.snapshot);
  }
  return entry->second;
}

const absl::Status* TaskTracker::RefusalOf(absl::string_view task_id) {
  const auto refusal = refusals_.find(task_id);
  if (refusal == refusals_.end()) return nullptr;
  if (refusal->second.expiry > loop_->Now()) return &refusal->second.error;
  refusals_.erase(refusal);
  return nullptr;
}

void TaskTracker::StartFetch(Entry& entry) {
  loop_->CancelTimer(entry.fetch_timer);
  entry.fetch_timer = {};
  entry.fetching = true;
  entry.fetch_start = loop_->Now();
  ++entry.fetches;
  ++stats_.fetches_started;
  // An entry is never forgotten while it is being fetched.
  source_->Fetch(entry.task_id, FetchOptionsOf(entry),
                 [this, &entry](absl::StatusOr<TaskInfo> result) { OnFetched(entry, std::move(result)); });
}

FetchOptions TaskTracker::FetchOptionsOf(const Entry& entry) {
  FetchOptions options;
  // Whoever watches a task of which nothing is known waits as well.
  if (entry.waiters.empty() && entry.snapshot != nullptr) options.priority = Priority::kPoll;
  if (!entry.watchers.empty()) return options;
  options.deadline = absl::InfinitePast();
  for (const auto& [id, waiter] : entry.waiters) options.deadline = std::max(options.deadline, waiter.deadline);
  return options;
}

void TaskTracker::OnFetched(Entry& entry, absl::StatusOr<TaskInfo> result) {
  Calls calls;
  entry.fetching = false;
  if (result.ok()) {
    entry.consecutive_errors = 0;
    entry.transient_since = absl::InfiniteFuture();
    entry.last_error = absl::OkStatus();
    entry.next_retry_time = absl::InfinitePast();
    Observe(entry, *std::move(result));
    AnswerWaiters(entry, calls);
  } else {
    ++stats_.fetches_failed;
    OnFetchError(entry, result.status(), calls);
  }
  PlanNextPoll(entry);
  TellWatchers(entry);
  Continue(entry);
  for (auto& call : calls) call();
}

void TaskTracker::Observe(Entry& entry, TaskInfo info) {
  const absl::Time now = loop_->Now();
  const TaskSnapshotPtr known = cache_->Find(entry.task_id);
  if (known != nullptr && IsDone(known->info.state)) {
    if (known->info != info) ++stats_.final_states_contradicted;
    if (entry.snapshot != known) ++entry.version;
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
  if (changed) ++entry.version;
  entry.snapshot = std::move(snapshot);
  cache_->Put(entry.snapshot);
  if (options_.finished_tasks != nullptr && IsDone(entry.snapshot->info.state)) {
    options_.finished_tasks->Put(entry.snapshot);
  }
}

void TaskTracker::AnswerWaiters(Entry& entry, Calls& calls) {
  const bool final = IsDone(entry.snapshot->info.state);
  for (auto waiter = entry.waiters.begin(); waiter != entry.waiters.end();) {
    if (!final && waiter->second.first_fetch > entry.fetches) {
      ++waiter;
      continue;
    }
    calls.push_back([done = std::move(waiter->second.done), snapshot = entry.snapshot]() mutable { done(snapshot); });
    waiter = RemoveWaiter(entry, waiter);
  }
}

void TaskTracker::OnFetchError(Entry& entry, const absl::Status& error, Calls& calls) {
  const absl::Time now = loop_->Now();
  const ErrorDetails details = DetailsOf(error);
  ++entry.consecutive_errors;
  entry.last_error = error;
  const bool transient = details.persistence == Persistence::kTransient;
  entry.transient_since = transient ? std::min(entry.transient_since, now) : absl::InfiniteFuture();
  if (IsRefusal(details.reason)) {
    if (refusals_.size() >= kMaxRefusals) refusals_.clear();
    refusals_[entry.task_id] = Refusal{error, now + options_.refusal_memory};
  }
  RetryOrFailWaiters(entry, error, calls);
  const bool budget_spent = transient && now - entry.transient_since >= options_.error_budget;
  if (details.persistence == Persistence::kPermanent || budget_spent) EndWatches(entry, error, calls);
}

void TaskTracker::RetryOrFailWaiters(Entry& entry, const absl::Status& error, Calls& calls) {
  const absl::Time now = loop_->Now();
  const ErrorDetails details = DetailsOf(error);
  const absl::Duration delay =
      std::max(FullJitterBackoff(entry.consecutive_errors - 1, kRetryBase, kRetryCap, Jitter()),
               details.retry_after.value_or(absl::ZeroDuration()));
  // A garbled answer is the upstream's bug, not its mood: the next one costs a call and will be garbled too.
  const bool worth_retrying = details.persistence == Persistence::kTransient &&
                              details.reason != ErrorReason::kUpstreamMalformedResponse &&
                              delay <= options_.max_retry_delay;
  // Who is refused for the rate can wait for as long as its deadline allows, and costs nothing.
  const bool attempt_counts =
      details.reason != ErrorReason::kUpstreamRateLimited || now - entry.transient_since >= options_.error_budget;
  // The next attempt will take about as long as the last one did.
  const absl::Time next_answer = now + delay + (now - entry.fetch_start);
  for (auto waiter = entry.waiters.begin(); waiter != entry.waiters.end();) {
    const bool concerned = waiter->second.first_fetch <= entry.fetches;
    const bool goes_on =
        !concerned || (worth_retrying && (!attempt_counts || ++waiter->second.attempts < options_.max_attempts) &&
                       next_answer < waiter->second.deadline);
    if (goes_on) {
      ++waiter;
      continue;
    }
    calls.push_back([done = std::move(waiter->second.done), error]() mutable { done(error); });
    waiter = RemoveWaiter(entry, waiter);
  }
  entry.next_retry_time = worth_retrying ? now + delay : absl::InfinitePast();
}

void TaskTracker::EndWatches(Entry& entry, const absl::Status& error, Calls& calls) {
  for (auto& [id, watcher] : entry.watchers) {
    calls.push_back([subscriber = watcher.subscriber, error] { subscriber->OnError(error); });
  }
  watchers_ -= entry.watchers.size();
  entry.watchers.clear();
}

void TaskTracker::TellWatchers(Entry& entry) {
  if (entry.telling || entry.snapshot == nullptr) return;
  const bool final = IsDone(entry.snapshot->info.state);
  if (entry.told_last == 0) entry.told_round = entry.version;
  size_t told = 0;
  auto watcher = entry.watchers.upper_bound(entry.told_last);
  while (watcher != entry.watchers.end() && told < kSlice) {
    entry.told_last = watcher->first;
    Subscriber* const subscriber = watcher->second.told_version != entry.version ? watcher->second.subscriber : nullptr;
    watcher->second.told_version = entry.version;
    if (final) {
      watcher = entry.watchers.erase(watcher);
      --watchers_;
    } else {
      ++watcher;
    }
    if (subscriber != nullptr) {
      subscriber->OnUpdate(entry.snapshot);
      ++told;
    }
  }
  if (watcher == entry.watchers.end()) {
    entry.told_last = 0;
    // Unless the task changed while the round was under way, everybody knows.
    if (entry.told_round == entry.version) return;
  }
  entry.telling = true;
  loop_->Post(lifetime_.Guard([this, task_id = entry.task_id] {
    const auto entry = entries_.find(task_id);
    if (entry == entries_.end()) return;
    entry->second.telling = false;
    TellWatchers(entry->second);
    Continue(entry->second);
  }));
}

void TaskTracker::PlanNextPoll(Entry& entry) {
  const bool final = entry.snapshot != nullptr && IsDone(entry.snapshot->info.state);
  if (entry.watchers.empty() || final) {
    entry.next_poll_time = absl::InfiniteFuture();
    return;
  }
  if (entry.snapshot == nullptr && entry.consecutive_errors == 0) {
    entry.next_poll_time = absl::InfinitePast();
    return;
  }
  const absl::Time now = loop_->Now();
  PollConditions conditions;
  conditions.consecutive_errors = entry.consecutive_errors;
  if (entry.consecutive_errors > 0) conditions.retry_after = DetailsOf(entry.last_error).retry_after;
  for (const auto& [id, watcher] : entry.watchers) {
    if (!watcher.poll_interval.has_value()) continue;
    conditions.hint = std::min(conditions.hint.value_or(absl::InfiniteDuration()), *watcher.poll_interval);
  }
  if (options_.slowdown) conditions.slowdown = options_.slowdown();
  const absl::Time last_poll = entry.consecutive_errors > 0 ? now : std::min(now, entry.snapshot->observe_time);
  entry.next_poll_time = last_poll + NextPollDelay(entry.progress, conditions, options_.poll_limits, Jitter());
}

void TaskTracker::Continue(Entry& entry) {
  if (entry.fetching) return;
  if (entry.waiters.empty() && entry.watchers.empty()) {
    loop_->CancelTimer(entry.fetch_timer);
    entries_.erase(entry.task_id);
    return;
  }
  const absl::Time next = std::min(entry.waiters.empty() ? absl::InfiniteFuture() : entry.next_retry_time,
                                   entry.watchers.empty() ? absl::InfiniteFuture() : entry.next_poll_time);
  if (next == entry.fetch_timer_time && entry.fetch_timer) return;
  loop_->CancelTimer(entry.fetch_timer);
  entry.fetch_timer = {};
  if (next == absl::InfiniteFuture()) return;
  const absl::Time now = loop_->Now();
  if (next <= now) {
    StartFetch(entry);
    return;
  }
  entry.fetch_timer_time = next;
  entry.fetch_timer = loop_->RunAfter(next - now, [this, &entry] { StartFetch(entry); });
}

TaskTracker::Waiters::iterator TaskTracker::RemoveWaiter(Entry& entry, Waiters::iterator waiter) {
  loop_->CancelTimer(waiter->second.deadline_timer);
  --stats_.waiting_gets;
  return entry.waiters.erase(waiter);
}

}  // namespace taskwatch
