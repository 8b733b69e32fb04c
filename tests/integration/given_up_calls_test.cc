// Callers who give up while their calls to DingTalk wait for their turn, and what that costs.
#include <gtest/gtest.h>

#include <cstdint>
#include <iostream>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"

#include "service/config.h"
#include "service/taskwatch_service.h"
#include "tests/integration/calls.h"
#include "tests/integration/scripted_gateway.h"
#include "tests/integration/service_under_test.h"

namespace taskwatch {
namespace {

Config ConfigOfASlowLine(const ScriptedGateway& gateway) {
  Config config = TestConfig(gateway.url());
  config.upstream_qps = 18;
  return config;
}

// To be called when all callers have given up: waits until nothing is under way, and returns how many calls were made.
uint64_t AwaitCallsMade(ServiceUnderTest& service) {
  service.Await([](const TaskwatchService::Stats& stats) {
    return stats.tracker.entries == 0 && stats.calls.open == 0 && stats.tracker.watchers == 0;
  });
  return service.stats().upstream.budget.calls;
}

// Every fetch has either been made or left the line; nothing waits in it, so that nothing more can follow.
void ExpectNothingMore(ServiceUnderTest& service, uint64_t asked, uint64_t calls) {
  const TaskwatchService::Stats stats = service.stats();
  EXPECT_EQ(stats.upstream.callers_waiting, 0u);
  EXPECT_EQ(stats.upstream.polls_waiting, 0u);
  EXPECT_EQ(stats.tracker.fetches_cancelled + calls, asked);
  EXPECT_GT(stats.tracker.fetches_cancelled, 0u);
}

TEST(GivenUpCalls, CostNothingWhenGetsAreCancelledInTheLine) {
  constexpr uint64_t kGets = 300;
  ScriptedGateway gateway;
  ServiceUnderTest service(ConfigOfASlowLine(gateway));
  std::vector<std::unique_ptr<GetRequest>> gets;
  for (uint64_t i = 0; i < kGets; ++i) {
    gets.push_back(std::make_unique<GetRequest>(service.stub(), absl::StrCat("task-", i)));
  }
  service.Await([](const TaskwatchService::Stats& stats) { return stats.tracker.fetches_started == kGets; });
  for (const auto& get : gets) get->Cancel();
  const uint64_t calls = AwaitCallsMade(service);
  std::cout << kGets << " gets, cancelled while they waited in the line: " << calls << " calls\n";
  ExpectNothingMore(service, kGets, calls);
}

TEST(GivenUpCalls, CostNothingWhenWatchersLeaveTheLine) {
  constexpr uint64_t kWatches = 200;
  ScriptedGateway gateway;
  ServiceUnderTest service(ConfigOfASlowLine(gateway));
  std::vector<std::unique_ptr<WatchStream>> streams;
  for (uint64_t i = 0; i < kWatches; ++i) {
    streams.push_back(std::make_unique<WatchStream>(service.stub(), absl::StrCat("task-", i)));
  }
  service.Await([](const TaskwatchService::Stats& stats) { return stats.tracker.watchers == kWatches; });
  for (const auto& stream : streams) stream->Cancel();
  const uint64_t calls = AwaitCallsMade(service);
  const uint64_t fetches = service.stats().tracker.fetches_started;
  std::cout << kWatches << " watches, cancelled while they waited in the line: " << calls << " calls\n";
  // Those whose task was known already may have been polled once more.
  ExpectNothingMore(service, fetches, calls);
}

}  // namespace
}  // namespace taskwatch
