#include "client/cli/progress_estimate.h"

#include <gtest/gtest.h>

namespace taskwatch::client {
namespace {

absl::Time At(int second) { return absl::FromUnixSeconds(second); }

TEST(ProgressEstimate, ExtrapolatesTheAverageRate) {
  ProgressEstimate estimate;
  estimate.Add(At(0), 0);
  estimate.Add(At(10), 5);
  EXPECT_EQ(estimate.Rate(), 0.5);
  EXPECT_EQ(estimate.FinishTime(20), At(40));
}

TEST(ProgressEstimate, KnowsNothingBeforeThereIsProgress) {
  ProgressEstimate estimate;
  EXPECT_EQ(estimate.Rate(), std::nullopt);
  estimate.Add(At(0), 3);
  estimate.Add(At(10), 3);
  EXPECT_EQ(estimate.Rate(), std::nullopt);
  EXPECT_EQ(estimate.FinishTime(20), std::nullopt);
}

TEST(ProgressEstimate, StartsOverAfterAStepBack) {
  ProgressEstimate estimate;
  estimate.Add(At(0), 10);
  estimate.Add(At(10), 0);
  estimate.Add(At(20), 10);
  EXPECT_EQ(estimate.Rate(), 1.0);
}

}  // namespace
}  // namespace taskwatch::client
