// The memory that callers can make the real taskwatchd take.
#include <gmock/gmock.h>
#include <google/protobuf/unknown_field_set.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdio>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "taskwatch/v1/task_service.grpc.pb.h"

#include "tests/integration/calls.h"
#include "tests/integration/scripted_gateway.h"
#include "tests/integration/service_under_test.h"
#include "tests/integration/taskwatchd_process.h"
#include "tests/patience/patience.h"

namespace taskwatch {
namespace {

// Gets without a deadline, each of another task, on a few connections. Cancels those that are open when it goes.
class ManyGets {
 public:
  explicit ManyGets(const std::string& address) {
    constexpr int kConnections = 10;
    for (int i = 0; i < kConnections; ++i) stubs_.push_back(v1::TaskService::NewStub(NewChannel(address)));
  }
  ~ManyGets() {
    for (One& get : gets_) get.context.TryCancel();
    AwaitEnds(gets_.size());
  }

  void Begin() {
    One& get = gets_.emplace_back();
    get.request.set_task_id(absl::StrCat("task-", gets_.size()));
    stubs_[gets_.size() % stubs_.size()]->async()->GetTaskInfo(&get.context, &get.request, &get.response,
                                                               [this, &get](grpc::Status status) {
                                                                 absl::MutexLock lock(&mutex_);
                                                                 get.status = std::move(status);
                                                                 ++ended_;
                                                               });
  }

  void AwaitEnds(size_t count) {
    const auto reached = [this, count]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return ended_ >= count; };
    Await(mutex_, absl::Condition(&reached), absl::StrCat("the end of ", count, " gets"));
  }

  size_t EndedWith(const std::string& reason) {
    absl::MutexLock lock(&mutex_);
    size_t count = 0;
    for (const One& get : gets_) {
      if (ErrorIn(get.status).reason == reason) ++count;
    }
    return count;
  }
  size_t ended() {
    absl::MutexLock lock(&mutex_);
    return ended_;
  }

 private:
  struct One {
    grpc::ClientContext context;
    v1::GetTaskInfoRequest request;
    v1::GetTaskInfoResponse response;
    grpc::Status status;
  };

  std::vector<std::unique_ptr<v1::TaskService::Stub>> stubs_;
  absl::Mutex mutex_;
  std::deque<One> gets_;
  size_t ended_ ABSL_GUARDED_BY(mutex_) = 0;
};

TEST(Memory, OfGetsWithoutADeadlineIsBoundedHoweverManyThereAre) {
  constexpr size_t kGets = 20'000;
  constexpr size_t kPlaces = 10'000;
  ScriptedGateway gateway;
  gateway.Hold();
  Taskwatchd taskwatchd(gateway.url(), {"--upstream_timeout=10m"});
  ASSERT_THAT(ErrorIn(Get(taskwatchd.stub(), "not a task").status).reason, "INVALID_TASK_ID");
  const size_t before = taskwatchd.process().ResidentBytes();

  ManyGets gets(taskwatchd.address());
  for (size_t i = 0; i < kGets; ++i) gets.Begin();
  gets.AwaitEnds(kGets - kPlaces);

  const size_t grown = taskwatchd.process().ResidentBytes() - before;
  std::printf("%zu gets: %zu open, %zu refused, %zu MB more memory, %zu KB for each that is open\n", kGets,
              kGets - gets.ended(), gets.EndedWith("TOO_MANY_CALLS"), grown / 1'000'000, grown / 1'000 / kPlaces);
  EXPECT_EQ(gets.EndedWith("TOO_MANY_CALLS"), kGets - kPlaces);
  EXPECT_EQ(gets.ended(), kGets - kPlaces);
  EXPECT_LT(grown, MemoryBound(size_t{300} << 20));
}

WatchStream::Options WithEtagOf(size_t length) {
  WatchStream::Options options;
  options.last_etag = std::string(length, 'e');
  return options;
}

TEST(Memory, OfWatchersIsNotForThemToSay) {
  constexpr size_t kWatchers = 1'000;
  constexpr size_t kMaxEtagLength = 64;
  ScriptedGateway gateway;
  Taskwatchd taskwatchd(gateway.url(), {"--min_poll_interval=5m"});
  for (const size_t length : {kMaxEtagLength + 1, size_t{60'000}}) {
    const CallError error = ErrorIn(WatchStream(taskwatchd.stub(), "abcd", WithEtagOf(length)).AwaitEnd());
    EXPECT_EQ(error.code, grpc::StatusCode::INVALID_ARGUMENT) << error;
    EXPECT_EQ(error.reason, "INVALID_REQUEST");
    EXPECT_EQ(error.field, "last_etag");
  }
  const size_t before = taskwatchd.process().ResidentBytes();

  std::vector<std::unique_ptr<WatchStream>> watches;
  for (size_t i = 0; i < kWatchers; ++i) {
    watches.push_back(std::make_unique<WatchStream>(taskwatchd.stub(), "abcd", WithEtagOf(kMaxEtagLength)));
  }
  for (const auto& watch : watches) ASSERT_TRUE(watch->AwaitMessages(1));

  const size_t grown = taskwatchd.process().ResidentBytes() - before;
  std::printf("%zu watchers with the longest etag: %zu KB more memory\n", kWatchers, grown / 1'000);
  EXPECT_LT(grown, MemoryBound(size_t{60} << 20));
}

TEST(Memory, OfWatchersDoesNotHoldWhatTheirRequestsHaveBeyondTheirFields) {
  constexpr size_t kWatchers = 1'000;
  ScriptedGateway gateway;
  Taskwatchd taskwatchd(gateway.url(), {"--min_poll_interval=5m"});
  ASSERT_THAT(Get(taskwatchd.stub(), "abcd").status, IsOkCall());
  const size_t before = taskwatchd.process().ResidentBytes();
  // A field that the server does not know, and one that comes twice: the last one counts.
  v1::WatchTaskRequest request;
  google::protobuf::UnknownFieldSet& fields = *request.GetReflection()->MutableUnknownFields(&request);
  fields.AddLengthDelimited(1, std::string(30'000, 'x'));
  fields.AddLengthDelimited(1, "abcd");
  fields.AddLengthDelimited(100, std::string(30'000, 'x'));

  std::deque<grpc::ClientContext> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::WatchTaskResponse>>> watches;
  for (size_t i = 0; i < kWatchers; ++i) {
    watches.push_back(taskwatchd.stub().WatchTask(&contexts.emplace_back(), request));
    v1::WatchTaskResponse response;
    ASSERT_TRUE(watches.back()->Read(&response));
  }

  const size_t grown = taskwatchd.process().ResidentBytes() - before;
  std::printf("%zu watchers with requests of %zu bytes: %zu KB more memory\n", kWatchers, request.ByteSizeLong(),
              grown / 1'000);
  EXPECT_LT(grown, MemoryBound(size_t{45} << 20));
  for (size_t i = 0; i < kWatchers; ++i) {
    contexts[i].TryCancel();
    EXPECT_FALSE(watches[i]->Finish().ok());
  }
}

}  // namespace
}  // namespace taskwatch
