#include "service/tracker/waiting_gets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <vector>

#include "absl/time/time.h"

#include "service/runtime/simulated_loop.h"

namespace taskwatch {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class WaitingGetsTest : public testing::Test {
 protected:
  // Adds a get that leaves at its deadline, `timeout` from now, and is then in `late_`.
  void Add(WaitingGets::GetId id, uint64_t first_fetch, absl::Duration timeout = absl::InfiniteDuration()) {
    gets_->Add(id, first_fetch, loop_.Now() + timeout, [this, id] {
      EXPECT_TRUE(gets_->Remove(id));
      late_.push_back(id);
    });
  }
  WaitingGets::Retry RetryAnsweredIn(absl::Duration delay, std::optional<int> max_attempts = std::nullopt) const {
    return {loop_.Now() + delay, max_attempts};
  }

  SimulatedLoop loop_;
  std::unique_ptr<WaitingGets> gets_ = std::make_unique<WaitingGets>(&loop_);
  std::vector<WaitingGets::GetId> late_;
};

TEST_F(WaitingGetsTest, AreAnsweredByAFetchThatIsNewEnough) {
  Add(1, /*first_fetch=*/3);
  Add(2, /*first_fetch=*/4);
  Add(3, /*first_fetch=*/3);
  EXPECT_THAT(gets_->RemoveAnswered(3), ElementsAre(1, 3));
  EXPECT_THAT(gets_->RemoveAnswered(3), IsEmpty());
  EXPECT_THAT(gets_->RemoveAnswered(4), ElementsAre(2));
  EXPECT_TRUE(gets_->empty());
}

TEST_F(WaitingGetsTest, AreAllRemovedForAFinalState) {
  Add(1, /*first_fetch=*/3);
  Add(2, /*first_fetch=*/4);
  EXPECT_THAT(gets_->RemoveAll(), ElementsAre(1, 2));
  EXPECT_TRUE(gets_->empty());
}

TEST_F(WaitingGetsTest, FailWithTheirFetchWhenThereIsNoRetry) {
  Add(1, /*first_fetch=*/1);
  Add(2, /*first_fetch=*/2);
  EXPECT_THAT(gets_->RemoveFailed(1, std::nullopt), ElementsAre(1)) << "the second one's fetch is still to come";
  EXPECT_THAT(gets_->RemoveFailed(2, std::nullopt), ElementsAre(2));
}

TEST_F(WaitingGetsTest, GoOnUntilTheirAttemptsAreUsedUp) {
  Add(1, /*first_fetch=*/1);
  EXPECT_THAT(gets_->RemoveFailed(1, RetryAnsweredIn(absl::Seconds(1), 3)), IsEmpty());
  Add(2, /*first_fetch=*/2);
  EXPECT_THAT(gets_->RemoveFailed(2, RetryAnsweredIn(absl::Seconds(1), 3)), IsEmpty());
  EXPECT_THAT(gets_->RemoveFailed(3, RetryAnsweredIn(absl::Seconds(1), 3)), ElementsAre(1));
  EXPECT_THAT(gets_->RemoveFailed(4, RetryAnsweredIn(absl::Seconds(1), 3)), ElementsAre(2));
}

TEST_F(WaitingGetsTest, GoOnForEverWhenAttemptsDoNotCount) {
  Add(1, /*first_fetch=*/1);
  for (uint64_t fetch = 1; fetch <= 100; ++fetch) {
    EXPECT_THAT(gets_->RemoveFailed(fetch, RetryAnsweredIn(absl::Seconds(1))), IsEmpty());
  }
  EXPECT_THAT(gets_->RemoveFailed(101, RetryAnsweredIn(absl::Seconds(1), 2)), IsEmpty()) << "the first that counts";
  EXPECT_THAT(gets_->RemoveFailed(102, RetryAnsweredIn(absl::Seconds(1), 2)), ElementsAre(1));
}

TEST_F(WaitingGetsTest, DoNotWaitForAnAnswerThatWouldComeTooLate) {
  Add(1, /*first_fetch=*/1, absl::Seconds(2));
  Add(2, /*first_fetch=*/1, absl::Seconds(3));
  EXPECT_THAT(gets_->RemoveFailed(1, RetryAnsweredIn(absl::Seconds(2))), ElementsAre(1));
}

TEST_F(WaitingGetsTest, LeaveAtTheirDeadlines) {
  Add(1, /*first_fetch=*/1, absl::Seconds(2));
  Add(2, /*first_fetch=*/1, absl::Seconds(1));
  Add(3, /*first_fetch=*/1);
  loop_.RunFor(absl::Seconds(1));
  EXPECT_THAT(late_, ElementsAre(2));
  loop_.RunFor(absl::Hours(1));
  EXPECT_THAT(late_, ElementsAre(2, 1));
  EXPECT_THAT(gets_->RemoveAll(), ElementsAre(3));
}

TEST_F(WaitingGetsTest, AreNotCalledBackBeforeAddReturnsEvenIfTheirTimeIsUp) {
  Add(1, /*first_fetch=*/1, -absl::Seconds(1));
  EXPECT_THAT(late_, IsEmpty());
  loop_.RunFor(absl::ZeroDuration());
  EXPECT_THAT(late_, ElementsAre(1));
}

TEST_F(WaitingGetsTest, KnowTheLatestDeadline) {
  EXPECT_EQ(gets_->LatestDeadline(), absl::InfinitePast());
  Add(1, /*first_fetch=*/1, absl::Seconds(2));
  Add(2, /*first_fetch=*/1, absl::Seconds(1));
  EXPECT_EQ(gets_->LatestDeadline(), loop_.Now() + absl::Seconds(2));
  Add(3, /*first_fetch=*/1);
  EXPECT_EQ(gets_->LatestDeadline(), absl::InfiniteFuture());
}

TEST_F(WaitingGetsTest, LeaveNoTimersBehind) {
  for (WaitingGets::GetId id = 1; id <= 4; ++id) Add(id, /*first_fetch=*/id, absl::Seconds(9));
  EXPECT_TRUE(gets_->Remove(1));
  EXPECT_FALSE(gets_->Remove(1));
  gets_->RemoveAnswered(2);
  gets_->RemoveFailed(3, std::nullopt);
  EXPECT_EQ(loop_.TimerCount(), 1u);
  gets_.reset();
  EXPECT_EQ(loop_.TimerCount(), 0u);
}

}  // namespace
}  // namespace taskwatch
