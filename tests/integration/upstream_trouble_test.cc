// What callers see when the gateway misbehaves as a peer: never more than an error, and never for long.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <iostream>
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
#include "tests/fakes/held_port.h"
#include "tests/fakes/raw_server.h"
#include "tests/integration/calls.h"
#include "tests/integration/service_under_test.h"
#include "tests/patience/patience.h"

namespace taskwatch {
namespace {

using standin::DingTalkModel;
using standin::DingTalkServer;
using standin::Fault;

DingTalkServer::Options GatewayOptions() {
  DingTalkServer::Options options;
  options.model.static_tokens = {kTestToken};
  options.model.qps = 0;
  options.model.monthly_calls = 0;
  options.model.example_task = true;
  return options;
}

// How many attempts one get makes.
constexpr int kAttempts = 3;

struct TroubleRow {
  const char* fault;
  // How often it strikes.
  int count;
  // Whether it is the service's time-out that ends it.
  bool hangs;
  grpc::StatusCode code;
  const char* reason;
};

class Trouble : public testing::TestWithParam<TroubleRow> {};

TEST_P(Trouble, IsToldWithinTheCallersDeadlineAndThenForgotten) {
  const std::unique_ptr<DingTalkServer> gateway = *DingTalkServer::Start(GatewayOptions());
  Config config = TestConfig(gateway->base_url());
  if (GetParam().hangs) config.upstream_timeout = absl::Milliseconds(200);
  ServiceUnderTest service(config);
  Fault fault = *standin::CannedFault(GetParam().fault);
  fault.count = GetParam().count;
  gateway->WithModel([&fault](DingTalkModel& model, absl::Time) { model.InjectFault(fault); });

  const CallError error = ErrorIn(Get(service.stub(), "abcd").status);

  EXPECT_EQ(error.code, GetParam().code) << error;
  EXPECT_EQ(error.reason, GetParam().reason) << error;
  GetResult next = Get(service.stub(), "abcd");
  // A slow machine may not answer within that time-out, but it will once.
  const absl::Time end = absl::Now() + Patience();
  while (GetParam().hangs && !next.status.ok() && absl::Now() < end) next = Get(service.stub(), "abcd");
  EXPECT_THAT(next.status, IsOkCall());
  EXPECT_EQ(next.task.state(), v1::TASK_STATE_PARTIALLY_FAILED);
}

INSTANTIATE_TEST_SUITE_P(
    Upstream, Trouble,
    testing::Values(TroubleRow{"hang", kAttempts, true, grpc::StatusCode::UNAVAILABLE, "UPSTREAM_TIMEOUT"},
                    TroubleRow{"drip", kAttempts, true, grpc::StatusCode::UNAVAILABLE, "UPSTREAM_TIMEOUT"},
                    TroubleRow{"reset", kAttempts, false, grpc::StatusCode::UNAVAILABLE, "UPSTREAM_UNAVAILABLE"},
                    TroubleRow{"close", kAttempts, false, grpc::StatusCode::UNAVAILABLE, "UPSTREAM_UNAVAILABLE"},
                    TroubleRow{"huge", 1, false, grpc::StatusCode::INTERNAL, "UPSTREAM_MALFORMED_RESPONSE"}),
    [](const auto& row) { return row.param.fault; });

TEST(Upstream, ThatResetsOnceIsAskedAgainWithoutTheCallerNoticing) {
  const std::unique_ptr<DingTalkServer> gateway = *DingTalkServer::Start(GatewayOptions());
  ServiceUnderTest service(TestConfig(gateway->base_url()));
  gateway->WithModel([](DingTalkModel& model, absl::Time) { model.InjectFault(*standin::CannedFault("reset")); });
  const GetResult result = Get(service.stub(), "abcd");
  EXPECT_THAT(result.status, IsOkCall());
}

TEST(Upstream, ThatHangsDoesNotOutlastTheCallersDeadline) {
  RawServer gateway([](RawServer::Connection& connection, const std::string&) { connection.WaitUntilGone(); });
  // The upstream's time-out, of minutes, is not what ends the call.
  ServiceUnderTest service(TestConfig(gateway.url()));
  GetRequest::Options options;
  options.timeout = absl::Milliseconds(100);
  EXPECT_EQ(Get(service.stub(), "abcd", options).status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  service.Await([](const TaskwatchService::Stats& stats) {
    return stats.tracker.waiting_gets == 0 && stats.calls.finished == stats.calls.started;
  });
}

// Whether the rate of calls is unlimited, or so high that they come to the HTTP client by themselves.
class HangingUpstream : public testing::TestWithParam<double> {};

TEST_P(HangingUpstream, HoldsNoSlotOnceItsCallersHaveGone) {
  constexpr int kGets = 4000;
  std::atomic<bool> hangs = true;
  RawServer gateway([&hangs](RawServer::Connection& connection, const std::string& head) {
    if (hangs) return connection.WaitUntilGone();
    const std::string task_id = head.substr(0, head.find(" HTTP")).substr(sizeof("GET /v2.0/doc/task/info/") - 1);
    const std::string body = absl::StrCat(R"({"taskId":")", task_id, R"(","status":1})");
    connection.Send(absl::StrCat("HTTP/1.1 200 OK\r\ncontent-length: ", body.size(), "\r\n\r\n", body));
  });
  Config config = TestConfig(gateway.url());
  config.upstream_qps = GetParam();
  config.upstream_monthly_calls = 0;
  config.upstream_timeout = absl::Milliseconds(300);
  ServiceUnderTest service(config);

  GetRequest::Options hurried;
  hurried.timeout = absl::Seconds(1);
  std::vector<std::unique_ptr<GetRequest>> requests;
  for (int i = 0; i < kGets; ++i) {
    requests.push_back(std::make_unique<GetRequest>(service.stub(), absl::StrCat("task", i), hurried));
  }
  for (const auto& request : requests) EXPECT_FALSE(request->Await().ok());
  service.Await([](const TaskwatchService::Stats& stats) { return stats.http.active + stats.http.waiting == 0; });
  hangs = false;

  GetResult next = Get(service.stub(), "again");
  // It may be remembered for a while that nothing was answered.
  const absl::Time end = absl::Now() + Patience();
  while (!next.status.ok() && absl::Now() < end) next = Get(service.stub(), "again");
  EXPECT_THAT(next.status, IsOkCall());
  const TaskwatchService::Stats stats = service.stats();
  EXPECT_EQ(stats.http.active, 0u);
  EXPECT_EQ(stats.http.broken_off, 0u) << "libcurl has ended all by itself";
  std::cout << kGets << " gets made " << gateway.requests() << " calls, over " << gateway.connections()
            << " connections\n";
}

INSTANTIATE_TEST_SUITE_P(Upstream, HangingUpstream, testing::Values(0, 1000));

class Outage : public testing::TestWithParam<TroubleRow> {};

TEST_P(Outage, OfSeveralTasksIsToldAtOnceUntilOneProbeSucceeds) {
  const std::unique_ptr<DingTalkServer> gateway = *DingTalkServer::Start(GatewayOptions());
  Config config = TestConfig(gateway->base_url());
  if (GetParam().hangs) config.upstream_timeout = absl::Milliseconds(200);
  ServiceUnderTest service(config);
  Fault fault = *standin::CannedFault(GetParam().fault);
  fault.count = GetParam().count;
  gateway->WithModel([&fault](DingTalkModel& model, absl::Time) { model.InjectFault(fault); });

  std::vector<std::unique_ptr<GetRequest>> requests;
  for (int i = 0; i < 6; ++i) requests.push_back(std::make_unique<GetRequest>(service.stub(), absl::StrCat("t", i)));
  for (const auto& request : requests) EXPECT_EQ(ErrorIn(request->Await()).reason, GetParam().reason);

  const CallBudget::Stats before = service.stats().upstream.budget;
  EXPECT_EQ(before.restraint, CallBudget::Restraint::kFailing);
  for (int i = 0; i < 200; ++i) {
    const CallError error = ErrorIn(Get(service.stub(), absl::StrCat("more-", i)).status);
    ASSERT_EQ(error.code, GetParam().code) << error;
    ASSERT_EQ(error.reason, GetParam().reason) << error;
    ASSERT_TRUE(error.retry_after.has_value()) << error;
  }
  const CallBudget::Stats after = service.stats().upstream.budget;
  std::printf("%s: 200 gets during an outage: %lld calls\n", GetParam().fault,
              static_cast<long long>(after.calls - before.calls));
  EXPECT_EQ(after.calls - before.calls, after.probes - before.probes) << "no call but probes";
  EXPECT_LT(after.probes, 100);

  gateway->WithModel([](DingTalkModel& model, absl::Time) { model.ClearFaults(); });
  const absl::Time end = absl::Now() + Patience();
  GetResult next = Get(service.stub(), "abcd");
  while (!next.status.ok() && absl::Now() < end) next = Get(service.stub(), "abcd");
  EXPECT_THAT(next.status, IsOkCall());
  EXPECT_EQ(service.stats().upstream.budget.restraint, CallBudget::Restraint::kNone);
}

INSTANTIATE_TEST_SUITE_P(Upstream, Outage,
                         testing::Values(TroubleRow{"hang", Fault::kUntilCleared, true, grpc::StatusCode::UNAVAILABLE,
                                                    "UPSTREAM_TIMEOUT"},
                                         TroubleRow{"close", Fault::kUntilCleared, false, grpc::StatusCode::UNAVAILABLE,
                                                    "UPSTREAM_UNAVAILABLE"},
                                         TroubleRow{"operation_timeout", Fault::kUntilCleared, false,
                                                    grpc::StatusCode::UNAVAILABLE, "UPSTREAM_TIMEOUT"}),
                         [](const auto& row) { return row.param.fault; });

TEST(Upstream, ThatRedirectsIsNotFollowed) {
  RawServer elsewhere([](RawServer::Connection& connection, const std::string&) {
    connection.Send("HTTP/1.1 200 OK\r\ncontent-length: 28\r\n\r\n{\"taskId\":\"abcd\",\"status\":1}");
  });
  const std::unique_ptr<DingTalkServer> gateway = *DingTalkServer::Start(GatewayOptions());
  ServiceUnderTest service(TestConfig(gateway->base_url()));
  Fault fault = *standin::CannedFault("redirect");
  fault.count = kAttempts;
  fault.headers = {{"Location", elsewhere.url() + "/v2.0/doc/task/info/abcd"}};
  gateway->WithModel([&fault](DingTalkModel& model, absl::Time) { model.InjectFault(fault); });

  const CallError error = ErrorIn(Get(service.stub(), "abcd").status);

  EXPECT_EQ(error.code, grpc::StatusCode::UNAVAILABLE) << error;
  EXPECT_EQ(error.reason, "UPSTREAM_UNAVAILABLE");
  EXPECT_EQ(error.metadata.at("http_status"), "302");
  EXPECT_EQ(elsewhere.connections(), 0);
  const GetResult next = Get(service.stub(), "abcd");
  EXPECT_THAT(next.status, IsOkCall());
}

TEST(Upstream, ThatIsDownIsUnavailableUntilItIsUpAgain) {
  const HeldPort port;
  DingTalkServer::Options options = GatewayOptions();
  options.http.port = port.port();
  ServiceUnderTest service(TestConfig(absl::StrCat("http://127.0.0.1:", port.port())));

  const CallError error = ErrorIn(Get(service.stub(), "abcd").status);

  EXPECT_EQ(error.code, grpc::StatusCode::UNAVAILABLE) << error;
  EXPECT_EQ(error.reason, "UPSTREAM_UNAVAILABLE");
  EXPECT_TRUE(error.retry_after.has_value());
  const std::unique_ptr<DingTalkServer> gateway = *DingTalkServer::Start(options);
  const GetResult next = Get(service.stub(), "abcd");
  EXPECT_THAT(next.status, IsOkCall());
}

TEST(Upstream, ThatSendsFiftyMegabytesCostsNoMemory) {
  constexpr size_t kHuge = size_t{50} << 20;
  const std::unique_ptr<DingTalkServer> gateway = *DingTalkServer::Start(GatewayOptions());
  ServiceUnderTest service(TestConfig(gateway->base_url()));
  Fault fault = *standin::CannedFault("huge");
  fault.huge_bytes = kHuge;
  fault.count = Fault::kUntilCleared;
  gateway->WithModel([&fault](DingTalkModel& model, absl::Time) { model.InjectFault(fault); });
  const auto ask = [&service](int rounds) {
    for (int i = 0; i < rounds; ++i) {
      EXPECT_EQ(ErrorIn(Get(service.stub(), "abcd").status).reason, "UPSTREAM_MALFORMED_RESPONSE");
    }
  };

  ask(10);
  const size_t before = ResidentBytes();
  ask(100);

  // All of them together would be a hundred times as much.
  EXPECT_LT(ResidentBytes(), before + MemoryBound(kHuge));
  gateway->WithModel([](DingTalkModel& model, absl::Time) { model.ClearFaults(); });
  EXPECT_THAT(Get(service.stub(), "abcd").status, IsOkCall());
}

}  // namespace
}  // namespace taskwatch
