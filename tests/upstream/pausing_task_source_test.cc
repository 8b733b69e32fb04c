#include "service/upstream/pausing_task_source.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "service/runtime/simulated_loop.h"
#include "service/task/task_error.h"
#include "service/task/task_info.h"
#include "tests/fakes/fake_task_source.h"
#include "tests/fakes/sample_tasks.h"

namespace taskwatch {
namespace {

class PausingTaskSourceTest : public testing::Test {
 protected:
  using Answer = std::optional<absl::StatusOr<TaskInfo>>;

  // Asks, and returns where the answer will stand.
  Answer* Fetch(absl::string_view task_id = "abcd") {
    answers_.push_back(std::make_unique<Answer>());
    Answer* const answer = answers_.back().get();
    source_->Fetch(task_id, [answer](absl::StatusOr<TaskInfo> result) {
      EXPECT_FALSE(answer->has_value()) << "answered twice";
      answer->emplace(std::move(result));
    });
    EXPECT_FALSE(answer->has_value()) << "answered before Fetch returned";
    return answer;
  }

  static absl::Status Ban() { return Error(ErrorReason::kUpstreamIpBanned, Persistence::kPaused, absl::Minutes(5)); }

  SimulatedLoop loop_;
  FakeTaskSource upstream_;
  std::unique_ptr<PausingTaskSource> source_ = std::make_unique<PausingTaskSource>(&loop_, &upstream_);
  std::vector<std::unique_ptr<Answer>> answers_;
};

TEST_F(PausingTaskSourceTest, PassesAnswersOn) {
  Answer* const answer = Fetch();
  upstream_.Answer(Running(3));
  ASSERT_TRUE(answer->has_value() && (*answer)->ok());
  EXPECT_EQ((*answer)->value().succeeded_count, 3);
}

TEST_F(PausingTaskSourceTest, AsksOnAfterErrorsThatPass) {
  const std::vector<absl::Status> errors = {
      Error(ErrorReason::kUpstreamRateLimited, Persistence::kTransient, absl::Seconds(1)),
      Error(ErrorReason::kUpstreamPermissionDenied, Persistence::kPermanent),
      Error(ErrorReason::kUpstreamIpBanned, Persistence::kPaused),
  };
  for (const absl::Status& error : errors) {
    Answer* const answer = Fetch();
    ASSERT_EQ(upstream_.in_flight(), 1u) << "paused";
    upstream_.Answer(error);
    ASSERT_TRUE(answer->has_value());
    EXPECT_EQ((*answer)->status(), error);
  }
}

TEST_F(PausingTaskSourceTest, AsksForNoTaskDuringAPause) {
  Fetch();
  upstream_.Answer(Ban());
  Answer* const other = Fetch("efgh");
  loop_.RunPosted();
  EXPECT_EQ(upstream_.fetches(), 1);
  ASSERT_TRUE(other->has_value());
  EXPECT_EQ(DetailsOf((*other)->status()).reason, ErrorReason::kUpstreamIpBanned);
  EXPECT_EQ(DetailsOf((*other)->status()).persistence, Persistence::kPaused);
  EXPECT_EQ((*other)->status().message(), Ban().message());
}

TEST_F(PausingTaskSourceTest, TellsHowMuchOfThePauseIsLeft) {
  Fetch();
  upstream_.Answer(Ban());
  loop_.RunFor(absl::Minutes(2));
  Answer* const answer = Fetch();
  loop_.RunPosted();
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ(DetailsOf((*answer)->status()).retry_after, absl::Minutes(3));
}

TEST_F(PausingTaskSourceTest, AsksAgainWhenThePauseIsOver) {
  Fetch();
  upstream_.Answer(Ban());
  loop_.RunFor(absl::Minutes(5));
  Answer* const answer = Fetch();
  ASSERT_EQ(upstream_.in_flight(), 1u);
  upstream_.Answer(Running(3));
  EXPECT_TRUE((*answer)->ok());
}

TEST_F(PausingTaskSourceTest, KeepsToTheLongerOfTwoPauses) {
  Fetch("abcd");
  Fetch("efgh");
  Fetch("ijkl");
  upstream_.Answer(Ban());
  upstream_.Answer(Error(ErrorReason::kUpstreamRateLimited, Persistence::kPaused, absl::Minutes(1)));
  upstream_.Answer(Running(3));
  loop_.RunFor(absl::Minutes(5) - absl::Milliseconds(1));
  Answer* const answer = Fetch();
  loop_.RunPosted();
  EXPECT_EQ(upstream_.fetches(), 3);
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ(DetailsOf((*answer)->status()).reason, ErrorReason::kUpstreamIpBanned);
}

TEST_F(PausingTaskSourceTest, AnswersNobodyOnceDestroyed) {
  Fetch();
  upstream_.Answer(Ban());
  Answer* const paused = Fetch();
  loop_.RunFor(absl::ZeroDuration());
  source_ = std::make_unique<PausingTaskSource>(&loop_, &upstream_);
  Answer* const passed_on = Fetch();
  paused->reset();
  Answer* const late = Fetch("efgh");
  source_.reset();
  upstream_.Answer(Running(3));
  upstream_.Answer(Running(3));
  loop_.RunPosted();
  EXPECT_FALSE(passed_on->has_value() || late->has_value());
}

TEST_F(PausingTaskSourceTest, LetsItsAnswersDestroyIt) {
  source_->Fetch("abcd", [this](const auto&) { source_.reset(); });
  upstream_.Answer(Ban());
  EXPECT_EQ(source_, nullptr);
}

}  // namespace
}  // namespace taskwatch
