// How many calls may be open at a time, callers who do not read what they are told included.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <cstddef>
#include <cstdio>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "taskwatch/v1/task_service.pb.h"

#include "service/config.h"
#include "service/taskwatch_service.h"
#include "tests/fakes/raw_grpc_client.h"
#include "tests/integration/calls.h"
#include "tests/integration/scripted_gateway.h"
#include "tests/integration/service_under_test.h"
#include "tests/patience/patience.h"

namespace taskwatch {
namespace {

using testing::StartsWith;

constexpr size_t kPlaces = 10;
constexpr size_t kCalls = 2'000;

// All requests of TaskService begin with the id, and so may the name of a health check.
std::string RequestFor(absl::string_view id) {
  v1::WatchTaskRequest request;
  request.set_task_id(std::string(id));
  return request.SerializeAsString();
}

grpc::Status CheckHealth(const std::string& address) {
  const auto stub = grpc::health::v1::Health::NewStub(NewChannel(address));
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kLongDeadline));
  grpc::health::v1::HealthCheckResponse response;
  return stub->Check(&context, {}, &response);
}

Config ConfigWithFewPlaces(const std::string& upstream_url, absl::Duration stall_timeout) {
  Config config = TestConfig(upstream_url);
  config.max_watchers = kPlaces;
  config.max_open_calls = kPlaces;
  config.stall_timeout = stall_timeout;
  return config;
}

// Waits until this process occupies less than `bound`, which it returns to when gRPC is done with the refused calls
// too; what it occupies then.
size_t AwaitMemoryBelow(size_t bound) {
  const absl::Time end = absl::Now() + Patience();
  while (true) {
    // What the allocator keeps of freed memory says nothing of the calls.
    malloc_trim(0);
    const size_t memory = ResidentBytes();
    if (memory < bound) return memory;
    if (absl::Now() > end) GiveUp(absl::StrCat(memory >> 10, " KiB of memory to become less than ", bound >> 10));
    absl::SleepFor(absl::Milliseconds(10));
  }
}

// A method, and where its calls count.
struct Method {
  const char* name;
  const char* path;
  const char* request_id;
  const char* refusal;
  size_t TaskwatchService::Stats::*open_calls = nullptr;
  size_t TaskService::Stats::*watchers = nullptr;

  size_t TakenIn(const TaskwatchService::Stats& stats) const {
    return watchers != nullptr ? stats.calls.*watchers : stats.*open_calls;
  }
};

void PrintTo(const Method& method, std::ostream* stream) { *stream << method.name; }

class Unread : public testing::TestWithParam<Method> {
 protected:
  // Of a service that knows that the task "abcd" has ended.
  void LearnTheEnd(ServiceUnderTest& service) {
    gateway_.Finish();
    ASSERT_TRUE(Get(service.stub(), "abcd").task.done());
    service.Await([](const TaskwatchService::Stats& stats) { return stats.open_calls == 0; });
  }
  void CallManyTimes(RawGrpcClient& client) {
    for (size_t i = 0; i < kCalls; ++i) client.Call(GetParam().path, RequestFor(GetParam().request_id));
  }

  ScriptedGateway gateway_;
};

TEST_P(Unread, CallsKeepTheirPlaces) {
  ServiceUnderTest service(ConfigWithFewPlaces(gateway_.url(), absl::Hours(1)));
  LearnTheEnd(service);
  {
    RawGrpcClient client(service.address());
    CallManyTimes(client);
    client.AwaitEnds(kCalls - kPlaces);

    EXPECT_EQ(client.EndedWith(GetParam().refusal), kCalls - kPlaces);
    EXPECT_EQ(GetParam().TakenIn(service.stats()), kPlaces);
    EXPECT_THAT(CheckHealth(service.address()), IsOkCall()) << "a probe has room of its own";
  }
  service.Await([](const TaskwatchService::Stats& stats) { return GetParam().TakenIn(stats) == 0; });
}

TEST_P(Unread, CallsEndInTimeAndLeaveNothing) {
  ServiceUnderTest service(ConfigWithFewPlaces(gateway_.url(), absl::Milliseconds(100)));
  LearnTheEnd(service);
  // After the first round there is no bound yet.
  size_t bound = std::numeric_limits<size_t>::max();
  for (int round = 1; round <= 2; ++round) {
    RawGrpcClient client(service.address());
    CallManyTimes(client);

    // By the server alone: nobody has read or cancelled anything.
    client.AwaitEnds(kCalls);
    service.Await([](const TaskwatchService::Stats& stats) {
      return GetParam().TakenIn(stats) == 0 && stats.calls.finished == stats.calls.started;
    });
    EXPECT_LT(client.EndedWith(GetParam().refusal), kCalls) << "the others were broken off";
    const size_t memory = AwaitMemoryBelow(bound);
    std::printf("%s: %zu KiB after %d times %zu calls\n", GetParam().name, memory >> 10, round, kCalls);
    bound = memory + MemoryBound(size_t{8} << 20);
  }
  EXPECT_TRUE(Get(service.stub(), "abcd").task.done());
  EXPECT_THAT(WatchStream(service.stub(), "abcd").AwaitEnd(), IsOkCall());
}

INSTANTIATE_TEST_SUITE_P(Admission, Unread,
                         testing::Values(Method{"WatchTask", "/taskwatch.v1.TaskService/WatchTask", "abcd",
                                                "TOO_MANY_WATCHERS", nullptr, &TaskService::Stats::watchers},
                                         Method{"WaitTask", "/taskwatch.v1.TaskService/WaitTask", "abcd",
                                                "TOO_MANY_WATCHERS", nullptr, &TaskService::Stats::watchers},
                                         Method{"GetTaskInfo", "/taskwatch.v1.TaskService/GetTaskInfo", "abcd",
                                                "TOO_MANY_CALLS", &TaskwatchService::Stats::open_calls},
                                         Method{"Reflection",
                                                "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", "",
                                                "TOO_MANY_CALLS", &TaskwatchService::Stats::open_calls},
                                         Method{"HealthWatch", "/grpc.health.v1.Health/Watch", "", "TOO_MANY_CALLS",
                                                &TaskwatchService::Stats::open_calls}),
                         [](const testing::TestParamInfo<Method>& info) { return info.param.name; });

TEST(Admission, RefusesFurtherGetsAtOnceAndSaysWhen) {
  ScriptedGateway gateway;
  gateway.Hold();
  ServiceUnderTest service(ConfigWithFewPlaces(gateway.url(), absl::Hours(1)));
  std::vector<std::unique_ptr<GetRequest>> gets;
  for (size_t i = 0; i < kPlaces; ++i) gets.push_back(std::make_unique<GetRequest>(service.stub(), "abcd"));
  service.Await([](const TaskwatchService::Stats& stats) { return stats.open_calls == kPlaces; });

  const CallError error = ErrorIn(Get(service.stub(), "abcd").status);
  EXPECT_EQ(error.code, grpc::StatusCode::RESOURCE_EXHAUSTED) << error;
  EXPECT_EQ(error.reason, "TOO_MANY_CALLS");
  EXPECT_TRUE(error.retry_after.has_value());
  EXPECT_THAT(error.message, StartsWith("this server may have 10 calls open"));
  EXPECT_THAT(CheckHealth(service.address()), IsOkCall());

  gateway.Release();
  for (const auto& get : gets) EXPECT_THAT(get->Await(), IsOkCall());
}

TEST(Admission, OfChecksOfTheHealthIsBoundedToo) {
  ScriptedGateway gateway;
  ServiceUnderTest service(ConfigWithFewPlaces(gateway.url(), absl::Hours(1)));
  RawGrpcClient client(service.address());
  for (size_t i = 0; i < kCalls; ++i) client.Call("/grpc.health.v1.Health/Check", "");
  client.AwaitEnds(kCalls - 1000);
  EXPECT_EQ(client.EndedWith("TOO_MANY_CALLS"), kCalls - 1000);
  EXPECT_EQ(service.stats().open_calls, 0u);
}

TEST(Admission, GivesAGetWithoutADeadlineSomeTimeOnly) {
  ScriptedGateway gateway;
  gateway.Hold();
  Config config = TestConfig(gateway.url());
  EXPECT_EQ(config.default_get_timeout, absl::Seconds(60)) << "as the proto says";
  config.default_get_timeout = absl::Milliseconds(50);
  ServiceUnderTest service(config);
  GetRequest::Options endless;
  endless.timeout = absl::InfiniteDuration();
  EXPECT_EQ(Get(service.stub(), "abcd", endless).status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  service.Await([](const TaskwatchService::Stats& stats) { return stats.open_calls == 0; });
}

}  // namespace
}  // namespace taskwatch
