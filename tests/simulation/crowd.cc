#include "tests/simulation/crowd.h"

#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "service/runtime/event_loop.h"

namespace taskwatch::simulation {
namespace {

// From an answer to the next get, and from the end of a watch to the next one.
constexpr absl::Duration kPause = absl::Milliseconds(500);
constexpr absl::Duration kTimeout = absl::Seconds(10);
constexpr absl::Duration kMaxStaleness = absl::Seconds(1);

}  // namespace

class Crowd::Caller final : private TaskSubscriber {
 public:
  Caller(Crowd* crowd, std::string task_id, absl::Duration delay) : crowd_(crowd), task_id_(std::move(task_id)) {
    get_timer_ = loop().RunAfter(delay, [this] { Get(); });
    watch_timer_ = loop().RunAfter(delay, [this] { Watch(); });
  }
  ~Caller() override {
    loop().CancelTimer(get_timer_);
    loop().CancelTimer(watch_timer_);
    if (get_id_ != 0) {
      server().source().RemoveGet(task_id_);
      server().tracker().CancelGet(task_id_, get_id_);
    }
    if (watch_id_ == 0) return;
    server().source().RemoveWatcher(task_id_);
    server().tracker().Unwatch(task_id_, watch_id_);
  }

 private:
  SimulatedLoop& loop() const { return *crowd_->loop_; }
  SimulatedServer& server() const { return *crowd_->server_; }

  void Get() {
    server().source().AddGet(task_id_);
    get_id_ = server().tracker().Get(task_id_, kMaxStaleness, loop().Now() + kTimeout,
                                     [this](const absl::StatusOr<TaskSnapshotPtr>& answer) { OnAnswer(answer); });
  }

  void OnAnswer(const absl::StatusOr<TaskSnapshotPtr>& answer) {
    get_id_ = 0;
    server().source().RemoveGet(task_id_);
    if (answer.ok()) {
      ++crowd_->heard_.answers[absl::ToUnixSeconds(loop().Now())];
    } else {
      crowd_->heard_.failures[ReasonOf(answer.status())] = loop().Now();
    }
    get_timer_ = loop().RunAfter(kPause, [this] { Get(); });
  }

  void Watch() {
    server().source().AddWatcher(task_id_);
    const absl::StatusOr<TaskTracker::WatchStart> start = server().tracker().Watch(task_id_, std::nullopt, this);
    if (!start.ok()) return OnError(start.status());
    watch_id_ = start->id;
  }

  void OnUpdate(const TaskSnapshotPtr&) override {}

  void OnError(const absl::Status& error) override {
    watch_id_ = 0;
    server().source().RemoveWatcher(task_id_);
    ++crowd_->heard_.watches_lost[ReasonOf(error)];
    watch_timer_ = loop().RunAfter(kPause, [this] { Watch(); });
  }

  Crowd* const crowd_;
  const std::string task_id_;
  TaskTracker::GetId get_id_ = 0;
  TaskTracker::WatchId watch_id_ = 0;
  EventLoop::TimerId get_timer_;
  EventLoop::TimerId watch_timer_;
};

Crowd::Crowd(SimulatedLoop* loop, SimulatedServer* server, size_t size) : loop_(loop), server_(server) {
  // They come within a second, and not in step.
  for (size_t i = 0; i < size; ++i) {
    callers_.push_back(std::make_unique<Caller>(this, TaskId(i), absl::Seconds(1) * i / size));
  }
}

Crowd::~Crowd() = default;

std::string Crowd::TaskId(size_t caller) { return absl::StrCat("t", caller); }

}  // namespace taskwatch::simulation
