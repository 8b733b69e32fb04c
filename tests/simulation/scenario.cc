#include "tests/simulation/scenario.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"

#include "service/runtime/simulated_loop.h"
#include "tests/dingtalk_standin/task_plan.h"
#include "tests/simulation/callers.h"
#include "tests/simulation/journal.h"
#include "tests/simulation/random.h"
#include "tests/simulation/servers.h"
#include "tests/simulation/simulated_dingtalk.h"
#include "tests/simulation/simulated_server.h"
#include "tests/simulation/token_file.h"
#include "tests/simulation/troubles.h"
#include "tests/simulation/wait_loop.h"
#include "tests/simulation/watch_stream.h"
#include "tests/simulation/watcher.h"
#include "tests/simulation/world.h"

namespace taskwatch::simulation {
namespace {

constexpr absl::string_view kAppSecret = "the-secret-of-the-app";

// How long it may take after the last trouble until everybody knows: the longest poll interval, ban and backoff, and
// some of each at once.
constexpr absl::Duration kPatience = absl::Minutes(20);
// Refusals for a month are doubted for so long after its beginning (quota/billing_month.cc), less what clocks differ.
constexpr absl::Duration kDoubtfulClock = absl::Minutes(9);

// A month's first moment in China.
absl::Time MonthBoundary() { return absl::FromCivil(absl::CivilMonth(2027, 2), absl::FixedTimeZone(8 * 60 * 60)); }

class Scenario {
 public:
  Scenario(uint64_t seed, bool tracing)
      : random_(seed),
        loop_(MonthBoundary() - random_.Between(absl::Minutes(2), absl::Minutes(60))),
        journal_(&loop_, tracing),
        world_{&loop_, &journal_},
        dingtalk_options_(DrawDingTalk()),
        dingtalk_(&loop_, &journal_, dingtalk_options_),
        troubles_(&world_, &dingtalk_, random_.Fork(), MonthBoundary() + dingtalk_.clock_lag(),
                  dingtalk_options_.model.monthly_calls > 0),
        token_file_(DrawTokenFile()),
        servers_(&world_, &dingtalk_, troubles_.network(), troubles_.disks(), random_.Fork(), DrawServer()),
        duration_(random_.LogBetween(absl::Seconds(20), absl::Minutes(40))) {
    journal_.AddSecret(kAppSecret);
  }

  Outcome Run() {
    DrawTasks();
    DrawWatchers();
    Sometimes(duration_ / random_.Between(5, 60), [this] { Ask(); });
    Sometimes(duration_ / random_.Between(2, 40), [this] { Wait(); });
    if (random_.Chance(0.3)) Sometimes(duration_ / random_.Between(1, 5), [this] { WaitInALoop(); });
    if (troubles_.dingtalk_fails()) {
      Sometimes(duration_ / random_.Between(2, 20), [this] { troubles_.FailDingTalk(); });
      if (random_.Chance(0.3)) Sometimes(duration_ / random_.Between(1, 5), [this] { troubles_.SlowNetworkDown(); });
    }
    if (random_.Chance(0.2)) Sometimes(duration_ / random_.Between(1, 5), [this] { troubles_.FailDisks(); });
    if (random_.Chance(0.2)) Sometimes(duration_ / random_.Between(1, 5), [this] { troubles_.SetClock(); });
    if (random_.Chance(0.3)) Sometimes(duration_ / random_.Between(1, 4), [this] { servers_.Replace(); });
    if (random_.Chance(0.3)) Sometimes(duration_ / random_.Between(1, 4), [this] { servers_.Crash(); });
    if (random_.Chance(0.2)) Sometimes(duration_ / random_.Between(1, 6), [this] { RestartTask(); });
    // What refuses for the month does not strike in the next one, by DingTalk's clock.
    loop_.RunAfter(MonthBoundary() + dingtalk_.clock_lag() - loop_.SteadyNow(), [this] { dingtalk_.ClearFaults(); });
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
  SimulatedDingTalk::Options DrawDingTalk() {
    SimulatedDingTalk::Options options;
    options.model.seed = random_.Below(1u << 30);
    options.model.app_secret = std::string(kAppSecret);
    options.model.token_lifetime = absl::Ceil(random_.LogBetween(absl::Seconds(20), absl::Hours(2)), absl::Seconds(1));
    options.model.qps = random_.Chance(0.2) ? 3 : 20;
    options.model.monthly_calls = 0;
    if (random_.Chance(0.15)) {
      // Other programs have left this much of the month, which may be less than our own limit.
      options.model.monthly_calls = 50'000;
      options.model.monthly_calls_used = options.model.monthly_calls - random_.Between(5, 300);
    }
    options.model.unknown_task = random_.Chance(0.5) ? standin::DingTalkModel::UnknownTask::kNotFound
                                                     : standin::DingTalkModel::UnknownTask::kParamError;
    options.model.capitalised_error_keys = random_.Chance(0.3);
    options.clock_lag =
        random_.Chance(0.5) ? absl::ZeroDuration() : random_.Between(absl::ZeroDuration(), absl::Seconds(3));
    return options;
  }

  std::unique_ptr<TokenFile> DrawTokenFile() {
    if (random_.Chance(0.9)) return nullptr;
    return std::make_unique<TokenFile>(&loop_, &journal_, &dingtalk_, random_.Fork(),
                                       dingtalk_options_.model.token_lifetime);
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
    if (token_file_ != nullptr) options.access_token_file = token_file_->path();
    if (random_.Chance(0.5)) options.queue.budget.qps = random_.Chance(0.2) ? 3 : 0;
    if (random_.Chance(0.2)) options.queue.budget.monthly_calls = 0;
    if (random_.Chance(0.15)) options.cache_tasks = random_.Between(0, 2);
    return options;
  }

  standin::TaskPlan DrawPlan() {
    constexpr standin::ProgressShape kShapes[] = {standin::ProgressShape::kLinear,
                                                  standin::ProgressShape::kAccelerating,
                                                  standin::ProgressShape::kSlowing, standin::ProgressShape::kNone};
    standin::TaskPlan plan;
    if (random_.Chance(0.1)) plan.hidden = random_.Between(absl::ZeroDuration(), absl::Seconds(10));
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
    if (kind < 0.98) return {absl::ZeroDuration(), absl::Seconds(5), 0.1};
    // Never reads at all.
    return {absl::ZeroDuration(), absl::ZeroDuration(), 1};
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
      options.confused = random_.Chance(0.1) ? 0.3 : 0;
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
    const int64_t count = random_.Chance(0.7) ? 1 : random_.Chance(0.98) ? random_.Between(2, 6) : 200;
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
    if (random_.Chance(0.05)) options.session.last_etag = "garbage";
    waiters_.push_back(std::make_unique<Waiter>(&world_, options));
  }

  void WaitInALoop() {
    loops_.push_back(std::make_unique<WaitLoop>(&world_, absl::StrCat("loop-", loops_.size()), SomeTask()));
    if (random_.Chance(0.5)) return;
    WaitLoop* const loop = loops_.back().get();
    loop_.RunAfter(random_.Between(absl::ZeroDuration(), duration_), [this, loop] {
      if (!world_.calm) loop->Leave();
    });
  }

  void RestartTask() { dingtalk_.StartTask(SomeTask(), DrawPlan()); }

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
    servers_.Reap();
  }

  void CalmDown() {
    journal_.Note("all is calm from now on");
    world_.calm = true;
    troubles_.CalmDown();
    if (token_file_ != nullptr) token_file_->CalmDown();
    for (const auto& watcher : watchers_) watcher->CalmDown();
    calm_since_ = loop_.SteadyNow();
  }

  // Everybody who is patient is to see the end of a task that has one.
  void WaitForTheEnd() {
    // A server whose clock is far ahead takes the refusal of a month for the next one's, and believes it for that long.
    if (troubles_.month_used_up() && troubles_.clock_error() >= kDoubtfulClock) return;
    const auto waiting = [this](const std::unique_ptr<Watcher>& watcher) {
      return watcher->patient() && !watcher->saw_the_end() && !watcher->shut_out() &&
             dingtalk_.EndOf(watcher->task_id()) != absl::InfiniteFuture();
    };
    absl::Time last_trouble = calm_since_;
    for (const std::string& task_id : task_ids_) {
      if (dingtalk_.EndOf(task_id) != absl::InfiniteFuture()) {
        last_trouble = std::max(last_trouble, dingtalk_.EndOf(task_id));
      }
    }
    if (troubles_.month_used_up()) last_trouble = std::max(last_trouble, MonthBoundary());
    while (std::any_of(watchers_.begin(), watchers_.end(), waiting) &&
           loop_.SteadyNow() < last_trouble + kPatience + troubles_.clock_error()) {
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
    for (const auto& loop : loops_) loop->Leave();
    RunFor(absl::Minutes(2));
    if (world_.started != world_.finished) {
      journal_.Break(Invariant::kStartedEqualsFinished, world_.started, " calls started, ", world_.finished,
                     " finished");
    }
    servers_.CheckEmpty(task_ids_);
    watchers_.clear();
    loops_.clear();
    servers_.Clear();
    token_file_.reset();
    // What the scenario itself had still planned does nothing any more.
    loop_.RunFor(absl::Hours(2));
    if (loop_.TimerCount() > 0) {
      journal_.Break(Invariant::kEntriesAndTimersGone, loop_.TimerCount(), " timers are left");
    }
  }

  Random random_;
  SimulatedLoop loop_;
  Journal journal_;
  World world_;
  const SimulatedDingTalk::Options dingtalk_options_;
  SimulatedDingTalk dingtalk_;
  Troubles troubles_;
  std::unique_ptr<TokenFile> token_file_;
  Servers servers_;
  absl::Duration duration_;
  absl::Time calm_since_;
  std::vector<std::string> task_ids_;
  std::vector<std::unique_ptr<Watcher>> watchers_;
  std::vector<std::unique_ptr<Getter>> getters_;
  std::vector<std::unique_ptr<Waiter>> waiters_;
  std::vector<std::unique_ptr<WaitLoop>> loops_;
  int getters_so_far_ = 0;
  int waiters_so_far_ = 0;
};

}  // namespace

Outcome RunScenario(uint64_t seed, bool tracing) { return Scenario(seed, tracing).Run(); }

}  // namespace taskwatch::simulation
