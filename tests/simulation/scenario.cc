#include "tests/simulation/scenario.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"

#include "service/runtime/simulated_loop.h"
#include "service/tracker/task_tracker.h"
#include "tests/dingtalk_standin/api.h"
#include "tests/dingtalk_standin/fault.h"
#include "tests/dingtalk_standin/task_plan.h"
#include "tests/simulation/callers.h"
#include "tests/simulation/journal.h"
#include "tests/simulation/random.h"
#include "tests/simulation/simulated_dingtalk.h"
#include "tests/simulation/simulated_server.h"
#include "tests/simulation/watch_stream.h"
#include "tests/simulation/watcher.h"
#include "tests/simulation/world.h"

namespace taskwatch::simulation {
namespace {

constexpr absl::string_view kAppSecret = "the-secret-of-the-app";

// Names of the stand-in's faults, by what they mean for who asks.
constexpr absl::string_view kPassingFaults[] = {
    "system_error",
    "unknown_error",
    "operation_timeout",
    "system_busy",
    "qps_limit",
    "html_502",
    "malformed_null",
    "malformed_array",
    "malformed_empty",
    "malformed_result",
    "redirect",
    "hang",
    "drip",
    "malformed_truncated",
    "malformed_other_task",
    "close",
    "reset",
    "huge",
    "invalid_token",
};
constexpr absl::string_view kPausingFaults[] = {"qpm_limit", "ip_ban_html", "punish", "monthly_limit"};
constexpr absl::string_view kLastingFaults[] = {"param_error", "permission_denied", "ip_not_in_white_list"};

// How long it may take after the last trouble until everybody knows: the longest poll interval, ban and backoff, and
// some of each at once.
constexpr absl::Duration kPatience = absl::Minutes(20);

// A month's first moment in China.
absl::Time MonthBoundary() { return absl::FromCivil(absl::CivilMonth(2027, 2), absl::FixedTimeZone(8 * 60 * 60)); }

class Scenario {
 public:
  Scenario(uint64_t seed, bool tracing)
      : random_(seed),
        loop_(MonthBoundary() - random_.Between(absl::Minutes(2), absl::Minutes(60))),
        journal_(&loop_, tracing),
        dingtalk_(&loop_, &journal_, DrawDingTalk()),
        server_options_(DrawServer()),
        duration_(random_.LogBetween(absl::Seconds(20), absl::Minutes(40))) {
    journal_.AddSecret(kAppSecret);
    world_.loop = &loop_;
    world_.journal = &journal_;
    DrawMood();
    NewServer();
  }

  Outcome Run() {
    DrawTasks();
    DrawWatchers();
    Sometimes(duration_ / random_.Between(5, 60), [this] { Ask(); });
    Sometimes(duration_ / random_.Between(2, 40), [this] { Wait(); });
    if (faults_ != Faults::kNone) Sometimes(duration_ / random_.Between(2, 20), [this] { Trouble(); });
    if (random_.Chance(0.3)) Sometimes(duration_ / random_.Between(1, 4), [this] { RestartServer(); });
    if (random_.Chance(0.2)) Sometimes(duration_ / random_.Between(1, 6), [this] { RestartTask(); });
    // What refuses for the month does not strike in the next one, by DingTalk's clock.
    loop_.RunAfter(MonthBoundary() + dingtalk_.clock_lag() - loop_.Now(), [this] { dingtalk_.ClearFaults(); });
    RunFor(duration_);
    CalmDown();
    WaitForTheEnd();
    Outcome outcome;
    outcome.length = loop_.Elapsed();
    Close();
    outcome.broken = journal_.broken();
    outcome.trace = journal_.trace();
    outcome.counts = journal_.counts();
    return outcome;
  }

 private:
  enum class Faults { kNone, kPassing, kAll };

  SimulatedDingTalk::Options DrawDingTalk() {
    SimulatedDingTalk::Options options;
    options.model.seed = random_.Below(1u << 30);
    options.model.app_secret = std::string(kAppSecret);
    options.model.token_lifetime = absl::Ceil(random_.LogBetween(absl::Seconds(20), absl::Hours(2)), absl::Seconds(1));
    options.model.qps = random_.Chance(0.2) ? 3 : 20;
    options.model.monthly_calls = 0;
    options.model.unknown_task = random_.Chance(0.5) ? standin::DingTalkModel::UnknownTask::kNotFound
                                                     : standin::DingTalkModel::UnknownTask::kParamError;
    options.model.capitalised_error_keys = random_.Chance(0.3);
    options.clock_lag =
        random_.Chance(0.5) ? absl::ZeroDuration() : random_.Between(absl::ZeroDuration(), absl::Seconds(3));
    return options;
  }

  SimulatedServer::Options DrawServer() {
    SimulatedServer::Options options;
    options.tracker.error_budget =
        random_.Chance(0.5) ? absl::Minutes(2) : random_.Between(absl::Seconds(10), absl::Minutes(2));
    options.tracker.poll_limits.max_interval = random_.LogBetween(absl::Seconds(5), absl::Minutes(5));
    options.max_watchers = random_.Chance(0.1) ? 3 : 100'000;
    options.token.app_key = "dingdemoapp";
    options.token.app_secret = std::string(kAppSecret);
    options.token.corp_id = random_.Chance(0.3) ? "dingdemocorp" : "";
    if (random_.Chance(0.5)) options.queue.budget.qps = random_.Chance(0.2) ? 3 : 0;
    if (random_.Chance(0.2)) options.queue.budget.monthly_calls = 0;
    return options;
  }

  void DrawMood() {
    const double kind = random_.Unit();
    faults_ = kind < 0.2 ? Faults::kNone : kind < 0.6 ? Faults::kPassing : Faults::kAll;
    if (random_.Chance(0.3)) mood_.max_latency = absl::Seconds(2);
    if (random_.Chance(0.1)) mood_.min_latency = mood_.max_latency = absl::ZeroDuration();
    if (faults_ == Faults::kNone) return;
    mood_.unreachable = random_.Chance(0.5) ? 0.01 : 0.2 * random_.Unit();
    mood_.slow = random_.Chance(0.5) ? 0.01 : 0.2 * random_.Unit();
    mood_.indiscreet = 0.3;
  }

  standin::TaskPlan DrawPlan() {
    constexpr standin::ProgressShape kShapes[] = {standin::ProgressShape::kLinear,
                                                  standin::ProgressShape::kAccelerating,
                                                  standin::ProgressShape::kSlowing, standin::ProgressShape::kNone};
    standin::TaskPlan plan;
    plan.waiting = random_.Between(absl::ZeroDuration(), absl::Seconds(30));
    plan.running = random_.LogBetween(absl::Seconds(1), absl::Minutes(20));
    plan.items = random_.Between(0, 200);
    plan.outcome = random_.Chance(0.05) ? 7 : static_cast<int>(random_.Between(1, 4));
    plan.shape = random_.OneOf(kShapes);
    return plan;
  }

  void DrawTasks() {
    const int64_t tasks = random_.Between(1, 5);
    for (int64_t i = 0; i < tasks; ++i) {
      const std::string task_id = absl::StrCat("task-", i);
      task_ids_.push_back(task_id);
      // Some are asked for before they are there.
      const absl::Duration start =
          random_.Chance(0.9) ? absl::ZeroDuration() : random_.Between(absl::ZeroDuration(), duration_);
      const standin::TaskPlan plan = DrawPlan();
      if (start == absl::ZeroDuration()) {
        dingtalk_.StartTask(task_id, plan);
      } else {
        loop_.RunAfter(start, [this, task_id, plan] { dingtalk_.StartTask(task_id, plan); });
      }
    }
  }

  ReadingHabit DrawHabit() {
    const double kind = random_.Unit();
    if (kind < 0.5) return {absl::ZeroDuration(), absl::Milliseconds(20), 0};
    if (kind < 0.8) return {absl::Milliseconds(1), absl::Seconds(25), 0};
    return {absl::ZeroDuration(), absl::Seconds(5), 0.1};
  }

  void DrawWatchers() {
    const bool crowd = random_.Chance(0.02);
    if (crowd) duration_ = std::min(duration_, absl::Minutes(3));
    const int64_t count = crowd ? random_.Between(300, 700) : random_.Between(1, 12);
    for (int64_t i = 0; i < count; ++i) {
      Watcher::Options options;
      options.name = absl::StrCat("watcher-", i);
      options.session.task_id = crowd ? task_ids_[0] : task_ids_[random_.Below(task_ids_.size())];
      options.session.heartbeat_interval = random_.Between(absl::Seconds(5), absl::Seconds(60));
      options.session.max_age = random_.LogBetween(absl::Seconds(30), absl::Minutes(10));
      if (random_.Chance(0.3))
        options.session.poll_interval = random_.LogBetween(absl::Milliseconds(100), absl::Minutes(1));
      options.habit = DrawHabit();
      options.arrival = random_.Between(absl::ZeroDuration(), crowd ? absl::Seconds(2) : duration_);
      if (!crowd && random_.Chance(0.5)) options.arrival = absl::ZeroDuration();
      options.patient = random_.Chance(0.7);
      options.restless = random_.Chance(0.3) ? 0.5 : 0;
      watchers_.push_back(std::make_unique<Watcher>(&world_, random_.Fork(), options));
      if (options.patient) continue;
      Watcher* const watcher = watchers_.back().get();
      loop_.RunAfter(random_.Between(options.arrival, duration_), [watcher] { watcher->Leave(); });
    }
  }

  // Does something about every `mean`, until all is calm.
  void Sometimes(absl::Duration mean, std::function<void()> what) {
    loop_.RunAfter(mean * 2 * random_.Unit(), [this, mean, what = std::move(what)] {
      if (world_.calm) return;
      what();
      Sometimes(mean, what);
    });
  }

  const std::string& SomeTask() { return task_ids_[random_.Below(task_ids_.size())]; }
  std::optional<absl::Duration> SomeCancel() {
    if (random_.Chance(0.7)) return std::nullopt;
    return random_.LogBetween(absl::Milliseconds(1), absl::Seconds(10));
  }

  void Ask() {
    constexpr absl::Duration kStaleness[] = {absl::ZeroDuration(), absl::ZeroDuration(), absl::Milliseconds(500),
                                             absl::Seconds(1), absl::Seconds(30)};
    // Several at once meet in one fetch.
    const int64_t count = random_.Chance(0.7) ? 1 : random_.Between(2, 6);
    const std::string task_id = SomeTask();
    for (int64_t i = 0; i < count; ++i) {
      Getter::Options options;
      options.name = absl::StrCat("getter-", ++getters_so_far_);
      options.task_id = task_id;
      options.max_staleness = random_.OneOf(kStaleness);
      options.timeout = random_.Chance(0.2) ? absl::InfiniteDuration()
                                            : random_.LogBetween(absl::Milliseconds(10), absl::Seconds(30));
      options.cancel_after = SomeCancel();
      getters_.push_back(std::make_unique<Getter>(&world_, options));
    }
  }

  void Wait() {
    Waiter::Options options;
    options.name = absl::StrCat("waiter-", ++waiters_so_far_);
    options.session.task_id = SomeTask();
    options.session.timeout =
        random_.Chance(0.5) ? absl::Minutes(1) : random_.Between(absl::ZeroDuration(), absl::Minutes(1));
    const auto& observations = world_.server->http().ObservationsOf(options.session.task_id);
    if (!observations.empty() && random_.Chance(0.6)) {
      options.session.last_etag =
          random_.Chance(0.7) ? observations.back().etag : observations[random_.Below(observations.size())].etag;
    }
    options.cancel_after = SomeCancel();
    waiters_.push_back(std::make_unique<Waiter>(&world_, options));
  }

  void Trouble() {
    absl::string_view name = random_.OneOf(kPassingFaults);
    if (faults_ == Faults::kAll && random_.Chance(0.4)) {
      name = random_.Chance(0.6) ? random_.OneOf(kPausingFaults) : random_.OneOf(kLastingFaults);
    }
    if (name == "monthly_limit") {
      if (loop_.Now() >= MonthBoundary() + dingtalk_.clock_lag()) return;
      month_used_up_ = true;
    }
    std::optional<standin::Api> api;
    if (random_.Chance(0.7)) api = standin::Api::kTaskInfo;
    std::optional<int> retry_after;
    if (random_.Chance(0.1)) retry_after = static_cast<int>(random_.Between(1, 20));
    if (random_.Chance(0.7)) {
      dingtalk_.InjectFault(name, random_.Between(1, 4), api, retry_after);
      return;
    }
    dingtalk_.InjectFault(name, standin::Fault::kUntilCleared, api, retry_after);
    loop_.RunAfter(random_.LogBetween(absl::Seconds(1), absl::Minutes(5)), [this] {
      journal_.Note("dingtalk: works again");
      dingtalk_.ClearFaults();
    });
  }

  void RestartTask() { dingtalk_.StartTask(SomeTask(), DrawPlan()); }

  void RestartServer() {
    journal_.Note("server: drains; another one starts");
    SimulatedServer* const old = world_.server;
    NewServer();
    old->Drain();
  }

  void NewServer() {
    server_options_.tracker.seed = random_.Below(1u << 30);
    servers_.push_back(
        std::make_unique<SimulatedServer>(&loop_, &dingtalk_, &journal_, &mood_, random_.Fork(), server_options_));
    world_.server = servers_.back().get();
  }

  void RunFor(absl::Duration duration) {
    constexpr absl::Duration kStep = absl::Seconds(5);
    for (absl::Duration left = duration; left > absl::ZeroDuration(); left -= kStep) {
      loop_.RunFor(std::min(left, kStep));
      Reap();
    }
  }

  // Forgets the calls that have ended, and the servers that have drained, whatever they have in flight.
  void Reap() {
    const auto ended = [](const auto& call) { return call->ended(); };
    getters_.erase(std::remove_if(getters_.begin(), getters_.end(), ended), getters_.end());
    waiters_.erase(std::remove_if(waiters_.begin(), waiters_.end(), ended), waiters_.end());
    for (auto server = servers_.begin(); server != servers_.end();) {
      if (!(*server)->draining() || (*server)->open_calls() > 0) {
        ++server;
        continue;
      }
      const TaskTracker::Stats stats = (*server)->tracker().stats();
      if (stats.watchers + stats.waiting_gets > 0) {
        journal_.Break(Invariant::kStartedEqualsFinished, "a drained server has ", stats.watchers, " watchers and ",
                       stats.waiting_gets, " gets");
      }
      journal_.Note("server: has drained");
      server = servers_.erase(server);
    }
  }

  void CalmDown() {
    journal_.Note("all is calm from now on");
    world_.calm = true;
    mood_ = NetworkMood{};
    dingtalk_.ClearFaults();
    for (const auto& watcher : watchers_) watcher->CalmDown();
    calm_since_ = loop_.Now();
  }

  // Everybody who is patient is to see the end of a task that has one.
  void WaitForTheEnd() {
    const auto waiting = [this](const std::unique_ptr<Watcher>& watcher) {
      return watcher->patient() && !watcher->saw_the_end() &&
             dingtalk_.EndOf(watcher->task_id()) != absl::InfiniteFuture();
    };
    absl::Time last_trouble = calm_since_;
    for (const std::string& task_id : task_ids_) {
      if (dingtalk_.EndOf(task_id) != absl::InfiniteFuture()) {
        last_trouble = std::max(last_trouble, dingtalk_.EndOf(task_id));
      }
    }
    if (month_used_up_) last_trouble = std::max(last_trouble, MonthBoundary());
    while (std::any_of(watchers_.begin(), watchers_.end(), waiting) && loop_.Now() < last_trouble + kPatience) {
      RunFor(absl::Seconds(10));
    }
    for (const auto& watcher : watchers_) {
      if (waiting(watcher)) {
        journal_.Break(Invariant::kNoFinalStateLost, watcher->name(), " never saw the end of ", watcher->task_id());
      }
    }
  }

  // Everybody leaves; nothing may be left of them.
  void Close() {
    journal_.Note("everybody leaves");
    for (const auto& watcher : watchers_) watcher->Leave();
    for (const auto& getter : getters_) getter->Cancel();
    for (const auto& waiter : waiters_) waiter->Cancel();
    RunFor(absl::Minutes(2));
    if (world_.started != world_.finished) {
      journal_.Break(Invariant::kStartedEqualsFinished, world_.started, " calls started, ", world_.finished,
                     " finished");
    }
    for (const auto& server : servers_) {
      const TaskTracker::Stats stats = server->tracker().stats();
      for (const std::string& task_id : task_ids_) {
        const RecordedTaskSource::Record& record = server->source().RecordOf(task_id);
        if (record.started == record.finished) continue;
        journal_.Break(Invariant::kStartedEqualsFinished, record.started, " fetches of ", task_id, " started, ",
                       record.finished, " finished");
      }
      if (stats.entries + stats.watchers + stats.waiting_gets > 0) {
        journal_.Break(Invariant::kEntriesAndTimersGone, "the tracker keeps ", stats.entries, " entries, ",
                       stats.watchers, " watchers and ", stats.waiting_gets, " gets");
      }
    }
    watchers_.clear();
    servers_.clear();
    // What the scenario itself had still planned does nothing any more.
    loop_.RunFor(absl::Hours(2));
    if (loop_.TimerCount() > 0) {
      journal_.Break(Invariant::kEntriesAndTimersGone, loop_.TimerCount(), " timers are left");
    }
  }

  Random random_;
  SimulatedLoop loop_;
  Journal journal_;
  SimulatedDingTalk dingtalk_;
  SimulatedServer::Options server_options_;
  absl::Duration duration_;
  NetworkMood mood_;
  Faults faults_ = Faults::kNone;
  bool month_used_up_ = false;
  absl::Time calm_since_;
  World world_;
  std::vector<std::string> task_ids_;
  std::vector<std::unique_ptr<SimulatedServer>> servers_;
  std::vector<std::unique_ptr<Watcher>> watchers_;
  std::vector<std::unique_ptr<Getter>> getters_;
  std::vector<std::unique_ptr<Waiter>> waiters_;
  int getters_so_far_ = 0;
  int waiters_so_far_ = 0;
};

}  // namespace

Outcome RunScenario(uint64_t seed, bool tracing) { return Scenario(seed, tracing).Run(); }

}  // namespace taskwatch::simulation
