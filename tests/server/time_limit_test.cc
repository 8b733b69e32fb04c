#include "service/server/time_limit.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/time.h"

#include "service/server/completion_thread.h"
#include "tests/patience/patience.h"

namespace taskwatch {
namespace {

class TimeLimitTest : public testing::Test {
 protected:
  // On the completion thread, where all of it lives; returns when it is done.
  void Do(CompletionThread::Operation operation) {
    absl::Notification done;
    std::vector<CompletionThread::Operation> operations;
    operations.push_back(std::move(operation));
    operations.push_back([&done] { done.Notify(); });
    thread_->Run(std::move(operations));
    Await(done, "the completion thread");
  }

  grpc::ServerBuilder builder_;
  std::unique_ptr<CompletionThread> thread_ = std::make_unique<CompletionThread>(builder_.AddCompletionQueue());
};

TEST_F(TimeLimitTest, TellsWhatLastsTooLongInItsOrderAndNothingElse) {
  TimeLimit limit(thread_.get(), absl::Milliseconds(20));
  std::vector<int> expired;
  absl::Notification last;
  TimeLimit::Wait first([&] { expired.push_back(1); });
  TimeLimit::Wait ends_in_time([&] { expired.push_back(2); });
  TimeLimit::Wait second([&] {
    expired.push_back(3);
    last.Notify();
  });
  Do([&] {
    limit.Begin(first);
    limit.Begin(ends_in_time);
    limit.Begin(second);
    ends_in_time.End();
  });
  Await(last, "the time limit");
  thread_.reset();
  EXPECT_EQ(expired, std::vector<int>({1, 3}));
}

TEST_F(TimeLimitTest, BeginsAnewAfterEachEnd) {
  TimeLimit limit(thread_.get(), absl::Milliseconds(1));
  for (int i = 0; i < 10; ++i) {
    absl::Notification expired;
    TimeLimit::Wait wait([&] { expired.Notify(); });
    Do([&] { limit.Begin(wait); });
    Await(expired, "the time limit");
    // Ended by its expiry, so that it can be destroyed here.
    Do([] {});
  }
}

TEST_F(TimeLimitTest, AWaitMayBeginAgainWhenItHasExpired) {
  TimeLimit limit(thread_.get(), absl::Milliseconds(1));
  int expired = 0;
  absl::Notification third;
  std::unique_ptr<TimeLimit::Wait> wait;
  wait = std::make_unique<TimeLimit::Wait>([&] {
    if (++expired == 3) return third.Notify();
    limit.Begin(*wait);
  });
  Do([&] { limit.Begin(*wait); });
  Await(third, "three time limits");
  thread_.reset();
  EXPECT_EQ(expired, 3);
}

TEST_F(TimeLimitTest, DoesNotHoldTheEndOfTheThreadUp) {
  TimeLimit limit(thread_.get(), absl::Hours(1));
  bool expired = false;
  TimeLimit::Wait wait([&] { expired = true; });
  Do([&] { limit.Begin(wait); });
  thread_.reset();
  EXPECT_FALSE(expired);
}

}  // namespace
}  // namespace taskwatch
