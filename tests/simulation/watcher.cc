#include "tests/simulation/watcher.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "taskwatch/client/rpc_status.h"

#include "service/rpc/status_conversion.h"
#include "service/task/task_error.h"

namespace taskwatch::simulation {

Watcher::Watcher(World* world, Random random, Options options)
    : world_(world), random_(random), options_(std::move(options)) {
  BeginRun();
  OpenIn(options_.arrival);
}

Watcher::~Watcher() {
  world_->loop->CancelTimer(open_timer_);
  world_->loop->CancelTimer(cancel_timer_);
}

void Watcher::Leave() {
  left_ = true;
  world_->loop->CancelTimer(open_timer_);
  if (stream_ != nullptr) stream_->Cancel();
}

void Watcher::CalmDown() {
  options_.habit = {};
  options_.confused = 0;
}

void Watcher::BeginRun() {
  client::WatchRun::Options options;
  options.task_id = options_.session.task_id;
  options.last_etag = etag_;
  options.poll_interval = options_.session.poll_interval;
  options.heartbeat_interval = options_.session.heartbeat_interval;
  client::WatchObserver observer;
  observer.on_task = [this](const v1::TaskInfo& task) { OnTask(task); };
  client::ResumePolicy policy({}, random_.Below(1u << 30), world_->loop->SteadyNow());
  run_ = std::make_unique<client::WatchRun>(std::move(options), std::move(policy), std::move(observer));
}

void Watcher::OpenIn(absl::Duration delay) {
  open_timer_ = world_->loop->RunAfter(delay, [this] { Open(); });
}

void Watcher::Open() {
  WatchSession::Options session = options_.session;
  session.last_etag = run_->OpenStream().last_etag();
  if (random_.Chance(options_.confused)) session.last_etag = absl::StrCat("garbage", random_.Below(1000));
  ++world_->started;
  stream_ = std::make_unique<WatchStream>(
      world_->loop, world_->journal, world_->server, &random_, options_.name, std::move(session), &options_.habit,
      [this](const v1::WatchTaskResponse& message) { run_->OnMessage(message); },
      [this](const absl::Status& status) { OnStreamEnd(status); });
  stream_->Open(run_->silence_limit());
  world_->loop->CancelTimer(cancel_timer_);
  if (random_.Chance(options_.restless)) {
    cancel_timer_ = world_->loop->RunAfter(random_.LogBetween(absl::Milliseconds(1), absl::Minutes(5)), [this] {
      if (!world_->calm && stream_ != nullptr) stream_->Cancel();
    });
  }
}

void Watcher::OnTask(const v1::TaskInfo& task) {
  world_->journal->Note(options_.name, ": the library tells ", v1::TaskState_Name(task.state()));
  if (saw_the_end_) {
    world_->journal->Break(Invariant::kNothingAfterTheEnd, options_.name, " is told a state after the end");
  }
  if (task.etag() == etag_ && !task.done()) {
    world_->journal->Break(Invariant::kNoDuplicateEtagInARow, options_.name, " is told the same state again");
  }
  etag_ = task.etag();
  saw_the_end_ = task.done();
}

void Watcher::OnStreamEnd(const absl::Status& status) {
  ++world_->finished;
  stream_.reset();
  world_->loop->CancelTimer(cancel_timer_);
  shut_out_ = ReasonOf(status) == ErrorReason::kTooManyWatchers;
  const absl::Status heard = status.ok() ? status : client::FromGrpcStatus(ToGrpcStatus(status));
  std::optional<absl::Duration> delay = run_->OnStreamEnd(heard, world_->loop->SteadyNow());
  if (status.ok() && !(saw_the_end_ && run_->result().ok())) {
    world_->journal->Break(Invariant::kNoFinalStateLost, options_.name, "'s library has lost the end of its task");
  }
  const bool enough = !options_.patient && random_.Chance(0.5);
  if (left_ || saw_the_end_ || enough) return;
  if (!delay.has_value()) {
    world_->journal->Count("watches given up by the library");
    BeginRun();
    delay = random_.Between(absl::Seconds(1), absl::Seconds(30));
  }
  OpenIn(*delay);
}

}  // namespace taskwatch::simulation
