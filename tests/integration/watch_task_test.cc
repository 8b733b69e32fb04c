// WatchTask on real streams: what watchers are told, and what it costs upstream.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"

#include "service/config.h"
#include "tests/fakes/raw_server.h"
#include "tests/integration/calls.h"
#include "tests/integration/scripted_gateway.h"
#include "tests/integration/service_under_test.h"

namespace taskwatch {
namespace {

// Polls come as slowly as in these tests' lifetime never.
Config ConfigWithoutPolls(const std::string& upstream_url) {
  Config config = TestConfig(upstream_url);
  config.min_poll_interval = absl::Hours(1);
  config.max_poll_interval = absl::Hours(1);
  return config;
}

// For calls that cannot ask for polls that are more frequent.
Config ConfigWithQuickPolls(const std::string& upstream_url) {
  Config config = TestConfig(upstream_url);
  config.max_poll_interval = absl::Milliseconds(10);
  return config;
}

WatchStream::Options PollingAsFastAsItGoes() {
  WatchStream::Options options;
  options.poll_interval = absl::Milliseconds(1);
  return options;
}

GetRequest::Options Fresh() {
  GetRequest::Options options;
  options.max_staleness = absl::ZeroDuration();
  return options;
}

TEST(WatchTask, TellsEachStateOnceInOrderAndEndsWithOkAfterTheLast) {
  ScriptedGateway gateway;
  gateway.FinishWithCall(20);
  ServiceUnderTest service(TestConfig(gateway.url()));

  WatchStream watch(service.stub(), "abcd", PollingAsFastAsItGoes());

  ASSERT_THAT(watch.AwaitEnd(), IsOkCall());
  int64_t last = 0;
  std::string last_etag;
  for (const v1::WatchTaskResponse& message : watch.messages()) {
    ASSERT_TRUE(message.has_task());
    EXPECT_GT(message.task().succeeded_count(), last);
    EXPECT_NE(message.task().etag(), last_etag);
    last = message.task().succeeded_count();
    last_etag = message.task().etag();
  }
  EXPECT_EQ(watch.last_task().state(), v1::TASK_STATE_SUCCEEDED);
  EXPECT_EQ(gateway.calls(), 20);
}

// The upstream calls that `watchers` watchers of one task cause from before its first state to its end.
int64_t CallsFor(int watchers) {
  ScriptedGateway gateway;
  gateway.FinishWithCall(12);
  gateway.Hold();
  ServiceUnderTest service(TestConfig(gateway.url()));
  std::vector<std::unique_ptr<WatchStream>> streams;
  for (int i = 0; i < watchers; ++i) {
    streams.push_back(std::make_unique<WatchStream>(service.stub(), "abcd", PollingAsFastAsItGoes()));
  }
  service.Await([watchers](const TaskwatchService::Stats& stats) {
    return stats.tracker.watchers == static_cast<size_t>(watchers);
  });
  gateway.Release();
  for (const auto& stream : streams) {
    EXPECT_THAT(stream->AwaitEnd(), IsOkCall());
    EXPECT_EQ(stream->last_task().state(), v1::TASK_STATE_SUCCEEDED);
    EXPECT_EQ(stream->last_task().etag(), streams.front()->last_task().etag());
    EXPECT_TRUE(stream->messages().back().has_task()) << "the final state comes last";
  }
  return gateway.calls();
}

TEST(WatchTask, MakesTheSameUpstreamCallsForAThousandWatchersAsForOne) {
  const int64_t for_one = CallsFor(1);
  EXPECT_EQ(CallsFor(1000), for_one);
  EXPECT_EQ(for_one, 12);
}

TEST(WatchTask, TellsAKnownTaskAtOnceWhileTheUpstreamHangs) {
  ScriptedGateway gateway;
  ServiceUnderTest service(TestConfig(gateway.url()));
  const GetResult known = Get(service.stub(), "abcd");
  ASSERT_THAT(known.status, IsOkCall());
  gateway.Hold();
  WatchStream first(service.stub(), "abcd", PollingAsFastAsItGoes());
  gateway.AwaitCalls(2);

  WatchStream second(service.stub(), "abcd", PollingAsFastAsItGoes());

  EXPECT_TRUE(first.AwaitMessages(1));
  EXPECT_TRUE(second.AwaitMessages(1));
  EXPECT_EQ(first.last_task().etag(), known.task.etag());
  EXPECT_EQ(second.last_task().etag(), known.task.etag());
  EXPECT_EQ(gateway.calls(), 2);
}

TEST(WatchTask, TellsAnUnknownTaskAfterOneFetch) {
  ScriptedGateway gateway;
  ServiceUnderTest service(ConfigWithoutPolls(gateway.url()));
  WatchStream watch(service.stub(), "abcd");
  ASSERT_TRUE(watch.AwaitMessages(1));
  EXPECT_EQ(watch.last_task().succeeded_count(), 1);
  EXPECT_EQ(gateway.calls(), 1);
}

TEST(WatchTask, TellsWhatAnotherCallersGetHasBroughtToLight) {
  ScriptedGateway gateway;
  ServiceUnderTest service(ConfigWithoutPolls(gateway.url()));
  WatchStream watch(service.stub(), "abcd");
  ASSERT_TRUE(watch.AwaitMessages(1));
  gateway.Finish();
  EXPECT_TRUE(Get(service.stub(), "abcd", Fresh()).task.done());
  EXPECT_THAT(watch.AwaitEnd(), IsOkCall());
  EXPECT_EQ(watch.last_task().state(), v1::TASK_STATE_SUCCEEDED);
  EXPECT_EQ(gateway.calls(), 2);
}

TEST(WatchTask, BeginsWithAHeartbeatForAWatcherWhoKnowsTheState) {
  ScriptedGateway gateway;
  ServiceUnderTest service(ConfigWithoutPolls(gateway.url()));
  const GetResult known = Get(service.stub(), "abcd");
  WatchStream::Options options;
  options.last_etag = known.task.etag();
  WatchStream watch(service.stub(), "abcd", options);
  ASSERT_TRUE(watch.AwaitMessages(1));
  const v1::WatchTaskResponse message = watch.messages().front();
  ASSERT_TRUE(message.has_heartbeat());
  EXPECT_EQ(message.heartbeat().etag(), known.task.etag());
  EXPECT_EQ(message.heartbeat().observe_time().seconds(), known.task.observe_time().seconds());
  EXPECT_FALSE(message.heartbeat().has_last_poll_error());
}

TEST(WatchTask, TellsAFinishedTaskAlsoToOneWhoKnowsIt) {
  ScriptedGateway gateway;
  gateway.Finish();
  ServiceUnderTest service(TestConfig(gateway.url()));
  const GetResult known = Get(service.stub(), "abcd");
  WatchStream::Options options;
  options.last_etag = known.task.etag();
  WatchStream watch(service.stub(), "abcd", options);
  EXPECT_THAT(watch.AwaitEnd(), IsOkCall());
  EXPECT_EQ(watch.last_task().etag(), known.task.etag());
  EXPECT_EQ(watch.messages().size(), 1u);
  EXPECT_EQ(gateway.calls(), 1);
}

TEST(WatchTask, StopsPollingWhenTheLastWatcherHasGone) {
  ScriptedGateway gateway;
  ServiceUnderTest service(TestConfig(gateway.url()));
  {
    WatchStream watch(service.stub(), "abcd", PollingAsFastAsItGoes());
    ASSERT_TRUE(watch.AwaitMessages(3));
  }
  service.Await([](const TaskwatchService::Stats& stats) {
    return stats.tracker.entries == 0 && stats.calls.finished == stats.calls.started;
  });
  EXPECT_EQ(service.stats().tracker.fetches_started, static_cast<uint64_t>(gateway.calls()));
}

TEST(WatchTask, EndsARefusedTaskSoThatGrpcsOwnRetryApplies) {
  RawServer gateway([](RawServer::Connection& connection, const std::string&) {
    connection.Send("HTTP/1.1 404 Not Found\r\ncontent-length: 23\r\n\r\n{\"code\":\"taskNotExist\"}");
  });
  ServiceUnderTest service(TestConfig(gateway.url()));
  grpc::ChannelArguments arguments;
  arguments.SetServiceConfigJSON(R"({"methodConfig":[{"name":[{"service":"taskwatch.v1.TaskService"}],
      "retryPolicy":{"maxAttempts":3,"initialBackoff":"0.001s","maxBackoff":"0.001s","backoffMultiplier":1,
                     "retryableStatusCodes":["NOT_FOUND"]}}]})");
  const auto stub = v1::TaskService::NewStub(NewChannel(service.address(), arguments));

  WatchStream watch(*stub, "abcd");

  const CallError error = ErrorIn(watch.AwaitEnd());
  EXPECT_EQ(error.code, grpc::StatusCode::NOT_FOUND) << error;
  EXPECT_EQ(error.reason, "TASK_NOT_FOUND");
  // gRPC tries again only as long as no headers have come.
  EXPECT_EQ(service.stats().calls.started, 3u);
}

TEST(WatchTask, AsksTheWatcherToComeAgainWhenTheStreamIsOld) {
  ScriptedGateway gateway;
  Config config = ConfigWithoutPolls(gateway.url());
  config.max_stream_age = absl::Milliseconds(100);
  ServiceUnderTest service(config);
  WatchStream watch(service.stub(), "abcd");
  const CallError error = ErrorIn(watch.AwaitEnd());
  EXPECT_EQ(error.code, grpc::StatusCode::UNAVAILABLE) << error;
  EXPECT_EQ(error.reason, "STREAM_ROTATED");
  EXPECT_TRUE(error.retry_after.has_value());
}

TEST(WatchTask, RefusesMoreWatchersThanTheServerMayHave) {
  ScriptedGateway gateway;
  Config config = ConfigWithoutPolls(gateway.url());
  config.max_watchers = 2;
  ServiceUnderTest service(config);
  WatchStream first(service.stub(), "abcd");
  WatchStream second(service.stub(), "efgh");
  ASSERT_TRUE(first.AwaitMessages(1));
  ASSERT_TRUE(second.AwaitMessages(1));
  WatchStream third(service.stub(), "abcd");
  const CallError error = ErrorIn(third.AwaitEnd());
  EXPECT_EQ(error.code, grpc::StatusCode::RESOURCE_EXHAUSTED) << error;
  EXPECT_EQ(error.reason, "TOO_MANY_WATCHERS");
  EXPECT_TRUE(error.retry_after.has_value());
}

TEST(WaitTask, ReturnsWhenTheTaskIsDone) {
  ScriptedGateway gateway;
  gateway.FinishWithCall(3);
  ServiceUnderTest service(ConfigWithQuickPolls(gateway.url()));
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kLongDeadline));
  v1::WaitTaskRequest request;
  request.set_task_id("abcd");
  v1::WaitTaskResponse response;
  const grpc::Status status = service.stub().WaitTask(&context, request, &response);
  ASSERT_THAT(status, IsOkCall());
  EXPECT_EQ(response.task().state(), v1::TASK_STATE_SUCCEEDED);
}

TEST(WaitTask, ReturnsTheLatestStateWhenItsTimeIsUp) {
  ScriptedGateway gateway;
  ServiceUnderTest service(ConfigWithoutPolls(gateway.url()));
  // Known before, so that there is something to return however soon the time is up.
  ASSERT_THAT(Get(service.stub(), "abcd").status, IsOkCall());
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kLongDeadline));
  v1::WaitTaskRequest request;
  request.set_task_id("abcd");
  SetDuration(absl::Milliseconds(20), request.mutable_timeout());
  v1::WaitTaskResponse response;
  const grpc::Status status = service.stub().WaitTask(&context, request, &response);
  ASSERT_THAT(status, IsOkCall());
  EXPECT_FALSE(response.task().done());
}

TEST(WaitTask, ReturnsAChangeToACallerWhoGaveAnEtag) {
  ScriptedGateway gateway;
  ServiceUnderTest service(ConfigWithQuickPolls(gateway.url()));
  const GetResult known = Get(service.stub(), "abcd");
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kLongDeadline));
  v1::WaitTaskRequest request;
  request.set_task_id("abcd");
  request.set_last_etag(known.task.etag());
  v1::WaitTaskResponse response;
  const grpc::Status status = service.stub().WaitTask(&context, request, &response);
  ASSERT_THAT(status, IsOkCall());
  EXPECT_NE(response.task().etag(), known.task.etag());
  EXPECT_FALSE(response.task().done());
}

}  // namespace
}  // namespace taskwatch
