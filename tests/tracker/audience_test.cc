#include "service/tracker/audience.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <vector>

#include "absl/time/time.h"

#include "service/task/task_info.h"
#include "service/tracker/task_subscriber.h"
#include "tests/fakes/sample_tasks.h"

namespace taskwatch {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;

// More than are told at once, and not a multiple of that.
constexpr int kLarge = 1000;

TaskSnapshotPtr Snapshot(const TaskInfo& info) {
  auto snapshot = std::make_shared<TaskSnapshot>();
  snapshot->info = info;
  return snapshot;
}

class RecordingSubscriber final : public TaskSubscriber {
 public:
  void OnUpdate(const TaskSnapshotPtr& snapshot) override { updates.push_back(snapshot); }
  void OnError(const absl::Status&) override { ADD_FAILURE() << "an audience tells no errors"; }

  std::vector<TaskSnapshotPtr> updates;
};

class AudienceTest : public testing::Test {
 protected:
  // Adds watchers with the next ids.
  void Add(int count, std::optional<absl::Duration> poll_interval = std::nullopt) {
    for (int i = 0; i < count; ++i) {
      subscribers_.push_back(std::make_unique<RecordingSubscriber>());
      EXPECT_TRUE(audience_.Add(subscribers_.size(), subscribers_.back().get(), poll_interval));
    }
  }

  // Tells all slices; how many there were after the first.
  int TellAll(const TaskSnapshotPtr& snapshot) {
    int slices = 0;
    for (bool more = audience_.Tell(snapshot); more; more = audience_.TellMore(snapshot)) ++slices;
    return slices;
  }
  // As the calls of TellMore that were posted do.
  void TellRest(const TaskSnapshotPtr& snapshot) {
    while (audience_.TellMore(snapshot)) {
    }
  }

  // What the watcher with this id was told.
  const std::vector<TaskSnapshotPtr>& ToldTo(size_t id) const { return subscribers_[id - 1]->updates; }
  std::vector<size_t> UpdateCounts() const {
    std::vector<size_t> counts;
    for (const auto& subscriber : subscribers_) counts.push_back(subscriber->updates.size());
    return counts;
  }

  const TaskSnapshotPtr first_ = Snapshot(Running(1));
  const TaskSnapshotPtr second_ = Snapshot(Running(2));
  const TaskSnapshotPtr final_ = Snapshot(Succeeded());
  Audience audience_;
  std::vector<std::unique_ptr<RecordingSubscriber>> subscribers_;
};

TEST_F(AudienceTest, TellsEachWatcherOfEachChangeOnce) {
  Add(2);
  audience_.NoteChange();
  EXPECT_EQ(TellAll(first_), 0);
  EXPECT_EQ(TellAll(first_), 0);
  audience_.NoteChange();
  EXPECT_EQ(TellAll(second_), 0);
  EXPECT_THAT(ToldTo(1), ElementsAre(first_, second_));
  EXPECT_THAT(ToldTo(2), ElementsAre(first_, second_));
}

TEST_F(AudienceTest, TakesANewWatcherToKnowTheCurrentState) {
  audience_.NoteChange();
  Add(1);
  TellAll(first_);
  EXPECT_THAT(ToldTo(1), IsEmpty());
  audience_.NoteChange();
  TellAll(second_);
  EXPECT_THAT(ToldTo(1), ElementsAre(second_));
}

TEST_F(AudienceTest, TellsOnlyTheLatestOfTwoChanges) {
  Add(1);
  audience_.NoteChange();
  audience_.NoteChange();
  TellAll(second_);
  EXPECT_THAT(ToldTo(1), ElementsAre(second_));
}

TEST_F(AudienceTest, TellsALargeAudienceInSlicesOf256) {
  Add(kLarge);
  audience_.NoteChange();
  EXPECT_TRUE(audience_.Tell(first_));
  EXPECT_EQ(ToldTo(256).size(), 1u);
  EXPECT_EQ(ToldTo(257).size(), 0u);
  EXPECT_TRUE(audience_.TellMore(first_));
  EXPECT_TRUE(audience_.TellMore(first_));
  EXPECT_FALSE(audience_.TellMore(first_));
  EXPECT_THAT(UpdateCounts(), Each(1u));
}

TEST_F(AudienceTest, AsksForOneCallOfTellMoreAtATime) {
  Add(kLarge);
  audience_.NoteChange();
  EXPECT_TRUE(audience_.Tell(first_));
  EXPECT_FALSE(audience_.Tell(first_));
  EXPECT_EQ(ToldTo(257).size(), 0u);
  TellRest(first_);
  EXPECT_THAT(UpdateCounts(), Each(1u));
}

TEST_F(AudienceTest, TellsTheFirstOnesAgainWhenTheTaskChangesMeanwhile) {
  Add(kLarge);
  audience_.NoteChange();
  EXPECT_TRUE(audience_.Tell(first_));
  audience_.NoteChange();
  EXPECT_FALSE(audience_.Tell(second_));
  TellRest(second_);
  EXPECT_THAT(ToldTo(1), ElementsAre(first_, second_));
  EXPECT_THAT(ToldTo(257), ElementsAre(second_)) << "an older state after a newer one, or one twice";
  for (int id = 1; id <= kLarge; ++id) EXPECT_EQ(ToldTo(id).back(), second_);
}

TEST_F(AudienceTest, CallsNobodyWhoHasBeenRemovedAndStillTellsTheRest) {
  Add(kLarge);
  audience_.NoteChange();
  EXPECT_TRUE(audience_.Tell(first_));
  for (size_t id = 1; id < kLarge; ++id) EXPECT_TRUE(audience_.Remove(id));
  EXPECT_FALSE(audience_.Remove(1));
  TellRest(first_);
  EXPECT_THAT(ToldTo(kLarge - 1), IsEmpty());
  EXPECT_THAT(ToldTo(kLarge), ElementsAre(first_));
}

TEST_F(AudienceTest, RemovesEverybodyWhoWasToldTheFinalState) {
  Add(kLarge);
  audience_.NoteChange();
  EXPECT_TRUE(audience_.Tell(final_));
  EXPECT_EQ(audience_.size(), kLarge - 256u);
  TellRest(final_);
  EXPECT_TRUE(audience_.empty());
  EXPECT_THAT(UpdateCounts(), Each(1u));
}

TEST_F(AudienceTest, AddsNobodyToThoseWhoAreBeingToldTheFinalState) {
  Add(kLarge);
  audience_.NoteChange();
  EXPECT_TRUE(audience_.Tell(final_));
  RecordingSubscriber latecomer;
  EXPECT_FALSE(audience_.Add(kLarge + 1, &latecomer, absl::Seconds(1)));
  EXPECT_EQ(audience_.size(), kLarge - 256u);
  EXPECT_EQ(audience_.ShortestPollInterval(), std::nullopt);
  TellRest(final_);
  EXPECT_FALSE(audience_.Add(kLarge + 2, &latecomer, std::nullopt));
  EXPECT_THAT(latecomer.updates, IsEmpty());
}

TEST_F(AudienceTest, ReturnsEverybodyWhomItRemoves) {
  Add(2);
  EXPECT_THAT(audience_.RemoveAll(), ElementsAre(subscribers_[0].get(), subscribers_[1].get()));
  EXPECT_TRUE(audience_.empty());
}

TEST_F(AudienceTest, KnowsTheShortestPollInterval) {
  EXPECT_EQ(audience_.ShortestPollInterval(), std::nullopt);
  Add(1);
  EXPECT_EQ(audience_.ShortestPollInterval(), std::nullopt);
  Add(1, absl::Seconds(30));
  Add(1, absl::Seconds(5));
  EXPECT_EQ(audience_.ShortestPollInterval(), absl::Seconds(5));
  Add(1, absl::Seconds(5));
  audience_.Remove(3);
  EXPECT_EQ(audience_.ShortestPollInterval(), absl::Seconds(5)) << "another one wants it too";
  audience_.Remove(4);
  EXPECT_EQ(audience_.ShortestPollInterval(), absl::Seconds(30));
  audience_.RemoveAll();
  EXPECT_EQ(audience_.ShortestPollInterval(), std::nullopt);
}

TEST_F(AudienceTest, ForgetsTheWishesOfThoseWhoWereToldTheFinalState) {
  Add(kLarge, absl::Seconds(5));
  audience_.NoteChange();
  TellAll(final_);
  EXPECT_EQ(audience_.ShortestPollInterval(), std::nullopt);
}

}  // namespace
}  // namespace taskwatch
