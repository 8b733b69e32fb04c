// Watchers who come from another server, where they may have seen a newer state.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

#include "service/runtime/simulated_loop.h"
#include "service/task/priority.h"
#include "service/task/task_error.h"
#include "service/task/task_info.h"
#include "service/tracker/snapshot_cache.h"
#include "service/tracker/task_subscriber.h"
#include "service/tracker/task_tracker.h"
#include "tests/fakes/fake_task_source.h"
#include "tests/fakes/sample_tasks.h"
#include "tests/matchers/status_matchers.h"

namespace taskwatch {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class Watcher final : public TaskSubscriber {
 public:
  void OnUpdate(const TaskSnapshotPtr& snapshot) override {
    done_items.push_back(snapshot->info.succeeded_count.value_or(-1));
  }
  void OnError(const absl::Status& status) override { error = status; }

  std::vector<int64_t> done_items;
  absl::Status error;
};

class TaskTrackerResume : public testing::Test {
 protected:
  Watcher* Watch(const std::string& last_etag, std::optional<absl::Duration> poll_interval = std::nullopt) {
    watchers_.push_back(std::make_unique<Watcher>());
    absl::StatusOr<TaskTracker::WatchStart> start =
        tracker_.Watch("abcd", poll_interval, watchers_.back().get(), last_etag);
    EXPECT_THAT(start, IsOk());
    start_ = start.value_or(TaskTracker::WatchStart());
    return watchers_.back().get();
  }

  // Somebody watches, and has seen these states one after the other, the last one a second ago.
  Watcher* Known(const std::vector<int>& done_items) {
    Watcher* const watcher = Watch("", absl::Minutes(1));
    for (const int items : done_items) {
      if (source_.in_flight() == 0) loop_.RunFor(absl::Minutes(1));
      source_.Answer(Running(items));
    }
    loop_.RunFor(absl::Seconds(1));
    fetches_before_ = source_.fetches();
    return watcher;
  }
  int NewFetches() const { return source_.fetches() - fetches_before_; }

  static std::string EtagOfRunning(int done_items) {
    TaskInfo info = Running(done_items);
    info.task_id = "abcd";
    return EtagOf(info);
  }

  SimulatedLoop loop_;
  FakeTaskSource source_;
  SnapshotCache cache_{1000};
  TaskTracker tracker_{&loop_, &source_, &cache_, TaskTracker::Options{}};
  std::vector<std::unique_ptr<Watcher>> watchers_;
  TaskTracker::WatchStart start_;
  int fetches_before_ = 0;
};

TEST_F(TaskTrackerResume, IsToldWhatIsKnownAtOnceWithOneOfTheLastEightEtags) {
  Known({1, 2, 3, 4, 5, 6, 7, 8, 9});
  for (int items = 2; items <= 9; ++items) {
    Watch(EtagOfRunning(items));
    ASSERT_NE(start_.snapshot, nullptr) << items;
    EXPECT_EQ(start_.snapshot->info.succeeded_count, 9);
  }
  EXPECT_EQ(NewFetches(), 0);
  Watch(EtagOfRunning(1));
  EXPECT_EQ(start_.snapshot, nullptr);
  EXPECT_EQ(NewFetches(), 1) << "the ninth last is not kept";
}

TEST_F(TaskTrackerResume, IsToldWhatAFetchBringsWithAnyOtherEtag) {
  Watcher* const other = Known({3});
  Watcher* const watcher = Watch(EtagOfRunning(5));
  EXPECT_TRUE(start_.resuming);
  EXPECT_EQ(start_.snapshot, nullptr);
  ASSERT_EQ(NewFetches(), 1);
  EXPECT_EQ(source_.options().priority, Priority::kPoll) << "callers' calls are not for this";
  source_.Answer(Running(6));
  EXPECT_THAT(watcher->done_items, ElementsAre(6));
  EXPECT_THAT(other->done_items, ElementsAre(3, 6));
}

TEST_F(TaskTrackerResume, IsToldTheStateAlsoIfTheFetchFindsNothingNew) {
  Watcher* const other = Known({3});
  Watcher* const watcher = Watch("garbage");
  source_.Answer(Running(3));
  EXPECT_THAT(watcher->done_items, ElementsAre(3));
  EXPECT_THAT(other->done_items, ElementsAre(3));
}

TEST_F(TaskTrackerResume, SharesItsFetchWithAllWhoResume) {
  constexpr int kWatchers = 1000;
  Known({3});
  source_.calling = false;
  for (int i = 0; i < kWatchers; ++i) Watch(EtagOfRunning(5));
  source_.Answer(Running(5));
  loop_.RunPosted();
  for (int i = 1; i <= kWatchers; ++i) ASSERT_THAT(watchers_[i]->done_items, ElementsAre(5)) << i;
  std::cout << kWatchers << " watchers resume with a newer etag: " << NewFetches() << " calls\n";
  EXPECT_EQ(NewFetches(), 1);
}

TEST_F(TaskTrackerResume, IsNotToldWhatACallBringsThatWasMadeBeforeItCame) {
  Known({3});
  Watcher* const early = Watch(EtagOfRunning(5));
  ASSERT_EQ(NewFetches(), 1);
  Watcher* const late = Watch(EtagOfRunning(6));
  source_.Answer(Running(4));
  EXPECT_THAT(early->done_items, ElementsAre(4));
  EXPECT_THAT(late->done_items, IsEmpty()) << "the call was made before another server saw the newer state";
  EXPECT_EQ(source_.in_flight(), 0u) << "sooner than the shortest interval after the last";
  loop_.RunFor(absl::Seconds(1));
  ASSERT_EQ(NewFetches(), 2);
  source_.Answer(Running(7));
  EXPECT_THAT(late->done_items, ElementsAre(7));
  EXPECT_THAT(early->done_items, ElementsAre(4, 7));
}

TEST_F(TaskTrackerResume, IsToldWhatAnEarlierCallBringsIfItsOwnStateIsAmongThatsNews) {
  Known({3});
  Watch(EtagOfRunning(5));
  Watcher* const late = Watch(EtagOfRunning(5));
  source_.Answer(Running(5));
  EXPECT_THAT(late->done_items, ElementsAre(5));
  loop_.RunFor(absl::Seconds(30));
  EXPECT_EQ(NewFetches(), 1);
}

TEST_F(TaskTrackerResume, IsToldWhatIsKnownWhenTheFetchFailsOrIsPutOff) {
  const std::vector<absl::Status> errors = {
      Error(ErrorReason::kUpstreamTimeout, Persistence::kTransient),
      NotAsked(ErrorReason::kPollDeferred, Persistence::kPaused, absl::Hours(5)),
      NotAsked(ErrorReason::kUpstreamIpBanned, Persistence::kPaused, absl::Minutes(5)),
  };
  Known({3});
  for (const absl::Status& error : errors) {
    Watcher* const watcher = Watch("garbage");
    ASSERT_EQ(NewFetches(), 1) << error;
    source_.Answer(error);
    EXPECT_THAT(watcher->done_items, ElementsAre(3)) << error;
    EXPECT_THAT(watcher->error, IsOk());
    // Well again.
    tracker_.Get("abcd", absl::ZeroDuration(), absl::InfiniteFuture(), [](const auto&) {});
    loop_.RunFor(absl::Seconds(1));
    source_.Answer(Running(3));
    loop_.RunFor(absl::Seconds(1));
    fetches_before_ = source_.fetches();
  }
}

TEST_F(TaskTrackerResume, IsToldWhatIsKnownAtOnceWhilePollsArePutOff) {
  Known({3});
  loop_.RunFor(absl::Minutes(1));
  source_.Answer(NotAsked(ErrorReason::kPollDeferred, Persistence::kPaused, absl::Hours(5)));
  fetches_before_ = source_.fetches();
  Watch("garbage");
  ASSERT_NE(start_.snapshot, nullptr);
  loop_.RunFor(absl::Minutes(1));
  EXPECT_EQ(NewFetches(), 0);
}

TEST_F(TaskTrackerResume, IsToldTheErrorThatEndsTheWatch) {
  Known({3});
  Watcher* const watcher = Watch("garbage");
  source_.Answer(Error(ErrorReason::kUpstreamPermissionDenied, Persistence::kPermanent));
  EXPECT_THAT(watcher->error, HasReason(ErrorReason::kUpstreamPermissionDenied));
  EXPECT_THAT(watcher->done_items, IsEmpty());
}

TEST_F(TaskTrackerResume, IsToldTheEndAtOnce) {
  Known({3});
  Watcher* const watcher = Watch("garbage");
  source_.Answer(Succeeded());
  EXPECT_THAT(watcher->done_items, ElementsAre(-1));
  Watch("garbage");
  EXPECT_EQ(start_.id, 0u);
  ASSERT_NE(start_.snapshot, nullptr);
  EXPECT_EQ(NewFetches(), 1);
}

TEST_F(TaskTrackerResume, CostsNothingIfItLeavesBeforeItsFetchIsDue) {
  Known({3});
  Watch("garbage");
  source_.Answer(Running(3));
  Watch("garbage");
  const TaskTracker::WatchId id = start_.id;
  EXPECT_EQ(tracker_.PollStateOf("abcd").next_poll_time, loop_.Now() + absl::Seconds(1));
  tracker_.Unwatch("abcd", id);
  EXPECT_EQ(tracker_.PollStateOf("abcd").next_poll_time, loop_.Now() + absl::Minutes(1));
  loop_.RunFor(absl::Seconds(30));
  EXPECT_EQ(NewFetches(), 1);
}

TEST_F(TaskTrackerResume, CostsACallForEachShortestIntervalHoweverOftenGarbageIsTold) {
  const TaskTracker::WatchId first = [this] {
    Watch("");
    return start_.id;
  }();
  source_.Answer(Running(3));
  tracker_.Unwatch("abcd", first);
  fetches_before_ = source_.fetches();
  // Comes again as soon as it is answered, and gives up after a tenth of a second.
  for (int i = 0; i < 600; ++i) {
    Watch(absl::StrCat("garbage-", i));
    loop_.RunFor(absl::Milliseconds(100));
    if (source_.in_flight() > 0) source_.Answer(Running(3));
    tracker_.Unwatch("abcd", start_.id);
  }
  std::cout << "a minute of 600 watches with garbage: " << NewFetches() << " calls\n";
  EXPECT_LE(NewFetches(), 60);
}

TEST_F(TaskTrackerResume, TellsTheOthersOfALargeAudienceNothingTwice) {
  Known({3});
  for (int i = 0; i < 600; ++i) Watch(EtagOfRunning(3));
  Watch("garbage");
  source_.Answer(Running(3));
  loop_.RunPosted();
  EXPECT_THAT(watchers_.back()->done_items, ElementsAre(3));
  for (size_t i = 1; i + 1 < watchers_.size(); ++i) EXPECT_THAT(watchers_[i]->done_items, IsEmpty());
}

TEST_F(TaskTrackerResume, WaitsForALaterFetchIfTheFirstOneWasMadeBeforeItCame) {
  tracker_.Get("abcd", absl::ZeroDuration(), absl::InfiniteFuture(), [](const auto&) {});
  const Watcher* const watcher = Watch(EtagOfRunning(7));
  source_.Answer(Running(5));
  EXPECT_THAT(watcher->done_items, IsEmpty()) << "that may be older";
  loop_.RunFor(absl::Seconds(1));
  source_.Answer(Running(8));
  EXPECT_THAT(watcher->done_items, ElementsAre(8));
}

TEST_F(TaskTrackerResume, IsHeldBackWhileALargeAudienceIsToldOfAnEarlierChange) {
  Known({3});
  for (int i = 0; i < 600; ++i) Watch(EtagOfRunning(3));
  tracker_.Get("abcd", absl::ZeroDuration(), absl::InfiniteFuture(), [](const auto&) {});
  source_.Answer(Running(4));
  Watcher* const watcher = Watch(EtagOfRunning(9));
  loop_.RunPosted();
  EXPECT_THAT(watcher->done_items, IsEmpty()) << "told in a later slice, which is not for it";
  loop_.RunFor(absl::Seconds(1));
  source_.Answer(Running(9));
  loop_.RunPosted();
  EXPECT_THAT(watcher->done_items, ElementsAre(9));
  for (size_t i = 1; i + 1 < watchers_.size(); ++i) EXPECT_THAT(watchers_[i]->done_items, ElementsAre(4, 9));
}

}  // namespace
}  // namespace taskwatch
