#include "tests/simulation/simulated_server.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "service/dingtalk/tokens/cached_access_token.h"
#include "service/dingtalk/tokens/file_access_token.h"
#include "service/task/task_error.h"
#include "service/task/task_info.h"

namespace taskwatch::simulation {
namespace {

constexpr size_t kDrainSlice = 4;

}  // namespace

void RecordedTaskSource::Fetch(absl::string_view task_id, const FetchOptions& options, Done done) {
  const std::string id(task_id);
  if (crashed_) return;
  Record& record = records_[id];
  journal_->Note("tracker: fetches ", id);
  if (record.started != record.finished) {
    journal_->Break(Invariant::kOneFetchPerTaskAtATime, "another fetch of ", id, " is in flight");
  }
  if (record.watchers + record.gets == 0) {
    journal_->Break(Invariant::kNoPollingWithoutAWatcher, "nobody wants to know more of ", id);
  }
  // When the clock has been set, nobody knows how long ago the last poll was.
  const absl::Duration distance = loop_->clock_changes() == record.clock_changes
                                      ? loop_->SteadyNow() - record.last_success
                                      : absl::InfiniteDuration();
  if (record.gets == 0 && distance < options_.poll_limits.min_interval && !forgets_) {
    journal_->Break(Invariant::kPollsKeepTheirDistance, id, " was polled ", absl::FormatDuration(distance),
                    " after the poll before");
  }
  const auto& observations = http_->ObservationsOf(id);
  const bool known_to_be_over = !observations.empty() && IsDone(observations.back().info.state) && !forgets_;
  if (known_to_be_over || was_over_(id)) journal_->Break(Invariant::kNoFetchOfAFinishedTask, id, " has ended");
  journal_->Count("fetches");
  ++record.started;
  source_->Fetch(task_id, options, [this, id, done = std::move(done)](absl::StatusOr<TaskInfo> result) mutable {
    OnFetched(id, result);
    done(std::move(result));
  });
}

void RecordedTaskSource::RemoveWatcher(const std::string& task_id) {
  Record& record = records_[task_id];
  --record.watchers;
  record.wanted = loop_->SteadyNow();
}

void RecordedTaskSource::RemoveGet(const std::string& task_id) {
  Record& record = records_[task_id];
  --record.gets;
  record.wanted = loop_->SteadyNow();
}

bool RecordedTaskSource::IsWanted(const std::string& task_id) {
  const Record& record = records_[task_id];
  return record.watchers + record.gets > 0 || record.wanted == loop_->SteadyNow();
}

bool RecordedTaskSource::Cancel(absl::string_view task_id) {
  const bool cancelled = source_->Cancel(task_id);
  if (cancelled) {
    journal_->Note("tracker: gives the fetch of ", task_id, " up");
    ++records_[std::string(task_id)].finished;
  }
  return cancelled;
}

void RecordedTaskSource::OnFetched(const std::string& task_id, const absl::StatusOr<TaskInfo>& result) {
  Record& record = records_[task_id];
  const absl::Time now = loop_->Now();
  ++record.finished;
  record.last_result = result.status();
  const absl::Status previous = record.last_asked;
  if (!DetailsOf(result.status()).not_asked) record.last_asked = result.status();
  journal_->CheckForSecrets("the tracker", result.status());
  if (result.ok()) {
    record.last_success = loop_->SteadyNow();
    record.clock_changes = loop_->clock_changes();
    record.transient_since = absl::InfiniteFuture();
    return;
  }
  record.last_failure = loop_->SteadyNow();
  journal_->Note("tracker: fetch of ", task_id, " failed: ", ShownStatus(result.status()));
  switch (const ErrorDetails details = DetailsOf(result.status()); details.persistence) {
    case Persistence::kPaused:
      record.transient_since = absl::InfiniteFuture();
      break;
    case Persistence::kDoubtful:
      if (!details.not_asked && FailAlike(previous, result.status())) {
        NoteFatal(record);
      }
      [[fallthrough]];
    case Persistence::kTransient:
      record.transient_since = std::min(record.transient_since, now);
      if (now - record.transient_since >= options_.error_budget) NoteFatal(record);
      break;
    case Persistence::kPermanent:
      NoteFatal(record);
      break;
  }
}

void RecordedTaskSource::NoteFatal(Record& record) {
  record.last_fatal = loop_->SteadyNow();
  record.last_fatal_by_clock = loop_->Now();
}

bool RecordedTaskSource::RefusedLately(const std::string& task_id) {
  const Record& record = records_[task_id];
  const absl::Duration age_by_clock = loop_->Now() - record.last_fatal_by_clock;
  return loop_->SteadyNow() - record.last_fatal <= options_.refusal_memory ||
         (age_by_clock >= absl::ZeroDuration() && age_by_clock <= options_.refusal_memory);
}

TaskSnapshotPtr RecordedFinishedTasks::Find(absl::string_view task_id) {
  TaskSnapshotPtr snapshot = tasks_->Find(task_id);
  if (snapshot == nullptr) return nullptr;
  journal_->Note("tracker: finds the end of ", task_id, " on the disk");
  journal_->Count("tasks recalled");
  http_->NoteRecalled(*snapshot);
  return snapshot;
}

SimulatedServer::SimulatedServer(SimulatedLoop* loop, SimulatedDingTalk* dingtalk, Journal* journal,
                                 const NetworkMood* mood, std::shared_ptr<SimulatedDisk> disk,
                                 const DiskMood* disk_mood, Random random, const Options& options)
    : loop_(loop),
      options_(options),
      journal_(journal),
      disk_(std::move(disk)),
      ended_before_(disk_->EndedTasks()),
      store_(loop, journal, disk_.get(), disk_mood, random.Fork()),
      http_(loop, dingtalk, journal, mood, random),
      queue_(loop, &store_, options.queue),
      gate_(loop, journal, &queue_, [this](const std::string& task_id) { return recorded_source_.IsWanted(task_id); }),
      tokens_(NewTokens()),
      dingtalk_source_(loop, &http_, tokens_.get(), &gate_, options.source),
      recorded_source_(loop, journal, &dingtalk_source_, &http_, options.tracker, forgets()),
      finished_tasks_(journal, &http_, &store_),
      cache_(options.cache_tasks),
      tracker_(loop, &recorded_source_, &cache_, TrackerOptions()) {
  http_.set_on_counted([this](absl::CivilMonth month) {
    if (disk_->CountCall(month)) return;
    // A month to which the clock comes back is counted from what could be written of it.
    if (loop_->clock_changes() > 0 && disk_->has_failed()) return;
    journal_->Break(Invariant::kLedgerKnowsAllCalls, "more than the ", disk_->CallsIn(month),
                    " calls in the state file were made");
  });
  http_.set_forgets(forgets());
  recorded_source_.set_was_over([this](const std::string& task_id) { return ended_before_.count(task_id) > 0; });
}

TaskTracker::Options SimulatedServer::TrackerOptions() {
  TaskTracker::Options options = options_.tracker;
  options.slowdown = [this] { return queue_.Slowdown(); };
  options.finished_tasks = &finished_tasks_;
  return options;
}

std::unique_ptr<AccessTokenProvider> SimulatedServer::NewTokens() {
  if (!options_.access_token_file.empty()) {
    return std::make_unique<FileAccessToken>(loop_, options_.access_token_file);
  }
  OauthTokenCall::Options options = options_.token;
  options.gate = &gate_;
  return std::make_unique<CachedAccessToken>(loop_, OauthTokenCall::Create(loop_, &http_, options).value());
}

uint64_t SimulatedServer::AddCall(EndCall end, LoseCall lose) {
  calls_[++last_call_] = {std::move(end), std::move(lose)};
  return last_call_;
}

absl::Status SimulatedServer::TakeWatchPlace() {
  if (watchers_ < options_.max_watchers) {
    ++watchers_;
    return absl::OkStatus();
  }
  ErrorDetails details;
  details.reason = ErrorReason::kTooManyWatchers;
  details.persistence = Persistence::kTransient;
  details.retry_after = absl::Seconds(5);
  return MakeError(details, "full");
}

void SimulatedServer::Crash() {
  recorded_source_.Crash();
  http_.Crash();
  store_.Crash();
  // In any order: they do not know of each other.
  std::map<uint64_t, OpenCall> calls;
  calls.swap(calls_);
  for (auto& [id, call] : calls) call.lose();
}

std::string SimulatedServer::TakenSlots() {
  const CallQueue::Stats stats = queue_.stats();
  if (stats.callers_waiting + stats.polls_waiting + http_.in_flight() + gate_.out() == 0) return "";
  return absl::StrCat(stats.callers_waiting, " callers and ", stats.polls_waiting, " polls wait for a permit, ",
                      gate_.out(), " permits are out, and ", http_.in_flight(), " HTTP calls are under way");
}

void SimulatedServer::Drain() {
  draining_ = true;
  for (const auto& [id, end] : calls_) undrained_.push_back(id);
  DrainSlice();
}

void SimulatedServer::DrainSlice() {
  ErrorDetails details;
  details.reason = ErrorReason::kServerDraining;
  details.persistence = Persistence::kTransient;
  details.retry_after = absl::Seconds(1);
  const absl::Status status = MakeError(details, "shutting down");
  for (size_t told = 0; told < kDrainSlice && !undrained_.empty(); ++told) {
    const auto call = calls_.find(undrained_.back());
    undrained_.pop_back();
    if (call != calls_.end()) call->second.end(status);
  }
  if (undrained_.empty()) return;
  loop_->Post([this, alive = std::weak_ptr<bool>(alive_)] {
    if (!alive.expired()) DrainSlice();
  });
}

}  // namespace taskwatch::simulation
