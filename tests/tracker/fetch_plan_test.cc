#include "service/tracker/fetch_plan.h"

#include <gtest/gtest.h>

#include <memory>

#include "absl/time/time.h"

#include "service/runtime/simulated_loop.h"

namespace taskwatch {
namespace {

class FetchPlanTest : public testing::Test {
 protected:
  // Sets the timer, and counts when it runs.
  void SetTimer(absl::Duration delay) {
    plan_->SetTimer(loop_.Now() + delay, [this] { ++runs_; });
  }

  SimulatedLoop loop_;
  std::unique_ptr<FetchPlan> plan_ = std::make_unique<FetchPlan>(&loop_);
  int runs_ = 0;
};

TEST_F(FetchPlanTest, NumbersFetchesFromOne) {
  EXPECT_EQ(plan_->latest(), 0u);
  EXPECT_FALSE(plan_->in_flight());
  plan_->Begin();
  EXPECT_EQ(plan_->latest(), 1u);
  EXPECT_TRUE(plan_->in_flight());
  EXPECT_EQ(plan_->start(), loop_.Now());
  loop_.RunFor(absl::Seconds(3));
  plan_->End();
  EXPECT_FALSE(plan_->in_flight());
  EXPECT_EQ(plan_->start(), loop_.Now() - absl::Seconds(3));
  plan_->Begin();
  EXPECT_EQ(plan_->latest(), 2u);
}

TEST_F(FetchPlanTest, WantsNothingForNobody) {
  plan_->set_poll_time(absl::InfinitePast());
  EXPECT_EQ(plan_->NextTime(/*gets_wait=*/false, /*watched=*/false), absl::InfiniteFuture());
}

TEST_F(FetchPlanTest, TakesTheEarlierOfPollAndRetryThatSomebodyWants) {
  const absl::Time soon = loop_.Now() + absl::Seconds(1);
  const absl::Time later = loop_.Now() + absl::Seconds(9);
  plan_->set_poll_time(later);
  EXPECT_EQ(plan_->NextTime(/*gets_wait=*/true, /*watched=*/false), absl::InfinitePast()) << "a get waits for nothing";
  plan_->set_retry_time(soon);
  EXPECT_EQ(plan_->NextTime(/*gets_wait=*/true, /*watched=*/true), soon);
  EXPECT_EQ(plan_->NextTime(/*gets_wait=*/false, /*watched=*/true), later);
  plan_->set_retry_time(later);
  plan_->set_poll_time(soon);
  EXPECT_EQ(plan_->NextTime(/*gets_wait=*/true, /*watched=*/true), soon);
  EXPECT_EQ(plan_->NextTime(/*gets_wait=*/true, /*watched=*/false), later);
}

TEST_F(FetchPlanTest, PutsNothingOffWhenTheClockIsSetBack) {
  plan_->set_poll_time(loop_.Now() + absl::Minutes(1));
  plan_->set_retry_time(loop_.Now() + absl::Seconds(2));
  loop_.SetClock(-absl::Hours(3));
  const absl::Time retry = plan_->NextTime(/*gets_wait=*/true, /*watched=*/true);
  EXPECT_EQ(retry, loop_.Now() + absl::Seconds(2));
  EXPECT_EQ(plan_->NextTime(/*gets_wait=*/false, /*watched=*/true), loop_.Now() + absl::Minutes(1));
}

TEST_F(FetchPlanTest, HasOneTimer) {
  SetTimer(absl::Seconds(1));
  SetTimer(absl::Seconds(5));
  EXPECT_EQ(loop_.TimerCount(), 1u);
  EXPECT_TRUE(plan_->TimerIsSetFor(loop_.Now() + absl::Seconds(5)));
  EXPECT_FALSE(plan_->TimerIsSetFor(loop_.Now() + absl::Seconds(1)));
  loop_.RunFor(absl::Seconds(4));
  EXPECT_EQ(runs_, 0);
  loop_.RunFor(absl::Seconds(1));
  EXPECT_EQ(runs_, 1);
}

TEST_F(FetchPlanTest, CancelsItsTimerWhenAFetchBeginsAndWhenItGoes) {
  const absl::Time time = loop_.Now() + absl::Seconds(1);
  SetTimer(absl::Seconds(1));
  plan_->Begin();
  EXPECT_FALSE(plan_->TimerIsSetFor(time));
  EXPECT_EQ(loop_.TimerCount(), 0u);
  SetTimer(absl::Seconds(1));
  plan_->CancelTimer();
  EXPECT_EQ(loop_.TimerCount(), 0u);
  SetTimer(absl::Seconds(1));
  plan_.reset();
  EXPECT_EQ(loop_.TimerCount(), 0u);
  loop_.RunFor(absl::Hours(1));
  EXPECT_EQ(runs_, 0);
}

}  // namespace
}  // namespace taskwatch
