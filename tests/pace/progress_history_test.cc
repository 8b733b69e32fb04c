#include "service/pace/progress_history.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

#include "absl/time/time.h"

#include "service/task/task_info.h"

namespace taskwatch {
namespace {

constexpr absl::Time kBegin = absl::FromUnixSeconds(1'700'000'000);

TaskInfo Counted(int64_t done, int64_t total) {
  TaskInfo info;
  info.state = TaskState::kRunning;
  info.succeeded_count = done;
  info.total_count = total;
  return info;
}

TaskInfo Waiting(int64_t total) {
  TaskInfo info = Counted(0, total);
  info.state = TaskState::kWaiting;
  return info;
}

class ProgressHistoryTest : public testing::Test {
 protected:
  void See(double second, const TaskInfo& info) { history_.Observe(kBegin + absl::Seconds(second), info); }

  // The estimated rest in seconds; -1 if there is no estimate.
  double Remaining() const {
    const std::optional<FinishEstimate> finish = history_.EstimateFinish();
    return finish.has_value() ? absl::ToDoubleSeconds(finish->remaining) : -1;
  }
  double Doubt() const { return history_.EstimateFinish()->doubt; }

  ProgressHistory history_;
};

TEST_F(ProgressHistoryTest, KnowsNothingAtFirst) {
  EXPECT_TRUE(history_.empty());
  EXPECT_FALSE(history_.EstimateFinish().has_value());
  EXPECT_FALSE(history_.complete_for().has_value());
}

TEST_F(ProgressHistoryTest, ForeseesTheEndOfASteadyTask) {
  See(0, Counted(0, 100));
  See(10, Counted(25, 100));
  EXPECT_NEAR(Remaining(), 30, 1e-6);
  See(20, Counted(50, 100));
  EXPECT_NEAR(Remaining(), 20, 1e-6);
}

TEST_F(ProgressHistoryTest, ForeseesTheEndOfATaskThatGetsFaster) {
  See(0, Counted(0, 100));
  See(20, Counted(4, 100));
  See(40, Counted(16, 100));
  EXPECT_NEAR(Remaining(), 60, 1e-6) << "the share done is the square of the share of the time";
}

TEST_F(ProgressHistoryTest, ForeseesALaterEndForATaskThatGetsSlower) {
  See(0, Counted(0, 100));
  See(10, Counted(40, 100));
  See(20, Counted(57, 100));
  EXPECT_GT(Remaining(), 1.2 * 20 * 43 / 57) << "clearly later than at its mean rate";
}

TEST_F(ProgressHistoryTest, DoubtsLessOnceASecondRateAgreesWithTheFirst) {
  See(0, Counted(0, 1'000'000));
  See(1, Counted(10'000, 1'000'000));
  const double at_first = Doubt();
  See(10, Counted(100'000, 1'000'000));
  EXPECT_LT(Doubt(), at_first - 0.2);
}

TEST_F(ProgressHistoryTest, DoubtsAnEstimateFromFewItems) {
  See(0, Counted(0, 4));
  See(10, Counted(1, 4));
  EXPECT_GT(Doubt(), 1);
}

TEST_F(ProgressHistoryTest, DoubtsATaskThatHasStoodStill) {
  ProgressHistory steady;
  for (const auto& [second, done] : {std::pair(0, 0), {10, 100}, {20, 200}, {40, 400}}) {
    See(second, Counted(done, 1000));
    steady.Observe(kBegin + absl::Seconds(second), Counted(done, 1000));
  }
  See(60, Counted(400, 1000));
  See(80, Counted(800, 1000));
  steady.Observe(kBegin + absl::Seconds(80), Counted(800, 1000));
  EXPECT_GT(Doubt(), steady.EstimateFinish()->doubt);
}

TEST_F(ProgressHistoryTest, DoesNotTakeWaitingForWorking) {
  See(0, Waiting(100));
  See(1000, Waiting(100));
  EXPECT_EQ(Remaining(), -1);
  See(1020, Counted(10, 100));
  EXPECT_NEAR(Remaining(), 90, 1e-6) << "it began to run at second 1010, as far as can be told";
}

TEST_F(ProgressHistoryTest, DoesNotTakeALongPreparationForSlowWork) {
  See(0, Counted(0, 100));
  See(1000, Counted(0, 100));
  See(1010, Counted(50, 100));
  EXPECT_LT(Remaining(), 12);
}

TEST_F(ProgressHistoryTest, MeasuresARateOnlyFromWhenItCame) {
  See(0, Counted(80, 100));
  EXPECT_EQ(Remaining(), -1) << "nobody knows how long the first 80 took";
  See(10, Counted(90, 100));
  EXPECT_NEAR(Remaining(), 10, 1e-6);
}

TEST_F(ProgressHistoryTest, KnowsHowLongATaskHasBeenCompleteButNotOver) {
  See(0, Counted(0, 10));
  See(10, Counted(10, 10));
  EXPECT_EQ(history_.complete_for(), absl::ZeroDuration());
  See(25, Counted(10, 10));
  EXPECT_EQ(history_.complete_for(), absl::Seconds(15));
  EXPECT_FALSE(history_.EstimateFinish().has_value());
}

TEST_F(ProgressHistoryTest, SeesNoProgressInOneItemOrNone) {
  See(0, Counted(0, 1));
  EXPECT_FALSE(history_.counted());
  See(1, Counted(0, 0));
  EXPECT_FALSE(history_.counted());
  See(2, TaskInfo{});
  EXPECT_FALSE(history_.counted());
  EXPECT_EQ(Remaining(), -1);
}

TEST_F(ProgressHistoryTest, BeginsAnewWhenTheCountFalls) {
  See(0, Counted(0, 100));
  See(10, Counted(50, 100));
  See(20, Counted(10, 100));
  EXPECT_EQ(Remaining(), -1);
  See(30, Counted(20, 100));
  EXPECT_NEAR(Remaining(), 80, 1e-6);
  EXPECT_EQ(history_.age(), absl::Seconds(30));
}

TEST_F(ProgressHistoryTest, StandsStillWhileTheClockIsSetBack) {
  See(10, Counted(0, 100));
  See(20, Counted(10, 100));
  See(5, Counted(11, 100));
  EXPECT_EQ(history_.age(), absl::Seconds(10));
  EXPECT_GT(Remaining(), 0);
}

TEST_F(ProgressHistoryTest, SurvivesCountsOfAnySize) {
  const int64_t most = std::numeric_limits<int64_t>::max();
  const int64_t least = std::numeric_limits<int64_t>::min();
  See(0, Counted(0, most));
  TaskInfo info = Counted(most, most);
  info.failed_count = most;
  See(0, Counted(1, most));
  EXPECT_TRUE(std::isfinite(Remaining()));
  EXPECT_TRUE(std::isfinite(Doubt()));
  See(0, info);
  See(1, Counted(least, least));
  EXPECT_EQ(Remaining(), -1);
}

TEST_F(ProgressHistoryTest, TakesUpATaskWithItsAgeAndWithoutItsPast) {
  TaskSnapshot snapshot;
  snapshot.info = Counted(50, 100);
  snapshot.first_observe_time = kBegin;
  snapshot.observe_time = kBegin + absl::Seconds(100);
  history_ = ProgressHistory(snapshot);
  EXPECT_EQ(history_.age(), absl::Seconds(100));
  EXPECT_EQ(Remaining(), -1);
  See(120, Counted(60, 100));
  EXPECT_NEAR(Remaining(), 80, 1e-6) << "forty more at ten in twenty seconds";
}

TEST(ProgressHistory, IsSmall) { EXPECT_LE(sizeof(ProgressHistory), 192u) << "there is one for each watched task"; }

}  // namespace
}  // namespace taskwatch
