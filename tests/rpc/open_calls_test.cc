#include "service/rpc/open_calls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "absl/status/status.h"

#include "service/runtime/simulated_loop.h"
#include "tests/matchers/status_matchers.h"

namespace taskwatch {
namespace {

// A call that leaves as soon as it is told to end, unless it has a write in flight.
class FakeCall final : public OpenCall {
 public:
  explicit FakeCall(OpenCalls* calls) : calls_(calls) { calls_->Add(this); }
  ~FakeCall() override { calls_->Remove(this); }

  void End(const absl::Status& status) override {
    ++ends;
    last_status = status;
    if (!busy) calls_->Remove(this);
  }

  bool busy = false;
  int ends = 0;
  absl::Status last_status;

 private:
  OpenCalls* const calls_;
};

class OpenCallsTest : public testing::Test {
 protected:
  void Open(int count) {
    for (int i = 0; i < count; ++i) fakes_.push_back(std::make_unique<FakeCall>(&calls_));
  }
  int Ended() const {
    int ended = 0;
    for (const auto& fake : fakes_) ended += fake->ends;
    return ended;
  }

  SimulatedLoop loop_;
  OpenCalls calls_{&loop_};
  std::vector<std::unique_ptr<FakeCall>> fakes_;
  const absl::Status draining_ = absl::UnavailableError("draining");
};

TEST_F(OpenCallsTest, EndsEachCallOnceWithTheStatus) {
  Open(3);
  calls_.EndAll(draining_);
  loop_.RunPosted();
  for (const auto& fake : fakes_) {
    EXPECT_EQ(fake->ends, 1);
    EXPECT_EQ(fake->last_status, draining_);
  }
  EXPECT_EQ(calls_.size(), 0u);
}

TEST_F(OpenCallsTest, KeepsCallsThatNeedMoreTimeUntilTheyLeave) {
  Open(3);
  fakes_[1]->busy = true;
  calls_.EndAll(draining_);
  loop_.RunPosted();
  EXPECT_EQ(calls_.size(), 1u);
  fakes_.clear();
  EXPECT_EQ(calls_.size(), 0u);
}

TEST_F(OpenCallsTest, EndsManyInSlices) {
  Open(1000);
  calls_.EndAll(draining_);
  EXPECT_GT(Ended(), 0);
  EXPECT_LT(Ended(), 1000) << "those which end wait for all others to be told";
  loop_.RunPosted();
  EXPECT_EQ(Ended(), 1000);
}

TEST_F(OpenCallsTest, DoesNotTouchACallThatLeavesBeforeItIsTold) {
  Open(1000);
  calls_.EndAll(draining_);
  const int ended = Ended();
  fakes_.clear();
  loop_.RunPosted();
  EXPECT_GT(ended, 0);
  EXPECT_EQ(calls_.size(), 0u);
}

TEST_F(OpenCallsTest, TellsNewCallsToEndFromThenOn) {
  EXPECT_THAT(calls_.ending(), IsOk());
  calls_.EndAll(draining_);
  EXPECT_EQ(calls_.ending(), draining_);
}

}  // namespace
}  // namespace taskwatch
