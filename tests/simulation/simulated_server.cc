#include "tests/simulation/simulated_server.h"

#include <algorithm>
#include <utility>

#include "service/task/task_error.h"

namespace taskwatch::simulation {
namespace {

// Large enough that nothing is forgotten.
constexpr size_t kCacheCapacity = 100'000;
constexpr size_t kDrainSlice = 4;

}  // namespace

void RecordedTaskSource::Fetch(absl::string_view task_id, const FetchOptions& options, Done done) {
  const std::string id(task_id);
  Record& record = records_[id];
  journal_->Note("tracker: fetches ", id);
  if (record.started != record.finished) {
    journal_->Break(Invariant::kOneFetchPerTaskAtATime, "another fetch of ", id, " is in flight");
  }
  if (record.watchers + record.gets == 0) {
    journal_->Break(Invariant::kNoPollingWithoutAWatcher, "nobody wants to know more of ", id);
  }
  if (record.gets == 0 && loop_->Now() - record.last_success < options_.poll_limits.min_interval) {
    journal_->Break(Invariant::kPollsKeepTheirDistance, id, " was polled ",
                    absl::FormatDuration(loop_->Now() - record.last_success), " after the poll before");
  }
  const auto& observations = http_->ObservationsOf(id);
  if (!observations.empty() && IsDone(observations.back().info.state)) {
    journal_->Break(Invariant::kNoFetchOfAFinishedTask, id, " has ended");
  }
  journal_->Count("fetches");
  ++record.started;
  source_->Fetch(task_id, options, [this, id, done = std::move(done)](absl::StatusOr<TaskInfo> result) mutable {
    OnFetched(id, result);
    done(std::move(result));
  });
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
    record.last_success = now;
    record.transient_since = absl::InfiniteFuture();
    return;
  }
  journal_->Note("tracker: fetch of ", task_id, " failed: ", ShownStatus(result.status()));
  switch (const ErrorDetails details = DetailsOf(result.status()); details.persistence) {
    case Persistence::kPaused:
      record.transient_since = absl::InfiniteFuture();
      break;
    case Persistence::kDoubtful:
      if (!details.not_asked && FailAlike(previous, result.status())) record.last_fatal = now;
      [[fallthrough]];
    case Persistence::kTransient:
      record.transient_since = std::min(record.transient_since, now);
      if (now - record.transient_since >= options_.error_budget) record.last_fatal = now;
      break;
    case Persistence::kPermanent:
      record.last_fatal = now;
      break;
  }
}

SimulatedServer::SimulatedServer(SimulatedLoop* loop, SimulatedDingTalk* dingtalk, Journal* journal,
                                 const NetworkMood* mood, Random random, const Options& options)
    : loop_(loop),
      options_(options),
      http_(loop, dingtalk, journal, mood, random),
      queue_(loop, nullptr, options.queue),
      tokens_(loop, OauthTokenCall::Create(loop, &http_, options.token).value()),
      dingtalk_source_(loop, &http_, &tokens_, &queue_, options.source),
      recorded_source_(loop, journal, &dingtalk_source_, &http_, options.tracker),
      cache_(kCacheCapacity),
      tracker_(loop, &recorded_source_, &cache_, options.tracker) {}

uint64_t SimulatedServer::AddCall(EndCall end) {
  calls_[++last_call_] = std::move(end);
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
    if (call != calls_.end()) call->second(status);
  }
  if (undrained_.empty()) return;
  loop_->Post([this, alive = std::weak_ptr<bool>(alive_)] {
    if (!alive.expired()) DrainSlice();
  });
}

}  // namespace taskwatch::simulation
