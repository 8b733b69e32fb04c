// What trouble with DingTalk costs, in virtual time: the whole of the core against the stand-in's model of DingTalk,
// which counts what it is asked. Each test prints its figures.
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

#include "service/dingtalk/dingtalk_task_source.h"
#include "service/dingtalk/tokens/cached_access_token.h"
#include "service/dingtalk/tokens/oauth_token_call.h"
#include "service/quota/call_queue.h"
#include "service/runtime/simulated_loop.h"
#include "service/task/task_error.h"
#include "service/task/task_info.h"
#include "service/tracker/snapshot_cache.h"
#include "service/tracker/task_subscriber.h"
#include "service/tracker/task_tracker.h"
#include "tests/dingtalk_standin/api.h"
#include "tests/dingtalk_standin/dingtalk_model.h"
#include "tests/dingtalk_standin/fault.h"
#include "tests/dingtalk_standin/task_plan.h"
#include "tests/matchers/status_matchers.h"
#include "tests/quota/model_http_client.h"

namespace taskwatch {
namespace {

using standin::Api;
using standin::DingTalkModel;
using standin::Fault;

const absl::Time kStart = absl::FromUnixSeconds(1'800'000'000);
constexpr char kSecret[] = "demo-app-secret";

// Keeps what it is told last.
class Watcher final : public TaskSubscriber {
 public:
  void OnUpdate(const TaskSnapshotPtr& snapshot) override { done = IsDone(snapshot->info.state); }
  void OnError(const absl::Status& error) override { end = error; }

  bool done = false;
  absl::Status end;
};

// The core, from the tracker to the wire.
class Core {
 public:
  explicit Core(int64_t monthly_calls = 5000)
      : queue_(&loop_, nullptr, QueueOptions(monthly_calls)),
        tokens_(&loop_, *OauthTokenCall::Create(&loop_, &http_, TokenOptions())),
        source_(&loop_, &http_, &tokens_, &queue_, DingTalkTaskSource::Options()),
        tracker_(&loop_, &source_, &cache_, TaskTracker::Options()) {
    spdlog::set_level(spdlog::level::off);
  }

  SimulatedLoop& loop() { return loop_; }
  DingTalkModel& model() { return model_; }
  CallQueue& queue() { return queue_; }
  TaskTracker& tracker() { return tracker_; }

  void AddTask(const std::string& task_id, absl::Duration running) {
    standin::TaskPlan plan;
    plan.waiting = absl::ZeroDuration();
    plan.running = running;
    model_.AddTask(task_id, plan, loop_.Now());
  }
  // From now on every call about a task meets this.
  void Break(const std::string& fault_name) {
    Fault fault = fault_name == "rejected_token" ? Fault() : *standin::CannedFault(fault_name);
    if (fault_name == "rejected_token") {
      fault.http_status = 400;
      fault.code = "InvalidAuthentication";
    }
    fault.api = Api::kTaskInfo;
    fault.count = Fault::kUntilCleared;
    model_.InjectFault(std::move(fault));
  }
  int64_t task_calls() const { return model_.counts().of(Api::kTaskInfo); }
  int64_t token_calls() const { return model_.counts().of(Api::kAccessToken); }

 private:
  static CallQueue::Options QueueOptions(int64_t monthly_calls) {
    CallQueue::Options options;
    options.budget.monthly_calls = monthly_calls;
    return options;
  }
  static DingTalkModel::Options ModelOptions() {
    DingTalkModel::Options options;
    options.monthly_calls = 0;
    return options;
  }
  static OauthTokenCall::Options TokenOptions() {
    OauthTokenCall::Options options;
    options.app_key = DingTalkModel::Options().app_key;
    options.app_secret = kSecret;
    return options;
  }

  SimulatedLoop loop_{kStart};
  DingTalkModel model_{ModelOptions()};
  ModelHttpClient http_{&loop_, &model_, absl::Milliseconds(40)};
  SnapshotCache cache_{100'000};
  CallQueue queue_;
  CachedAccessToken tokens_;
  DingTalkTaskSource source_;
  TaskTracker tracker_;
};

TEST(LastingRefusalsForTheRate, CostAGetAFewCallsAndTheMonthNone) {
  Core core;
  core.AddTask("task", absl::Hours(1));
  core.Break("qps_limit");
  std::optional<absl::Status> answer;
  core.tracker().Get("task", absl::Seconds(1), kStart + absl::Minutes(1),
                     [&](const absl::StatusOr<TaskSnapshotPtr>& got) { answer = got.status(); });
  core.loop().RunFor(absl::Minutes(1));
  std::printf("one get, refused for the rate for 60 s: %lld calls, told after them: %s\n",
              static_cast<long long>(core.task_calls()),
              std::string(answer.value_or(absl::OkStatus()).message()).c_str());
  EXPECT_LE(core.task_calls(), 7);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(ReasonOf(*answer), ErrorReason::kUpstreamRateLimited);
  EXPECT_TRUE(DetailsOf(*answer).retry_after.has_value());
  EXPECT_EQ(core.queue().stats().budget.calls, 0) << "DingTalk counts none of them";
}

TEST(LastingRefusalsForTheRate, CostAWatchAFewCallsAndItGoesOn) {
  Core core;
  core.AddTask("task", absl::Seconds(80));
  core.Break("qps_limit");
  Watcher watcher;
  ASSERT_THAT(core.tracker().Watch("task", std::nullopt, &watcher), IsOk());
  core.loop().RunFor(absl::Minutes(1));
  const int64_t calls = core.task_calls();
  std::printf("one watch, refused for the rate for 60 s: %lld calls\n", static_cast<long long>(calls));
  EXPECT_LE(calls, 8);
  EXPECT_THAT(watcher.end, IsOk());
  core.model().ClearFaults();
  core.loop().RunFor(absl::Minutes(10));
  EXPECT_TRUE(watcher.done);
  EXPECT_THAT(watcher.end, IsOk());
}

struct TroubleRow {
  const char* fault;
  ErrorReason reason;
  // Calls for each probe: a rejected token is tried anew once.
  int calls_per_probe;
};

class Trouble : public testing::TestWithParam<TroubleRow> {};

TEST_P(Trouble, OfAMinuteCostsAThousandEagerCallersFewCalls) {
  constexpr int kCallers = 1000;
  Core core(/*monthly_calls=*/0);
  for (int i = 0; i < kCallers; ++i) core.AddTask(absl::StrCat("task-", i), absl::ZeroDuration());
  core.Break(GetParam().fault);
  int64_t asked = 0;
  int answered = 0;
  bool eager = true;
  // Each asks for its own task again, a second after it was told an error.
  std::function<void(int)> ask = [&](int caller) {
    ++asked;
    core.tracker().Get(absl::StrCat("task-", caller), absl::Seconds(1), core.loop().Now() + absl::Seconds(10),
                       [&, caller](const absl::StatusOr<TaskSnapshotPtr>& got) {
                         if (got.ok()) {
                           ++answered;
                         } else if (eager) {
                           core.loop().RunAfter(absl::Seconds(1), [&, caller] { ask(caller); });
                         }
                       });
  };
  for (int i = 0; i < kCallers; ++i) ask(i);
  core.loop().RunFor(absl::Minutes(1));
  const int64_t calls = core.task_calls();
  const CallQueue::Stats stats = core.queue().stats();
  std::printf("%s for 60 s: 1000 callers ask %lld times: %lld calls and %lld for tokens; %lld probes\n",
              GetParam().fault, static_cast<long long>(asked), static_cast<long long>(calls),
              static_cast<long long>(core.token_calls()), static_cast<long long>(stats.budget.probes));
  EXPECT_LE(calls, 100);
  EXPECT_LE(core.token_calls(), 20);
  EXPECT_LE(stats.budget.probes, 7 * GetParam().calls_per_probe) << "after 1, 2, 4, 8, 16 and 32 s";
  std::optional<absl::Status> known;
  core.tracker().Get("one-more", absl::Seconds(1), core.loop().Now() + absl::Minutes(2),
                     [&](const absl::StatusOr<TaskSnapshotPtr>& got) { known = got.status(); });
  core.loop().RunFor(absl::Milliseconds(1));
  EXPECT_EQ(ReasonOf(known.value_or(absl::OkStatus())), GetParam().reason);

  // Well again: a minute and five seconds later calls go at the full rate.
  core.model().ClearFaults();
  core.loop().RunFor(absl::Seconds(65));
  const int before = answered;
  core.loop().RunFor(absl::Seconds(30));
  EXPECT_GE(answered, std::min(kCallers, before + 30 * 17));
  EXPECT_EQ(core.queue().stats().budget.restraint, CallBudget::Restraint::kNone);
  eager = false;
  core.loop().RunFor(absl::Minutes(2));
}

INSTANTIATE_TEST_SUITE_P(OfDingTalk, Trouble,
                         testing::Values(TroubleRow{"hang", ErrorReason::kUpstreamTimeout, 1},
                                         TroubleRow{"close", ErrorReason::kUpstreamUnavailable, 1},
                                         TroubleRow{"operation_timeout", ErrorReason::kUpstreamTimeout, 1},
                                         TroubleRow{"system_error", ErrorReason::kUpstreamSystemError, 1},
                                         TroubleRow{"malformed_null", ErrorReason::kUpstreamMalformedResponse, 1},
                                         TroubleRow{"permission_denied", ErrorReason::kUpstreamPermissionDenied, 1},
                                         TroubleRow{"rejected_token", ErrorReason::kUpstreamUnauthenticated, 2},
                                         TroubleRow{"qps_limit", ErrorReason::kUpstreamRateLimited, 1}),
                         [](const auto& row) { return row.param.fault; });

}  // namespace
}  // namespace taskwatch
