// Watchers who come and go in thousands, or stay and never read: nothing of them remains, and nobody else notices.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

#include "service/config.h"
#include "tests/integration/calls.h"
#include "tests/integration/scripted_gateway.h"
#include "tests/integration/service_under_test.h"

namespace taskwatch {
namespace {

GetRequest::Options Fresh() {
  GetRequest::Options options;
  options.max_staleness = absl::ZeroDuration();
  return options;
}

// Several connections to one service.
class Callers {
 public:
  Callers(const std::string& address, int connections) {
    for (int i = 0; i < connections; ++i) stubs_.push_back(v1::TaskService::NewStub(NewNarrowChannel(address)));
  }
  v1::TaskService::Stub& stub(size_t number) { return *stubs_[number % stubs_.size()]; }

 private:
  std::vector<std::unique_ptr<v1::TaskService::Stub>> stubs_;
};

TEST(WatcherStorm, OfOpensAndCancelsLeavesNothingBehindAndDisturbsNobody) {
  ScriptedGateway gateway;
  Config config = TestConfig(gateway.url());
  config.min_poll_interval = absl::Hours(1);
  config.max_poll_interval = absl::Hours(1);
  ServiceUnderTest service(config);
  WatchStream steady(service.stub(), "steady");
  ASSERT_TRUE(steady.AwaitMessages(1));
  Callers callers(service.address(), 4);

  // A fifth of them cancel after their first message, the others whenever it hits them. Some watch the task that is
  // watched anyway, others tasks of their own.
  const auto storm = [&callers](int watchers) {
    std::deque<std::unique_ptr<WatchStream>> open;
    for (int i = 0; i < watchers; ++i) {
      const std::string task_id = i % 10 == 0 ? absl::StrCat("task", i) : "steady";
      WatchStream::Options options;
      options.reads = i % 3 != 0;
      open.push_back(std::make_unique<WatchStream>(callers.stub(i), task_id, options));
      if (i % 5 == 1 && options.reads) {
        EXPECT_TRUE(open.back()->AwaitMessages(1));
      }
      open.back()->Cancel();
      if (open.size() > 100) open.pop_front();
    }
  };
  const auto only_the_steady_one_is_left = [](const TaskwatchService::Stats& stats) {
    return stats.calls.open == 1 && stats.calls.finished + 1 == stats.calls.started && stats.tracker.watchers == 1 &&
           stats.tracker.entries == 1;
  };
  storm(2'000);
  service.Await(only_the_steady_one_is_left);
  const size_t descriptors_before = OpenFileDescriptors();
  const size_t memory_before = ResidentBytes();
  const uint64_t started_before = service.stats().calls.started;

  storm(10'000);
  service.Await(only_the_steady_one_is_left);

  EXPECT_GT(service.stats().calls.started, started_before + 1000) << "the storm did not reach the server";
  // Connections to the gateway come and go.
  EXPECT_LT(OpenFileDescriptors(), descriptors_before + 100);
  EXPECT_LT(ResidentBytes(), memory_before + MemoryBound(size_t{64} << 20));
  EXPECT_EQ(steady.messages().size(), 1u);
  gateway.Finish();
  EXPECT_TRUE(Get(service.stub(), "steady", Fresh()).task.done());
  EXPECT_THAT(steady.AwaitEnd(), IsOkCall());
  EXPECT_EQ(steady.last_task().state(), v1::TASK_STATE_SUCCEEDED);
}

// The longest id there is, so that messages are long and a reader's buffers soon full.
std::string LongTaskId() { return std::string(128, 'x'); }

// Enough messages for gRPC to have no room left on either side: it takes in some 128 KiB for a stream that nobody
// reads.
constexpr size_t kMoreThanBuffersHold = 1500;

WatchStream::Options PollingAsFastAsItGoes() {
  WatchStream::Options options;
  options.poll_interval = absl::Milliseconds(1);
  return options;
}

WatchStream::Options NeverReading() {
  WatchStream::Options options;
  options.reads = false;
  return options;
}

TEST(WatcherStorm, OfReadersThatNeverReadIsEndedAndDisturbsNobody) {
  constexpr int kStalled = 50;
  ScriptedGateway gateway;
  Config config = TestConfig(gateway.url());
  // Long enough for a machine that is busy with other things, short enough to be waited for.
  config.stall_timeout = absl::Seconds(5);
  ServiceUnderTest service(config);
  WatchStream reader(service.stub(), LongTaskId(), PollingAsFastAsItGoes());
  Callers callers(service.address(), 4);
  std::vector<std::unique_ptr<WatchStream>> stalled;
  for (int i = 0; i < kStalled; ++i) {
    stalled.push_back(std::make_unique<WatchStream>(callers.stub(i), LongTaskId(), NeverReading()));
  }
  service.Await([](const TaskwatchService::Stats& stats) { return stats.tracker.watchers == kStalled + 1; });

  // Ended by the server alone: nobody has read or cancelled anything.
  service.Await([](const TaskwatchService::Stats& stats) {
    return stats.tracker.watchers == 1 && stats.calls.finished == kStalled && stats.calls.open == 1;
  });

  EXPECT_GT(reader.messages().size(), 100u) << "the one who reads was told all the while";
  gateway.Finish();
  EXPECT_THAT(reader.AwaitEnd(), IsOkCall());
  for (const auto& stream : stalled) {
    stream->StartReading();
    EXPECT_FALSE(stream->AwaitEnd().ok());
    EXPECT_FALSE(stream->last_task().done());
  }
}

TEST(WatcherStorm, OfSlowReadersHoldsOneMessageForEachHoweverManyThereWere) {
  constexpr int kStalled = 20;
  ScriptedGateway gateway;
  Config config = TestConfig(gateway.url());
  config.stall_timeout = absl::Hours(1);
  ServiceUnderTest service(config);
  WatchStream reader(service.stub(), LongTaskId(), PollingAsFastAsItGoes());
  Callers callers(service.address(), 4);
  std::vector<std::unique_ptr<WatchStream>> slow;
  for (int i = 0; i < kStalled; ++i) {
    slow.push_back(std::make_unique<WatchStream>(callers.stub(i), LongTaskId(), NeverReading()));
  }
  ASSERT_TRUE(reader.AwaitMessages(kMoreThanBuffersHold));
  gateway.Finish();
  ASSERT_THAT(reader.AwaitEnd(), IsOkCall());
  const TaskwatchService::Stats stats = service.stats();
  EXPECT_EQ(stats.tracker.watchers, 0u);
  EXPECT_EQ(stats.calls.open, static_cast<size_t>(kStalled)) << "they are in the middle of an old message";

  for (const auto& stream : slow) stream->StartReading();

  for (const auto& stream : slow) {
    EXPECT_THAT(stream->AwaitEnd(), IsOkCall());
    EXPECT_EQ(stream->last_task().etag(), reader.last_task().etag()) << "the last state is never dropped";
    const std::vector<v1::WatchTaskResponse> messages = stream->messages();
    EXPECT_LT(messages.size(), reader.messages().size()) << "what was out of date was never sent";
    for (size_t i = 1; i < messages.size(); ++i) {
      ASSERT_GT(messages[i].task().succeeded_count(), messages[i - 1].task().succeeded_count());
    }
  }
}

}  // namespace
}  // namespace taskwatch
