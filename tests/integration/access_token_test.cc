// Access tokens end to end: obtained once, renewed once, and their trouble told as the service's own.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

#include "service/config.h"
#include "tests/dingtalk_standin/api.h"
#include "tests/dingtalk_standin/dingtalk_model.h"
#include "tests/dingtalk_standin/dingtalk_server.h"
#include "tests/dingtalk_standin/fault.h"
#include "tests/dingtalk_standin/task_plan.h"
#include "tests/fakes/secret_path.h"
#include "tests/integration/calls.h"
#include "tests/integration/service_under_test.h"
#include "tests/patience/patience.h"

namespace taskwatch {
namespace {

using standin::Api;
using standin::DingTalkModel;
using standin::DingTalkServer;
using standin::Fault;

constexpr int kTasks = 50;

std::string TaskId(int number) { return absl::StrCat("task", number); }

// A gateway without limits that has kTasks running tasks and only tokens that it has issued.
std::unique_ptr<DingTalkServer> StartGateway() {
  DingTalkServer::Options options;
  options.model.qps = 0;
  options.model.monthly_calls = 0;
  std::unique_ptr<DingTalkServer> gateway = *DingTalkServer::Start(options);
  gateway->WithModel([](DingTalkModel& model, absl::Time now) {
    standin::TaskPlan plan;
    plan.running = absl::Hours(1);
    for (int i = 0; i < kTasks; ++i) model.AddTask(TaskId(i), plan, now);
  });
  return gateway;
}

struct TokenCallRow {
  const char* name;
  Api api;
  bool has_corp_id;
};

class TokenCall : public testing::TestWithParam<TokenCallRow> {
 protected:
  Config ConfigFor(const DingTalkServer& gateway, const std::string& secret) {
    const DingTalkModel::Options known;
    Config config = TestConfig(gateway.base_url());
    config.access_token.clear();
    config.app_key = known.app_key;
    config.app_secret = secret;
    if (GetParam().has_corp_id) config.corp_id = known.corp_id;
    return config;
  }

  static DingTalkModel::Counts CountsOf(DingTalkServer& gateway) {
    DingTalkModel::Counts counts;
    gateway.WithModel([&counts](DingTalkModel& model, absl::Time) { counts = model.counts(); });
    return counts;
  }
};

TEST_P(TokenCall, IsMadeOnceForManyWhoWaitWhenTheTokenHasExpired) {
  const std::unique_ptr<DingTalkServer> gateway = StartGateway();
  ServiceUnderTest service(ConfigFor(*gateway, DingTalkModel::Options().app_secret));
  ASSERT_THAT(Get(service.stub(), TaskId(0)).status, IsOkCall());
  ASSERT_EQ(CountsOf(*gateway).of(GetParam().api), 1);
  gateway->WithModel([](DingTalkModel& model, absl::Time) { model.ExpireTokens(); });

  GetRequest::Options fresh;
  fresh.max_staleness = absl::ZeroDuration();
  std::vector<std::unique_ptr<GetRequest>> requests;
  for (int i = 0; i < kTasks; ++i) {
    requests.push_back(std::make_unique<GetRequest>(service.stub(), TaskId(i), fresh));
  }

  for (const auto& request : requests) EXPECT_THAT(request->Await(), IsOkCall());
  EXPECT_EQ(CountsOf(*gateway).of(GetParam().api), 2);
}

TEST_P(TokenCall, WithAWrongSecretIsToldAsTheServicesOwnTroubleAndNotRepeated) {
  const std::unique_ptr<DingTalkServer> gateway = StartGateway();
  ServiceUnderTest service(ConfigFor(*gateway, "not-the-secret"));

  std::vector<std::unique_ptr<GetRequest>> requests;
  for (int i = 0; i < kTasks; ++i) requests.push_back(std::make_unique<GetRequest>(service.stub(), TaskId(i)));

  for (const auto& request : requests) {
    const CallError error = ErrorIn(request->Await());
    EXPECT_EQ(error.code, grpc::StatusCode::FAILED_PRECONDITION) << error;
    EXPECT_EQ(error.reason, "UPSTREAM_UNAUTHENTICATED");
  }
  EXPECT_EQ(CountsOf(*gateway).of(Api::kTaskInfo), 0) << "nothing is asked without a token";
}

// Asks until DingTalk has been probed and found well.
void AwaitOk(ServiceUnderTest& service) {
  const absl::Time end = absl::Now() + Patience();
  CallError error;
  do {
    const GetResult result = Get(service.stub(), TaskId(0));
    if (result.status.ok()) return;
    error = ErrorIn(result.status);
    EXPECT_TRUE(error.retry_after.has_value()) << error;
  } while (absl::Now() < end);
  FAIL() << error;
}

TEST_P(TokenCall, ThatIsRejectedEvenWithANewTokenIsToldAsTheServicesOwnTrouble) {
  const std::unique_ptr<DingTalkServer> gateway = StartGateway();
  ServiceUnderTest service(ConfigFor(*gateway, DingTalkModel::Options().app_secret));
  Fault reject;
  reject.api = Api::kTaskInfo;
  reject.count = 2;
  reject.http_status = 400;
  reject.code = "InvalidAuthentication";
  gateway->WithModel([&reject](DingTalkModel& model, absl::Time) { model.InjectFault(reject); });

  const CallError error = ErrorIn(Get(service.stub(), TaskId(0)).status);

  EXPECT_EQ(error.code, grpc::StatusCode::FAILED_PRECONDITION) << error;
  EXPECT_EQ(error.reason, "UPSTREAM_UNAUTHENTICATED");
  EXPECT_EQ(error.metadata.at("upstream_code"), "InvalidAuthentication");
  AwaitOk(service);
  EXPECT_EQ(CountsOf(*gateway).of(Api::kTaskInfo), 3) << "one probe shows that all is well";
}

TEST_P(TokenCall, ThatIsAlwaysRejectedCostsTwentyGetsFewCalls) {
  const std::unique_ptr<DingTalkServer> gateway = StartGateway();
  ServiceUnderTest service(ConfigFor(*gateway, DingTalkModel::Options().app_secret));
  Fault reject;
  reject.api = Api::kTaskInfo;
  reject.count = Fault::kUntilCleared;
  reject.http_status = 400;
  reject.code = "InvalidAuthentication";
  gateway->WithModel([&reject](DingTalkModel& model, absl::Time) { model.InjectFault(reject); });

  for (int i = 0; i < 20; ++i) {
    const CallError error = ErrorIn(Get(service.stub(), TaskId(i)).status);
    EXPECT_EQ(error.code, grpc::StatusCode::FAILED_PRECONDITION) << error;
    EXPECT_EQ(error.reason, "UPSTREAM_UNAUTHENTICATED");
  }

  const int64_t task_calls = CountsOf(*gateway).of(Api::kTaskInfo);
  const int64_t token_calls = CountsOf(*gateway).of(GetParam().api);
  const int64_t probes = service.stats().upstream.budget.probes;
  std::printf("20 gets with a token that is always rejected: %lld task calls, %lld token calls, %lld probes\n",
              static_cast<long long>(task_calls), static_cast<long long>(token_calls), static_cast<long long>(probes));
  // Each but the first is a probe, and each has a token of its own; one more token may wait for the next probe.
  EXPECT_EQ(task_calls, 1 + probes);
  EXPECT_LE(token_calls, task_calls + 1);
  EXPECT_LT(task_calls, 20);
  gateway->WithModel([](DingTalkModel& model, absl::Time) { model.ClearFaults(); });
  AwaitOk(service);
}

TEST_P(TokenCall, ThatFailsIsMadeForOneCallerAndNotForEach) {
  const std::unique_ptr<DingTalkServer> gateway = StartGateway();
  ServiceUnderTest service(ConfigFor(*gateway, DingTalkModel::Options().app_secret));
  Fault fail;
  fail.api = GetParam().api;
  fail.count = Fault::kUntilCleared;
  fail.http_status = 500;
  fail.code = "server.error";
  gateway->WithModel([&fail](DingTalkModel& model, absl::Time) { model.InjectFault(fail); });

  constexpr int kGets = 200;
  for (int i = 0; i < kGets; ++i) {
    EXPECT_EQ(ErrorIn(Get(service.stub(), TaskId(i % kTasks)).status).reason, "UPSTREAM_SYSTEM_ERROR");
  }

  const int64_t calls = CountsOf(*gateway).of(GetParam().api);
  std::printf("%d gets made %lld token calls\n", kGets, static_cast<long long>(calls));
  // The pauses between ten of them last eight minutes.
  EXPECT_LT(calls, 10);
  gateway->WithModel([](DingTalkModel& model, absl::Time) { model.ClearFaults(); });
  AwaitOk(service);
}

// Waits for a heartbeat with an error, or without one, after the first `seen` messages; returns how many have come
// then.
size_t AwaitHeartbeat(WatchStream& stream, size_t seen, bool with_error) {
  while (stream.AwaitMessages(++seen)) {
    const v1::WatchTaskResponse message = stream.messages()[seen - 1];
    if (message.has_heartbeat() && message.heartbeat().has_last_poll_error() == with_error) return seen;
  }
  ADD_FAILURE() << "the stream has ended: " << ErrorIn(stream.AwaitEnd());
  return seen;
}

TEST(AccessTokenFile, ThatIsRewrittenLateEndsNoWatchAndCostsNoCall) {
  const std::unique_ptr<DingTalkServer> gateway = StartGateway();
  gateway->WithModel([](DingTalkModel& model, absl::Time) { model.AddToken("token-1"); });
  const auto calls = [&gateway] {
    int64_t calls = 0;
    gateway->WithModel([&calls](DingTalkModel& model, absl::Time) { calls = model.counts().of(Api::kTaskInfo); });
    return calls;
  };
  SecretPath file;
  file.Write("token-1");
  Config config = TestConfig(gateway->base_url());
  config.access_token.clear();
  config.access_token_file = file.path();
  config.heartbeat_interval = absl::Milliseconds(50);
  config.min_heartbeat_interval = absl::Milliseconds(50);
  ServiceUnderTest service(config);
  WatchStream::Options options;
  options.poll_interval = absl::Milliseconds(10);
  WatchStream stream(service.stub(), TaskId(0), options);
  ASSERT_TRUE(stream.AwaitMessages(1));

  gateway->WithModel([](DingTalkModel& model, absl::Time) { model.ExpireTokens(); });
  size_t seen = AwaitHeartbeat(stream, 1, true);
  const int64_t before = calls();
  const CallError error = ErrorIn(Get(service.stub(), TaskId(1)).status);
  EXPECT_EQ(error.code, grpc::StatusCode::FAILED_PRECONDITION) << error;
  EXPECT_EQ(error.reason, "UPSTREAM_UNAUTHENTICATED");
  // More than a second, in which polls come back to see whether there is a token.
  for (int i = 0; i < 30; ++i) seen = AwaitHeartbeat(stream, seen, true);
  file.Remove();
  for (int i = 0; i < 30; ++i) seen = AwaitHeartbeat(stream, seen, true);
  EXPECT_EQ(calls(), before) << "calls were made with a token that was known to be rejected";

  gateway->WithModel([](DingTalkModel& model, absl::Time) { model.AddToken("token-2"); });
  file.Write("token-2");
  AwaitHeartbeat(stream, seen, false);
  EXPECT_THAT(Get(service.stub(), TaskId(1)).status, IsOkCall());
}

INSTANTIATE_TEST_SUITE_P(AccessToken, TokenCall,
                         testing::Values(TokenCallRow{"A", Api::kAccessToken, false},
                                         TokenCallRow{"B", Api::kCorpToken, true}),
                         [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace taskwatch
