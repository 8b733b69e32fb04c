// How the service ends while it is being used.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"

#include "service/config.h"
#include "tests/integration/calls.h"
#include "tests/integration/scripted_gateway.h"
#include "tests/integration/service_under_test.h"

namespace taskwatch {
namespace {

Config ConfigWithoutPolls(const std::string& upstream_url) {
  Config config = TestConfig(upstream_url);
  config.min_poll_interval = absl::Hours(1);
  config.max_poll_interval = absl::Hours(1);
  return config;
}

// Longer than any machine takes: what is not over by then was not going to end by itself.
constexpr absl::Duration kPatience = absl::Minutes(3);

TEST(Drain, TellsTenThousandStreamsToComeAgain) {
  constexpr int kStreams = 10'000;
  constexpr int kConnections = 10;
  ScriptedGateway gateway;
  ServiceUnderTest service(ConfigWithoutPolls(gateway.url()));
  std::vector<std::unique_ptr<v1::TaskService::Stub>> stubs;
  for (int i = 0; i < kConnections; ++i) stubs.push_back(v1::TaskService::NewStub(NewChannel(service.address())));
  std::vector<std::unique_ptr<WatchStream>> streams;
  for (int i = 0; i < kStreams; ++i) {
    streams.push_back(std::make_unique<WatchStream>(*stubs[i % kConnections], i % 2 == 0 ? "abcd" : "efgh"));
  }
  for (const auto& stream : streams) ASSERT_TRUE(stream->AwaitMessages(1)) << ErrorIn(stream->AwaitEnd());
  ASSERT_EQ(service.stats().calls.open, static_cast<size_t>(kStreams));

  service.service().Drain(kPatience);

  for (const auto& stream : streams) {
    // Cut off by the time-out, it would be CANCELLED or have no details.
    const CallError error = ErrorIn(stream->AwaitEnd());
    ASSERT_EQ(error.code, grpc::StatusCode::UNAVAILABLE) << error;
    ASSERT_EQ(error.reason, "SERVER_DRAINING");
    ASSERT_TRUE(error.retry_after.has_value());
    // On a slow machine heartbeats may have come as well.
    const std::vector<v1::WatchTaskResponse> messages = stream->messages();
    ASSERT_EQ(std::count_if(messages.begin(), messages.end(), [](const auto& message) { return message.has_task(); }),
              1);
  }
}

TEST(Drain, DeliversAFinalStateThatIsPending) {
  ScriptedGateway gateway;
  Config config = TestConfig(gateway.url());
  config.stall_timeout = absl::Hours(1);
  ServiceUnderTest service(config);
  // Long messages fill the buffers of who does not read.
  const std::string task_id(128, 'x');
  WatchStream::Options slow_reader;
  slow_reader.reads = false;
  const auto narrow_stub = v1::TaskService::NewStub(NewNarrowChannel(service.address()));
  WatchStream slow(*narrow_stub, task_id, slow_reader);
  WatchStream::Options fast_reader;
  fast_reader.poll_interval = absl::Milliseconds(1);
  WatchStream fast(service.stub(), task_id, fast_reader);
  ASSERT_TRUE(fast.AwaitMessages(1500));
  gateway.Finish();
  ASSERT_THAT(fast.AwaitEnd(), IsOkCall());
  ASSERT_EQ(service.stats().calls.open, 1u) << "the slow reader is in the middle of an old message";

  std::thread draining([&service] { service.service().Drain(kPatience); });
  slow.StartReading();

  EXPECT_THAT(slow.AwaitEnd(), IsOkCall());
  EXPECT_EQ(slow.last_task().etag(), fast.last_task().etag());
  draining.join();
}

TEST(Drain, BreaksOffWhoeverDoesNotReadWhenItsTimeIsUp) {
  ScriptedGateway gateway;
  Config config = TestConfig(gateway.url());
  config.stall_timeout = absl::Hours(1);
  ServiceUnderTest service(config);
  const std::string task_id(128, 'x');
  WatchStream::Options slow_reader;
  slow_reader.reads = false;
  const auto narrow_stub = v1::TaskService::NewStub(NewNarrowChannel(service.address()));
  WatchStream slow(*narrow_stub, task_id, slow_reader);
  WatchStream::Options fast_reader;
  fast_reader.poll_interval = absl::Milliseconds(1);
  WatchStream fast(service.stub(), task_id, fast_reader);
  ASSERT_TRUE(fast.AwaitMessages(1500));

  service.service().Drain(absl::Milliseconds(100));

  slow.StartReading();
  EXPECT_FALSE(slow.AwaitEnd().ok());
}

TEST(Drain, EndsAGetThatTheUpstreamHoldsUpWhenItsTimeIsUp) {
  ScriptedGateway gateway;
  gateway.Hold();
  ServiceUnderTest service(TestConfig(gateway.url()));
  GetRequest get(service.stub(), "abcd");
  service.Await([](const TaskwatchService::Stats& stats) { return stats.tracker.waiting_gets == 1; });

  service.service().Drain(absl::Milliseconds(10));

  EXPECT_FALSE(get.Await().ok());
}

TEST(Drain, LetsAGetThatIsUnderWayFinish) {
  ScriptedGateway gateway;
  gateway.Hold();
  ServiceUnderTest service(TestConfig(gateway.url()));
  GetRequest get(service.stub(), "abcd");
  WatchStream watch(service.stub(), "efgh");
  service.Await([](const TaskwatchService::Stats& stats) {
    return stats.tracker.waiting_gets == 1 && stats.tracker.watchers == 1;
  });

  std::thread draining([&service] { service.service().Drain(kPatience); });
  EXPECT_EQ(ErrorIn(watch.AwaitEnd()).reason, "SERVER_DRAINING");
  gateway.Release();

  EXPECT_THAT(get.Await(), IsOkCall());
  draining.join();
}

TEST(Drain, EndsAWaitToo) {
  ScriptedGateway gateway;
  ServiceUnderTest service(ConfigWithoutPolls(gateway.url()));
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kLongDeadline));
  v1::WaitTaskRequest request;
  request.set_task_id("abcd");
  v1::WaitTaskResponse response;
  grpc::Status status;
  std::thread waiting([&] { status = service.stub().WaitTask(&context, request, &response); });
  service.Await([](const TaskwatchService::Stats& stats) { return stats.calls.open == 1; });
  service.service().Drain(kPatience);
  waiting.join();
  EXPECT_EQ(ErrorIn(status).code, grpc::StatusCode::UNAVAILABLE) << ErrorIn(status);
  EXPECT_EQ(ErrorIn(status).reason, "SERVER_DRAINING");
}

}  // namespace
}  // namespace taskwatch
