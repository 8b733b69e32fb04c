// What a taskwatchd leaves to the next one: in good order, and killed at any moment.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

#include "service/quota/billing_month.h"
#include "service/store/state_store.h"
#include "tests/dingtalk_standin/api.h"
#include "tests/dingtalk_standin/dingtalk_model.h"
#include "tests/dingtalk_standin/dingtalk_server.h"
#include "tests/dingtalk_standin/task_plan.h"
#include "tests/integration/calls.h"
#include "tests/integration/child_process.h"
#include "tests/integration/taskwatchd_process.h"
#include "tests/store/temporary_folder.h"

namespace taskwatch {
namespace {

using standin::Api;
using standin::DingTalkModel;
using standin::DingTalkServer;
using standin::TaskPlan;
using testing::HasSubstr;

// What a crash may count too many: the block that the ledger is ahead.
constexpr int64_t kBlock = 10;

class StateFile : public testing::Test {
 protected:
  StateFile() {
    DingTalkServer::Options options;
    options.model.static_tokens = {kToken};
    options.model.qps = 0;
    options.model.monthly_calls = 0;
    options.model.example_task = true;
    gateway_ = *DingTalkServer::Start(options);
  }

  std::unique_ptr<Taskwatchd> Start(Flags flags = {}) {
    flags.push_back(StateFlag());
    return std::make_unique<Taskwatchd>(gateway_->base_url(), flags);
  }
  std::string StateFlag() const { return absl::StrCat("--state_file=", path_); }

  int64_t CallsReceived() {
    int64_t calls = 0;
    gateway_->WithModel([&](const DingTalkModel& model, absl::Time) { calls = model.counts().of(Api::kTaskInfo); });
    return calls;
  }

  // What the ledger has, when nobody uses it; of two months, in case one ends during the test.
  int64_t CallsRecorded() {
    StateStore::Options options;
    options.path = path_;
    const absl::StatusOr<std::unique_ptr<StateStore>> store = StateStore::Open(options);
    if (!store.ok()) {
      ADD_FAILURE() << store.status();
      return -1;
    }
    return (*store)->CallsIn(MonthOf(absl::Now())).value() + (*store)->CallsIn(MonthOf(absl::Now()) - 1).value();
  }

  const TemporaryFolder folder_;
  const std::string path_ = folder_.File("taskwatch.db");
  std::unique_ptr<DingTalkServer> gateway_;
};

TEST_F(StateFile, SparesTheNextTaskwatchdEveryCallForATaskThatHasEnded) {
  v1::TaskInfo before;
  {
    const auto taskwatchd = Start();
    const GetResult result = Get(taskwatchd->stub(), "abcd");
    ASSERT_THAT(result.status, IsOkCall());
    before = result.task;
    taskwatchd->process().Signal(SIGTERM);
    ASSERT_EQ(taskwatchd->process().AwaitExit(), 0);
  }
  const auto taskwatchd = Start();

  const GetResult result = Get(taskwatchd->stub(), "abcd", {absl::ZeroDuration()});
  WatchStream stream(taskwatchd->stub(), "abcd");
  EXPECT_THAT(stream.AwaitEnd(), IsOkCall());

  EXPECT_EQ(result.task.SerializeAsString(), before.SerializeAsString());
  EXPECT_EQ(stream.last_task().SerializeAsString(), before.SerializeAsString());
  EXPECT_EQ(CallsReceived(), 1);
}

TEST_F(StateFile, HoldsTheTrueNumberOfCallsAfterAnOrderlyEnd) {
  const auto taskwatchd = Start();
  for (int i = 0; i < 3; ++i) Get(taskwatchd->stub(), absl::StrCat("unknown-", i));
  taskwatchd->process().Signal(SIGTERM);
  ASSERT_EQ(taskwatchd->process().AwaitExit(), 0);
  EXPECT_EQ(CallsRecorded(), 3);
}

TEST_F(StateFile, LosesNoCallWhenTheProcessIsKilledAtAnyMoment) {
  constexpr int kTasks = 40;
  int64_t at_most = 0;
  for (int round = 1; round <= 12; ++round) {
    const auto taskwatchd = Start();
    std::vector<std::unique_ptr<GetRequest>> requests;
    for (int i = 0; i < kTasks; ++i) {
      requests.push_back(std::make_unique<GetRequest>(taskwatchd->stub(), absl::StrCat("round-", round, "-task-", i)));
    }
    // In the middle of them, a little later each time.
    gateway_->AwaitCalls(Api::kTaskInfo, CallsReceived() + 3 * round - 2);
    taskwatchd->process().Signal(SIGKILL);
    ASSERT_EQ(taskwatchd->process().AwaitExit(), -SIGKILL);

    const int64_t recorded = CallsRecorded();
    EXPECT_GE(recorded, CallsReceived()) << "in round " << round;
    at_most += kTasks + kBlock;
    EXPECT_LE(recorded, at_most) << "in round " << round;
  }
  // What was on its way when a process died has come in by now, or never will.
  EXPECT_GE(CallsRecorded(), CallsReceived());
}

TEST_F(StateFile, StopsAtTheMonthsLimitAlsoWhenTheCallsWereMadeByAnother) {
  const Flags limit = {"--upstream_monthly_calls=5"};
  {
    const auto taskwatchd = Start(limit);
    for (int i = 0; i < 3; ++i) Get(taskwatchd->stub(), absl::StrCat("unknown-", i));
    taskwatchd->process().Signal(SIGTERM);
    ASSERT_EQ(taskwatchd->process().AwaitExit(), 0);
  }
  const auto taskwatchd = Start(limit);
  for (int i = 3; i < 5; ++i) Get(taskwatchd->stub(), absl::StrCat("unknown-", i));
  EXPECT_EQ(ErrorIn(Get(taskwatchd->stub(), "unknown-5").status).reason, "MONTHLY_QUOTA_EXHAUSTED");
  EXPECT_EQ(CallsReceived(), 5);
}

TEST_F(StateFile, IsForOneTaskwatchdAtATime) {
  const auto first = Start();
  ChildProcess second(
      {kTaskwatchd, "--listen=127.0.0.1:0", absl::StrCat("--dingtalk_base_url=", gateway_->base_url()), StateFlag()},
      {{"DINGTALK_ACCESS_TOKEN", kToken}});
  EXPECT_EQ(second.AwaitExit(), 2);
  EXPECT_THAT(second.standard_error(),
              testing::MatchesRegex(absl::StrCat("ERROR: --state_file '.*' is in use by process ",
                                                 first->process().pid(), "; [^\n]*\n")));
  EXPECT_EQ(ErrorIn(Get(first->stub(), "unknown").status).reason, "TASK_NOT_FOUND");
}

TEST_F(StateFile, IsNotTakenForAnotherDingTalks) {
  DingTalkServer::Options options;
  options.model.static_tokens = {kToken};
  const std::unique_ptr<DingTalkServer> real = *DingTalkServer::Start(options);
  {
    const auto demo = Start();
    ASSERT_THAT(Get(demo->stub(), "abcd").status, IsOkCall());
    demo->process().Signal(SIGTERM);
    ASSERT_EQ(demo->process().AwaitExit(), 0);
  }

  ChildProcess refused(
      {kTaskwatchd, "--listen=127.0.0.1:0", absl::StrCat("--dingtalk_base_url=", real->base_url()), StateFlag()},
      {{"DINGTALK_ACCESS_TOKEN", kToken}});
  EXPECT_EQ(refused.AwaitExit(), 2);
  EXPECT_THAT(refused.standard_error(),
              testing::MatchesRegex(absl::StrCat("ERROR: --state_file '.*' belongs to the service of ",
                                                 gateway_->base_url(), ", [^\n]* --adopt_state_file [^\n]*\n")));

  Taskwatchd adopter(real->base_url(), {StateFlag(), "--adopt_state_file"});
  EXPECT_EQ(ErrorIn(Get(adopter.stub(), "abcd").status).reason, "TASK_NOT_FOUND") << "the other's result";
  adopter.process().Signal(SIGTERM);
  ASSERT_EQ(adopter.process().AwaitExit(), 0);
  EXPECT_EQ(CallsRecorded(), 2) << "one of each";
}

TEST_F(StateFile, EndsTheStartWithOneLineWhenItIsDamaged) {
  std::ofstream(path_) << "something else, and more than a few bytes of it";
  ChildProcess process(
      {kTaskwatchd, "--listen=127.0.0.1:0", absl::StrCat("--dingtalk_base_url=", gateway_->base_url()), StateFlag()},
      {{"DINGTALK_ACCESS_TOKEN", kToken}});
  EXPECT_EQ(process.AwaitExit(), 2);
  EXPECT_THAT(process.standard_error(),
              testing::MatchesRegex("ERROR: --state_file '.*' is damaged or not a database: [^\n]*\n"));
}

}  // namespace
}  // namespace taskwatch
