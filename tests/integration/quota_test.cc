// Callers in a hurry, a gateway with limits, and real sockets between them.
#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

#include "service/config.h"
#include "service/quota/call_budget.h"
#include "tests/dingtalk_standin/dingtalk_model.h"
#include "tests/dingtalk_standin/dingtalk_server.h"
#include "tests/dingtalk_standin/fault.h"
#include "tests/dingtalk_standin/task_plan.h"
#include "tests/integration/calls.h"
#include "tests/integration/service_under_test.h"
#include "tests/patience/patience.h"

namespace taskwatch {
namespace {

using standin::DingTalkModel;
using standin::DingTalkServer;
using standin::Fault;
using standin::TaskPlan;

// A gateway with DingTalk's limits of a standard organisation, and a hundred tasks.
std::unique_ptr<DingTalkServer> StartGateway() {
  DingTalkServer::Options options;
  options.model.static_tokens = {kTestToken};
  std::unique_ptr<DingTalkServer> gateway = *DingTalkServer::Start(options);
  gateway->WithModel([](DingTalkModel& model, absl::Time now) {
    for (int i = 0; i < 100; ++i) model.AddTask(absl::StrCat("task-", i), TaskPlan(), now);
  });
  return gateway;
}

Config ConfigWithLimits(const DingTalkServer& gateway) {
  Config config = TestConfig(gateway.base_url());
  config.upstream_qps = 18;
  config.upstream_monthly_calls = 5000;
  config.unary_reserve = 0.1;
  return config;
}

TEST(Quota, LetsNoRefusalReachAHundredCallersOfAHundredTasksAtOnce) {
  const std::unique_ptr<DingTalkServer> gateway = StartGateway();
  ServiceUnderTest service(ConfigWithLimits(*gateway));

  std::vector<std::unique_ptr<GetRequest>> requests;
  for (int i = 0; i < 100; ++i) {
    requests.push_back(std::make_unique<GetRequest>(service.stub(), absl::StrCat("task-", i)));
  }
  for (const auto& request : requests) EXPECT_THAT(request->Await(), IsOkCall());

  // How many calls were refused depends on the machine, where a stall lets calls arrive together; none is, as a rule,
  // and in virtual time none at all (//tests/quota:quota_test).
  gateway->WithModel([](const DingTalkModel& model, absl::Time) {
    testing::Test::RecordProperty("refused_qps", static_cast<int>(model.counts().refused_qps));
  });
  EXPECT_GE(service.stats().upstream.budget.calls, 100);
}

TEST(Quota, TellsWhoCannotWaitBeforeAnyCallIsMade) {
  const std::unique_ptr<DingTalkServer> gateway = StartGateway();
  Config config = ConfigWithLimits(*gateway);
  // One call in a thousand seconds.
  config.upstream_qps = 0.001;
  ServiceUnderTest service(config);
  ASSERT_THAT(Get(service.stub(), "task-0").status, IsOkCall());

  const CallError error = ErrorIn(Get(service.stub(), "task-1").status);

  EXPECT_EQ(error.code, grpc::StatusCode::RESOURCE_EXHAUSTED) << error;
  EXPECT_EQ(error.reason, "UPSTREAM_RATE_LIMITED");
  ASSERT_TRUE(error.retry_after.has_value());
  EXPECT_GT(*error.retry_after, kLongDeadline);
  gateway->WithModel([](const DingTalkModel& model, absl::Time) { EXPECT_EQ(model.calls().size(), 1u); });
}

TEST(Quota, TellsThatTheMonthIsUsedUpWithoutACall) {
  const std::unique_ptr<DingTalkServer> gateway = StartGateway();
  Config config = ConfigWithLimits(*gateway);
  config.upstream_monthly_calls = 2;
  ServiceUnderTest service(config);
  ASSERT_THAT(Get(service.stub(), "task-0").status, IsOkCall());
  ASSERT_THAT(Get(service.stub(), "task-1").status, IsOkCall());

  const CallError error = ErrorIn(Get(service.stub(), "task-2").status);

  EXPECT_EQ(error.code, grpc::StatusCode::RESOURCE_EXHAUSTED) << error;
  EXPECT_EQ(error.reason, "MONTHLY_QUOTA_EXHAUSTED");
  EXPECT_TRUE(error.has_quota_failure);
  EXPECT_TRUE(error.retry_after.has_value());
  gateway->WithModel([](const DingTalkModel& model, absl::Time) { EXPECT_EQ(model.calls().size(), 2u); });
}

TEST(Quota, IsNotSpentOnAnAppThatLacksAPermissionAndIsThereOnceItIsGranted) {
  const std::unique_ptr<DingTalkServer> gateway = StartGateway();
  Config config = ConfigWithLimits(*gateway);
  config.upstream_monthly_calls = 60;
  ServiceUnderTest service(config);
  Fault denied = *standin::CannedFault("permission_denied");
  denied.count = Fault::kUntilCleared;
  gateway->WithModel([&denied](DingTalkModel& model, absl::Time) { model.InjectFault(denied); });

  for (int i = 0; i < 500; ++i) {
    const CallError error = ErrorIn(Get(service.stub(), "task-0").status);
    ASSERT_EQ(error.reason, "UPSTREAM_PERMISSION_DENIED") << error;
    ASSERT_EQ(error.code, grpc::StatusCode::FAILED_PRECONDITION);
    ASSERT_EQ(error.metadata.at("http_status"), "403");
  }

  const CallBudget::Stats budget = service.stats().upstream.budget;
  std::printf("500 gets of an app that lacks a permission: %lld calls of the month's 60, %lld of them probes\n",
              static_cast<long long>(budget.calls), static_cast<long long>(budget.probes));
  EXPECT_EQ(budget.calls, 1 + budget.probes);
  EXPECT_LT(budget.calls, 30) << "the pauses between probes grow";
  EXPECT_EQ(budget.restraint, CallBudget::Restraint::kFailing);

  gateway->WithModel([](DingTalkModel& model, absl::Time) { model.ClearFaults(); });
  const absl::Time end = absl::Now() + Patience();
  GetResult result = Get(service.stub(), "task-0");
  while (!result.status.ok() && absl::Now() < end) {
    ASSERT_EQ(ErrorIn(result.status).reason, "UPSTREAM_PERMISSION_DENIED");
    result = Get(service.stub(), "task-0");
  }
  EXPECT_THAT(result.status, IsOkCall());
  EXPECT_EQ(service.stats().upstream.budget.restraint, CallBudget::Restraint::kNone);
}

}  // namespace
}  // namespace taskwatch
