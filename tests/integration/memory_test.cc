// The memory that callers can make the real taskwatchd take.
#include <gmock/gmock.h>
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

}  // namespace
}  // namespace taskwatch
