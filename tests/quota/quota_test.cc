// What must hold of the month and of the second, in virtual time: the whole of the core against the stand-in's model of
// DingTalk, which counts what it is asked.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "service/dingtalk/dingtalk_task_source.h"
#include "service/dingtalk/tokens/fixed_access_token.h"
#include "service/quota/call_queue.h"
#include "service/runtime/simulated_loop.h"
#include "service/task/task_error.h"
#include "service/task/task_info.h"
#include "service/tracker/snapshot_cache.h"
#include "service/tracker/task_subscriber.h"
#include "service/tracker/task_tracker.h"
#include "tests/dingtalk_standin/api.h"
#include "tests/dingtalk_standin/dingtalk_model.h"
#include "tests/dingtalk_standin/task_plan.h"
#include "tests/fakes/fake_call_ledger.h"
#include "tests/matchers/status_matchers.h"
#include "tests/quota/model_http_client.h"

namespace taskwatch {
namespace {

using standin::DingTalkModel;
using standin::TaskPlan;

constexpr char kToken[] = "quota-test-token";
constexpr absl::Duration kDay = absl::Hours(24);
constexpr absl::CivilMonth kMonth(2027, 6);
// Of 30 days.
const absl::Time kStart = absl::FromCivil(kMonth, absl::FixedTimeZone(8 * 60 * 60));
const absl::Time kEnd = kStart + 30 * kDay;

// Watches one task to its end.
class Watcher final : public TaskSubscriber {
 public:
  Watcher(SimulatedLoop* loop, absl::Time end) : loop_(loop), end_(end) {}

  void OnUpdate(const TaskSnapshotPtr& snapshot) override {
    if (IsDone(snapshot->info.state)) seen_ = loop_->Now();
  }
  void OnError(const absl::Status& error) override { ADD_FAILURE() << error; }

  bool seen() const { return seen_.has_value(); }
  // How long after the task's end that was seen.
  absl::Duration delay() const { return *seen_ - end_; }

 private:
  SimulatedLoop* const loop_;
  const absl::Time end_;
  std::optional<absl::Time> seen_;
};

// The core, from the tracker to the wire.
class Core {
 public:
  // The core has made `used` calls this month, and so has the organisation.
  Core(absl::Time now, int64_t used, int64_t gateway_qps = 20)
      : loop_(now), model_(ModelOptions(used, gateway_qps)), http_(&loop_, &model_, absl::Milliseconds(40)) {
    ledger_.calls[kMonth] = used;
    queue_ = std::make_unique<CallQueue>(&loop_, &ledger_, CallQueue::Options());
    tokens_ = *FixedAccessToken::Create(&loop_, kToken, "a token");
    source_ = std::make_unique<DingTalkTaskSource>(&loop_, &http_, tokens_.get(), queue_.get(),
                                                   DingTalkTaskSource::Options());
    TaskTracker::Options options;
    options.slowdown = [this] { return queue_->Slowdown(); };
    tracker_ = std::make_unique<TaskTracker>(&loop_, source_.get(), &cache_, options);
  }

  SimulatedLoop& loop() { return loop_; }
  DingTalkModel& model() { return model_; }
  CallQueue& queue() { return *queue_; }
  TaskTracker& tracker() { return *tracker_; }

  // Begins a task that takes `length`, and watches it.
  void WatchNewTask(absl::Duration length) {
    const std::string task_id = absl::StrCat("task-", watchers_.size());
    TaskPlan plan;
    plan.waiting = length / 10;
    plan.running = length - plan.waiting;
    model_.AddTask(task_id, plan, loop_.Now());
    watchers_.push_back(std::make_unique<Watcher>(&loop_, loop_.Now() + length));
    EXPECT_THAT(tracker_->Watch(task_id, std::nullopt, watchers_.back().get()), IsOk());
  }

  const std::vector<std::unique_ptr<Watcher>>& watchers() const { return watchers_; }

 private:
  static DingTalkModel::Options ModelOptions(int64_t used, int64_t qps) {
    DingTalkModel::Options options;
    options.static_tokens = {kToken};
    options.qps = qps;
    options.monthly_calls = 5000 - used;
    return options;
  }

  SimulatedLoop loop_;
  DingTalkModel model_;
  ModelHttpClient http_;
  FakeCallLedger ledger_;
  SnapshotCache cache_{100'000};
  std::unique_ptr<CallQueue> queue_;
  std::unique_ptr<FixedAccessToken> tokens_;
  std::unique_ptr<DingTalkTaskSource> source_;
  std::unique_ptr<TaskTracker> tracker_;
  std::vector<std::unique_ptr<Watcher>> watchers_;
};

// Two seconds to two hours, as many of them short as long.
absl::Duration DrawLength(std::mt19937_64& random) {
  const double exponent = std::uniform_real_distribution<double>(std::log(2.0), std::log(7200.0))(random);
  return absl::Seconds(std::exp(exponent));
}

// Whether everybody has seen the end of his task, without a call that DingTalk refused. Prints how late, for people.
void ExpectAllSeen(Core& core, const char* what) {
  size_t seen = 0;
  absl::Duration sum, worst;
  for (const auto& watcher : core.watchers()) {
    if (!watcher->seen()) continue;
    ++seen;
    sum += watcher->delay();
    worst = std::max(worst, watcher->delay());
  }
  std::printf("%s: %zu of %zu ends seen, %s late on average, %s at worst; %lld calls\n", what, seen,
              core.watchers().size(), absl::FormatDuration(absl::Trunc(sum / seen, absl::Seconds(1))).c_str(),
              absl::FormatDuration(absl::Trunc(worst, absl::Seconds(1))).c_str(),
              static_cast<long long>(core.queue().stats().budget.calls));
  EXPECT_EQ(seen, core.watchers().size()) << what;
  EXPECT_EQ(core.model().counts().refused_month, 0) << what;
  EXPECT_EQ(core.model().counts().refused_qps, 0) << what;
}

class Month : public testing::TestWithParam<uint64_t> {
 protected:
  void SetUp() override { spdlog::set_level(spdlog::level::off); }

  std::mt19937_64 random_{GetParam()};
};

TEST_P(Month, ThreeQuartersSpentAfterThreeDaysStillShowsEveryEnd) {
  Core core(kStart + 3 * kDay, 3750);
  // A hundred tasks at once, and ten more each day.
  for (int i = 0; i < 100; ++i) core.WatchNewTask(DrawLength(random_));
  while (core.loop().Now() < kEnd - kDay) {
    core.loop().RunFor(kDay * std::exponential_distribution<double>(10)(random_));
    core.WatchNewTask(DrawLength(random_));
  }
  core.loop().RunFor(kEnd - absl::Seconds(1) - core.loop().Now());
  ExpectAllSeen(core, "a hundred tasks and ten more each day");
}

TEST_P(Month, ThreeQuartersSpentAfterThreeDaysStillShowsTheEndsOfFiveHundredTasks) {
  Core core(kStart + 3 * kDay, 3750);
  for (int i = 0; i < 500; ++i) core.WatchNewTask(DrawLength(random_));
  core.loop().RunFor(kEnd - absl::Seconds(1) - core.loop().Now());
  ExpectAllSeen(core, "five hundred tasks at once");
}

TEST_P(Month, ThreeQuartersSpentAfterThreeDaysStillShowsTheEndsOfTasksThatTakeDays) {
  Core core(kStart + 3 * kDay, 3750);
  for (int i = 0; i < 100; ++i) {
    core.WatchNewTask(absl::Hours(1) + 25 * kDay * std::uniform_real_distribution<double>()(random_));
  }
  core.loop().RunFor(kEnd - absl::Seconds(1) - core.loop().Now());
  ExpectAllSeen(core, "a hundred tasks that take days");
}

TEST_P(Month, OfManyTasksLastsToItsEnd) {
  Core core(kStart, 0);
  while (core.loop().Now() < kEnd - absl::Hours(6)) {
    core.loop().RunFor(kDay * std::exponential_distribution<double>(40)(random_));
    core.WatchNewTask(DrawLength(random_));
  }
  core.loop().RunFor(kEnd - absl::Seconds(1) - core.loop().Now());
  ExpectAllSeen(core, "forty tasks each day from the first");
}

TEST_P(Month, LeavesCallsForCallersHoweverManyTasksAreWatched) {
  Core core(kStart, 0);
  for (int i = 0; i < 300; ++i) core.WatchNewTask(40 * kDay);
  int answered = 0;
  for (int day = 1; day < 30; ++day) {
    core.loop().RunFor(kDay);
    for (int i = 0; i < 8; ++i) {
      core.tracker().Get(absl::StrCat("other-", day, "-", i), absl::ZeroDuration(),
                         core.loop().Now() + absl::Minutes(1), [&](const absl::StatusOr<TaskSnapshotPtr>& answer) {
                           // There is no such task; what counts is that DingTalk was asked.
                           if (DetailsOf(answer.status()).reason == ErrorReason::kTaskNotFound) ++answered;
                         });
      core.loop().RunFor(absl::Minutes(1));
    }
  }
  EXPECT_EQ(answered, 29 * 8);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Month, testing::Range<uint64_t>(1, 6));

class Callers : public testing::Test {
 protected:
  void SetUp() override { spdlog::set_level(spdlog::level::off); }

  // Asks for `count` tasks at once; how many answers and refusals that has brought in the end.
  struct Outcome {
    int answered = 0;
    int refused = 0;
  };
  static Outcome Ask(Core& core, int count, absl::Duration timeout) {
    Outcome outcome;
    for (int i = 0; i < count; ++i) {
      const std::string task_id = absl::StrCat("task-", i);
      core.model().AddTask(task_id, TaskPlan(), core.loop().Now());
      core.tracker().Get(task_id, absl::ZeroDuration(), core.loop().Now() + timeout,
                         [&outcome](const absl::StatusOr<TaskSnapshotPtr>& answer) {
                           ++(answer.ok() ? outcome.answered : outcome.refused);
                         });
    }
    core.loop().RunFor(timeout + absl::Seconds(1));
    return outcome;
  }
};

TEST_F(Callers, OfAHundredTasksAtOnceAreAllAnsweredWithoutARefusal) {
  Core core(kStart, 0);
  const Outcome outcome = Ask(core, 100, absl::Seconds(10));
  EXPECT_EQ(outcome.answered, 100);
  EXPECT_EQ(core.model().counts().refused_qps, 0);
}

TEST_F(Callers, WhoCannotWaitAreToldSoWithoutACall) {
  Core core(kStart, 0);
  const Outcome outcome = Ask(core, 100, absl::Seconds(2));
  EXPECT_GE(outcome.answered, 30);
  EXPECT_EQ(outcome.answered + outcome.refused, 100);
  EXPECT_EQ(core.model().counts().of(standin::Api::kTaskInfo), outcome.answered);
  EXPECT_EQ(core.queue().stats().refused_late, static_cast<uint64_t>(outcome.refused));
  EXPECT_EQ(core.model().counts().refused_qps, 0);
}

TEST_F(Callers, AreAllAnsweredWhenOthersUseHalfOfTheRate) {
  // What is left by another process of the same app.
  Core core(kStart, 0, /*gateway_qps=*/10);
  const Outcome outcome = Ask(core, 100, absl::Minutes(1));
  EXPECT_EQ(outcome.answered, 100);
  EXPECT_LT(core.model().counts().refused_qps, 50);
}

}  // namespace
}  // namespace taskwatch
