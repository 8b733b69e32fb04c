#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "service/runtime/simulated_loop.h"
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

// Keeps what it is told.
class RecordingSubscriber final : public TaskSubscriber {
 public:
  void OnUpdate(const TaskSnapshotPtr& snapshot) override { updates.push_back(snapshot); }
  void OnError(const absl::Status& status) override { errors.push_back(status); }

  // How many items were done, update by update; -1 for an update without that count.
  std::vector<int64_t> DoneItems() const {
    std::vector<int64_t> items;
    for (const TaskSnapshotPtr& update : updates) items.push_back(update->info.succeeded_count.value_or(-1));
    return items;
  }

  std::vector<TaskSnapshotPtr> updates;
  std::vector<absl::Status> errors;
};

class TaskTrackerWatch : public testing::Test {
 protected:
  RecordingSubscriber* NewSubscriber() {
    subscribers_.push_back(std::make_unique<RecordingSubscriber>());
    return subscribers_.back().get();
  }

  // Subscribes to a task that is known not to be over, and returns what it is told.
  RecordingSubscriber* Watch(std::optional<absl::Duration> poll_interval = std::nullopt) {
    RecordingSubscriber* const subscriber = NewSubscriber();
    const absl::StatusOr<TaskTracker::WatchStart> start = tracker_.Watch("abcd", poll_interval, subscriber);
    EXPECT_THAT(start, IsOk());
    last_watch_ = start.value_or(TaskTracker::WatchStart());
    return subscriber;
  }

  // Lets time pass until the next fetch, and returns how long that took.
  absl::Duration TimeUntilFetch() {
    const absl::Duration begin = loop_.Elapsed();
    const int fetches = source_.fetches();
    while (source_.fetches() == fetches && loop_.Elapsed() - begin < absl::Hours(2)) {
      loop_.RunFor(absl::Milliseconds(10));
    }
    return loop_.Elapsed() - begin;
  }

  SimulatedLoop loop_;
  FakeTaskSource source_;
  SnapshotCache cache_{1000};
  TaskTracker tracker_{&loop_, &source_, &cache_, TaskTracker::Options()};
  std::vector<std::unique_ptr<RecordingSubscriber>> subscribers_;
  TaskTracker::WatchStart last_watch_;
};

TEST_F(TaskTrackerWatch, FetchesAnUnknownTaskAtOnceAndTellsItsState) {
  RecordingSubscriber* const watcher = Watch();
  EXPECT_EQ(last_watch_.snapshot, nullptr);
  EXPECT_EQ(source_.in_flight(), 1u);
  source_.Answer(Running(3));
  EXPECT_THAT(watcher->DoneItems(), ElementsAre(3));
}

TEST_F(TaskTrackerWatch, StartsWithWhatIsKnownAndTellsEveryChangeAfterIt) {
  Watch();
  source_.Answer(Running(3));
  RecordingSubscriber* const second = Watch();
  ASSERT_NE(last_watch_.snapshot, nullptr);
  EXPECT_EQ(last_watch_.snapshot->info.succeeded_count, 3);
  TimeUntilFetch();
  source_.Answer(Running(4));
  EXPECT_THAT(second->DoneItems(), ElementsAre(4)) << "the snapshot is told once, and no change falls between";
}

TEST_F(TaskTrackerWatch, TellsNothingWhenAPollFindsTheSame) {
  RecordingSubscriber* const watcher = Watch();
  source_.Answer(Running(3));
  TimeUntilFetch();
  source_.Answer(Running(3));
  EXPECT_THAT(watcher->DoneItems(), ElementsAre(3));
}

TEST_F(TaskTrackerWatch, TellsWatchersWhatAGetHasFound) {
  RecordingSubscriber* const watcher = Watch();
  source_.Answer(Running(3));
  tracker_.Get("abcd", absl::ZeroDuration(), absl::InfiniteFuture(), [](const auto&) {});
  source_.Answer(Running(4));
  EXPECT_THAT(watcher->DoneItems(), ElementsAre(3, 4));
}

TEST_F(TaskTrackerWatch, AnswersAGetWithWhatAPollHasFound) {
  Watch();
  std::vector<absl::StatusOr<TaskSnapshotPtr>> answers;
  tracker_.Get("abcd", absl::Seconds(1), absl::InfiniteFuture(),
               [&answers](absl::StatusOr<TaskSnapshotPtr> answer) { answers.push_back(std::move(answer)); });
  EXPECT_EQ(source_.fetches(), 1);
  source_.Answer(Running(3));
  EXPECT_EQ(answers.size(), 1u);
}

TEST_F(TaskTrackerWatch, PollsAgainAndAgainWhileSomebodyWatches) {
  Watch();
  for (int poll = 1; poll <= 5; ++poll) {
    ASSERT_EQ(source_.fetches(), poll);
    source_.Answer(Running(poll));
    TimeUntilFetch();
  }
}

TEST_F(TaskTrackerWatch, StopsPollingWithTheLastWatcher) {
  Watch();
  const TaskTracker::WatchId first = last_watch_.id;
  Watch();
  const TaskTracker::WatchId second = last_watch_.id;
  source_.Answer(Running(3));
  tracker_.Unwatch("abcd", first);
  TimeUntilFetch();
  ASSERT_EQ(source_.fetches(), 2) << "one still watches";
  source_.Answer(Running(3));
  tracker_.Unwatch("abcd", second);
  loop_.RunFor(absl::Hours(10));
  EXPECT_EQ(source_.fetches(), 2);
}

TEST_F(TaskTrackerWatch, ForgetsATaskThatNobodyWatches) {
  Watch();
  source_.Answer(Running(3));
  EXPECT_EQ(tracker_.stats().entries, 1u);
  EXPECT_EQ(tracker_.stats().watchers, 1u);
  tracker_.Unwatch("abcd", last_watch_.id);
  EXPECT_EQ(tracker_.stats().entries, 0u);
  EXPECT_EQ(tracker_.stats().watchers, 0u);
  EXPECT_EQ(loop_.TimerCount(), 0u);
}

TEST_F(TaskTrackerWatch, KeepsWhatAFetchBringsThatNobodyWaitsForAnyMore) {
  Watch();
  tracker_.Unwatch("abcd", last_watch_.id);
  EXPECT_EQ(tracker_.stats().entries, 1u) << "the fetch is in flight";
  source_.Answer(Running(3));
  EXPECT_EQ(tracker_.stats().entries, 0u);
  Watch();
  ASSERT_NE(last_watch_.snapshot, nullptr);
  EXPECT_EQ(source_.fetches(), 1);
}

TEST_F(TaskTrackerWatch, CallsNobodyWhoHasUnsubscribed) {
  RecordingSubscriber* const leaver = Watch();
  const TaskTracker::WatchId id = last_watch_.id;
  RecordingSubscriber* const stayer = Watch();
  tracker_.Unwatch("abcd", id);
  source_.Answer(Running(3));
  EXPECT_THAT(leaver->updates, IsEmpty());
  EXPECT_THAT(stayer->DoneItems(), ElementsAre(3));
}

TEST_F(TaskTrackerWatch, ForgivesUnsubscribingTwice) {
  Watch();
  tracker_.Unwatch("abcd", last_watch_.id);
  source_.Answer(Running(3));
  tracker_.Unwatch("abcd", last_watch_.id);
  EXPECT_EQ(tracker_.stats().watchers, 0u);
}

TEST_F(TaskTrackerWatch, EndsEverySubscriptionWithTheFinalState) {
  RecordingSubscriber* const first = Watch();
  RecordingSubscriber* const second = Watch();
  source_.Answer(Succeeded());
  ASSERT_EQ(first->updates.size(), 1u);
  EXPECT_EQ(first->updates[0]->info.state, TaskState::kSucceeded);
  EXPECT_EQ(second->updates.size(), 1u);
  EXPECT_EQ(tracker_.stats().watchers, 0u);
  EXPECT_EQ(tracker_.stats().entries, 0u);
  EXPECT_EQ(loop_.TimerCount(), 0u);
  loop_.RunFor(absl::Hours(10));
  EXPECT_EQ(source_.fetches(), 1);
}

TEST_F(TaskTrackerWatch, SubscribesNobodyToATaskThatHasEnded) {
  Watch();
  source_.Answer(Succeeded());
  Watch();
  EXPECT_EQ(last_watch_.id, 0u);
  ASSERT_NE(last_watch_.snapshot, nullptr);
  EXPECT_EQ(last_watch_.snapshot->info.state, TaskState::kSucceeded);
  EXPECT_EQ(tracker_.stats().entries, 0u);
  EXPECT_EQ(source_.fetches(), 1);
}

TEST_F(TaskTrackerWatch, MakesTheFetchesOfOneWatcherForAThousand) {
  const auto fetches_for = [](int watchers) {
    SimulatedLoop loop;
    FakeTaskSource source;
    SnapshotCache cache(1000);
    TaskTracker tracker(&loop, &source, &cache, TaskTracker::Options());
    std::vector<std::unique_ptr<RecordingSubscriber>> subscribers;
    for (int i = 0; i < watchers; ++i) {
      subscribers.push_back(std::make_unique<RecordingSubscriber>());
      EXPECT_THAT(tracker.Watch("abcd", std::nullopt, subscribers.back().get()), IsOk());
    }
    for (int second = 0; second < 600; ++second) {
      while (source.in_flight() > 0) source.Answer(Running(second / 100));
      loop.RunFor(absl::Seconds(1));
    }
    while (source.in_flight() > 0) source.Answer(Running(6));
    for (const auto& subscriber : subscribers) EXPECT_EQ(subscriber->updates, subscribers[0]->updates);
    return source.fetches();
  };
  const int fetches = fetches_for(1);
  EXPECT_GT(fetches, 5);
  EXPECT_EQ(fetches_for(1000), fetches);
}

TEST_F(TaskTrackerWatch, TellsALargeAudienceInSlices) {
  for (int i = 0; i < 1000; ++i) Watch();
  source_.Answer(Running(3));
  const auto told = [this] {
    int count = 0;
    for (const auto& subscriber : subscribers_) count += subscriber->updates.empty() ? 0 : 1;
    return count;
  };
  EXPECT_GT(told(), 0);
  EXPECT_LT(told(), 1000) << "timers and transfers wait for the whole audience";
  loop_.RunPosted();
  for (const auto& subscriber : subscribers_) EXPECT_THAT(subscriber->DoneItems(), ElementsAre(3));
}

TEST_F(TaskTrackerWatch, TellsEverybodyTheLatestWhenItChangesWhileALargeAudienceIsTold) {
  for (int i = 0; i < 1000; ++i) Watch();
  source_.Answer(Running(3));
  tracker_.Get("abcd", absl::ZeroDuration(), absl::InfiniteFuture(), [](const auto&) {});
  source_.Answer(Running(4));
  loop_.RunPosted();
  EXPECT_THAT(subscribers_.front()->DoneItems(), ElementsAre(3, 4));
  EXPECT_THAT(subscribers_.back()->DoneItems(), ElementsAre(4)) << "an older state after a newer one, or one twice";
  for (const auto& subscriber : subscribers_) EXPECT_EQ(subscriber->DoneItems().back(), 4);
}

TEST_F(TaskTrackerWatch, TellsEverybodyTheFinalStateWhenItComesWhileALargeAudienceIsTold) {
  for (int i = 0; i < 1000; ++i) Watch();
  source_.Answer(Running(3));
  tracker_.Get("abcd", absl::ZeroDuration(), absl::InfiniteFuture(), [](const auto&) {});
  source_.Answer(Succeeded());
  loop_.RunPosted();
  for (const auto& subscriber : subscribers_) {
    ASSERT_FALSE(subscriber->updates.empty());
    EXPECT_EQ(subscriber->updates.back()->info.state, TaskState::kSucceeded);
  }
  EXPECT_EQ(tracker_.stats().entries, 0u);
  EXPECT_EQ(tracker_.stats().watchers, 0u);
}

TEST_F(TaskTrackerWatch, TellsTheRestOfALargeAudienceWhenSomeLeaveMeanwhile) {
  std::vector<TaskTracker::WatchId> ids;
  for (int i = 0; i < 1000; ++i) {
    Watch();
    ids.push_back(last_watch_.id);
  }
  source_.Answer(Running(3));
  for (size_t i = 0; i < 999; ++i) tracker_.Unwatch("abcd", ids[i]);
  loop_.RunPosted();
  EXPECT_THAT(subscribers_.back()->DoneItems(), ElementsAre(3));
  EXPECT_THAT(subscribers_[998]->updates, IsEmpty());
}

TEST_F(TaskTrackerWatch, TellsNobodyTwiceWhoComesWhileALargeAudienceIsTold) {
  for (int i = 0; i < 1000; ++i) Watch();
  source_.Answer(Running(3));
  RecordingSubscriber* const latecomer = Watch();
  ASSERT_NE(last_watch_.snapshot, nullptr);
  loop_.RunPosted();
  EXPECT_THAT(latecomer->updates, IsEmpty()) << "it has the snapshot";
}

TEST_F(TaskTrackerWatch, EndsWithAPermanentError) {
  RecordingSubscriber* const first = Watch();
  RecordingSubscriber* const second = Watch();
  const absl::Status error = Error(ErrorReason::kUpstreamPermissionDenied, Persistence::kPermanent);
  source_.Answer(error);
  EXPECT_THAT(first->errors, ElementsAre(error));
  EXPECT_THAT(second->errors, ElementsAre(error));
  EXPECT_EQ(tracker_.stats().watchers, 0u);
  EXPECT_EQ(tracker_.stats().entries, 0u);
  EXPECT_EQ(loop_.TimerCount(), 0u);
}

TEST_F(TaskTrackerWatch, EndsWithADoubtfulErrorOnlyWhenItHasComeAgain) {
  RecordingSubscriber* const watcher = Watch();
  const absl::Status error = Error(ErrorReason::kUpstreamUnknownError, Persistence::kDoubtful);
  source_.Answer(error);
  EXPECT_THAT(watcher->errors, IsEmpty());
  EXPECT_EQ(tracker_.PollStateOf("abcd").last_error, error) << "heartbeats do not tell of it";
  TimeUntilFetch();
  source_.Answer(Running(3));
  TimeUntilFetch();
  source_.Answer(error);
  EXPECT_THAT(watcher->errors, IsEmpty()) << "an answer came in between";
  TimeUntilFetch();
  source_.Answer(error);
  EXPECT_THAT(watcher->errors, ElementsAre(error));
  EXPECT_EQ(tracker_.stats().entries, 0u);
}

TEST_F(TaskTrackerWatch, DoesNotGoOnForEverWithDoubtfulErrorsThatTakeTurns) {
  RecordingSubscriber* const watcher = Watch();
  const absl::Time first = loop_.Now();
  for (int i = 0; watcher->errors.empty() && loop_.Now() - first < absl::Hours(1); ++i) {
    const ErrorReason reason = i % 2 == 0 ? ErrorReason::kUpstreamUnknownError : ErrorReason::kUpstreamSystemError;
    source_.Answer(Error(reason, Persistence::kDoubtful));
    if (watcher->errors.empty()) TimeUntilFetch();
  }
  EXPECT_GE(loop_.Now() - first, absl::Minutes(2));
  EXPECT_LT(loop_.Now() - first, absl::Minutes(3));
}

TEST_F(TaskTrackerWatch, RefusesATaskIdThatTheUpstreamHasJustRefused) {
  Watch();
  source_.Answer(Error(ErrorReason::kTaskNotFound, Persistence::kPermanent));
  RecordingSubscriber* const again = NewSubscriber();
  EXPECT_THAT(tracker_.Watch("abcd", std::nullopt, again), HasReason(ErrorReason::kTaskNotFound));
  EXPECT_EQ(source_.fetches(), 1);
  loop_.RunFor(absl::Seconds(11));
  EXPECT_THAT(tracker_.Watch("abcd", std::nullopt, again), IsOk()) << "remembered for longer than briefly";
}

TEST_F(TaskTrackerWatch, KeepsTransientErrorsToItselfUntilTheBudgetIsSpent) {
  RecordingSubscriber* const watcher = Watch();
  const absl::Status error = Error(ErrorReason::kUpstreamSystemError, Persistence::kTransient);
  const absl::Time first = loop_.Now();
  source_.Answer(error);
  while (watcher->errors.empty() && loop_.Now() - first < absl::Hours(1)) {
    EXPECT_LT(loop_.Now() - first, absl::Minutes(2) + absl::Minutes(1));
    EXPECT_EQ(tracker_.PollStateOf("abcd").last_error, error);
    TimeUntilFetch();
    source_.Answer(error);
  }
  EXPECT_GE(loop_.Now() - first, absl::Minutes(2));
  EXPECT_THAT(watcher->errors, ElementsAre(error));
  EXPECT_EQ(tracker_.stats().entries, 0u);
}

TEST_F(TaskTrackerWatch, StartsTheErrorBudgetAnewAfterEverySuccess) {
  RecordingSubscriber* const watcher = Watch(absl::Seconds(1));
  const absl::Time begin = loop_.Now();
  while (loop_.Now() - begin < absl::Minutes(10)) {
    source_.Answer(Error(ErrorReason::kUpstreamTimeout, Persistence::kTransient));
    TimeUntilFetch();
    source_.Answer(Running(3));
    EXPECT_THAT(tracker_.PollStateOf("abcd").last_error, IsOk());
    TimeUntilFetch();
  }
  EXPECT_THAT(watcher->errors, IsEmpty());
}

TEST_F(TaskTrackerWatch, OutlastsAPauseAndTellsOfIt) {
  const std::vector<absl::Status> pauses = {
      Error(ErrorReason::kUpstreamIpBanned, Persistence::kPaused, absl::Minutes(5)),
      Error(ErrorReason::kMonthlyQuotaExhausted, Persistence::kPaused, absl::Hours(24 * 20)),
  };
  RecordingSubscriber* const watcher = Watch();
  for (const absl::Status& pause : pauses) {
    source_.Answer(pause);
    const TaskTracker::PollState state = tracker_.PollStateOf("abcd");
    EXPECT_EQ(state.last_error, pause);
    const absl::Duration length = *DetailsOf(pause).retry_after;
    const int fetches = source_.fetches();
    loop_.RunFor(length);
    EXPECT_EQ(source_.fetches(), fetches) << "asked during " << pause;
    EXPECT_LT(state.next_poll_time, loop_.Now() + absl::Seconds(5));
    loop_.RunFor(absl::Seconds(5));
    EXPECT_EQ(source_.fetches(), fetches + 1);
  }
  EXPECT_THAT(watcher->errors, IsEmpty());
}

TEST_F(TaskTrackerWatch, CountsNoPauseAgainstTheErrorBudget) {
  RecordingSubscriber* const watcher = Watch();
  source_.Answer(Error(ErrorReason::kUpstreamIpBanned, Persistence::kPaused, absl::Minutes(5)));
  TimeUntilFetch();
  source_.Answer(Error(ErrorReason::kUpstreamTimeout, Persistence::kTransient));
  EXPECT_THAT(watcher->errors, IsEmpty()) << "the first transient error ended the watch";
  TimeUntilFetch();
  source_.Answer(Running(3));
  EXPECT_THAT(watcher->DoneItems(), ElementsAre(3));
}

TEST_F(TaskTrackerWatch, LetsNewcomersPutOffNoPoll) {
  Watch();
  source_.Answer(Error(ErrorReason::kUpstreamIpBanned, Persistence::kPaused, absl::Minutes(5)));
  const absl::Time end = tracker_.PollStateOf("abcd").next_poll_time;
  for (int minute = 0; minute < 4; ++minute) {
    loop_.RunFor(absl::Minutes(1));
    Watch(absl::Seconds(1));
    EXPECT_EQ(tracker_.PollStateOf("abcd").next_poll_time, end) << "a watcher came with a wish and moved the pause";
  }
}

TEST_F(TaskTrackerWatch, PollsAsOftenAsTheMostEagerOfItsWatchersWishes) {
  Watch(absl::Seconds(30));
  source_.Answer(Running(3));
  EXPECT_EQ(TimeUntilFetch(), absl::Seconds(30));
  Watch(absl::Seconds(10));
  const TaskTracker::WatchId eager = last_watch_.id;
  source_.Answer(Running(3));
  EXPECT_EQ(TimeUntilFetch(), absl::Seconds(10));
  tracker_.Unwatch("abcd", eager);
  source_.Answer(Running(3));
  EXPECT_EQ(TimeUntilFetch(), absl::Seconds(30));
}

TEST_F(TaskTrackerWatch, BringsThePollForwardForAnEagerNewcomer) {
  Watch(absl::Seconds(60));
  source_.Answer(Running(3));
  loop_.RunFor(absl::Seconds(4));
  Watch(absl::Seconds(10));
  EXPECT_EQ(TimeUntilFetch(), absl::Seconds(6)) << "ten seconds after the poll before";
}

TEST_F(TaskTrackerWatch, ClampsWishesToItsLimits) {
  Watch(absl::ZeroDuration());
  source_.Answer(Running(3));
  EXPECT_EQ(TimeUntilFetch(), absl::Seconds(1));
}

TEST_F(TaskTrackerWatch, WatchesOnWhileTheStateIsOneThatItDoesNotKnow) {
  RecordingSubscriber* const watcher = Watch();
  TaskInfo unrecognized;
  unrecognized.state = TaskState::kUnrecognized;
  unrecognized.upstream_status = 17;
  source_.Answer(unrecognized);
  ASSERT_EQ(watcher->updates.size(), 1u);
  EXPECT_EQ(tracker_.stats().watchers, 1u);
  TimeUntilFetch();
  source_.Answer(Succeeded());
  EXPECT_EQ(watcher->updates.size(), 2u);
}

TEST_F(TaskTrackerWatch, LetsASubscriberWatchAgainFromOnError) {
  class Returning final : public TaskSubscriber {
   public:
    explicit Returning(TaskTracker* tracker) : tracker_(tracker) {}
    void OnUpdate(const TaskSnapshotPtr&) override { ++updates; }
    void OnError(const absl::Status&) override { EXPECT_THAT(tracker_->Watch("abcd", std::nullopt, this), IsOk()); }
    int updates = 0;

   private:
    TaskTracker* const tracker_;
  };
  Returning subscriber(&tracker_);
  ASSERT_THAT(tracker_.Watch("abcd", std::nullopt, &subscriber), IsOk());
  source_.Answer(Error(ErrorReason::kUpstreamPermissionDenied, Persistence::kPermanent));
  source_.Answer(Succeeded());
  EXPECT_EQ(subscriber.updates, 1);
}

TEST_F(TaskTrackerWatch, TellsWhenTheNextPollIsDue) {
  Watch(absl::Seconds(30));
  EXPECT_EQ(tracker_.PollStateOf("abcd").next_poll_time, loop_.Now()) << "it is under way";
  source_.Answer(Running(3));
  EXPECT_EQ(tracker_.PollStateOf("abcd").next_poll_time, loop_.Now() + absl::Seconds(30));
  EXPECT_EQ(tracker_.PollStateOf("abcd").snapshot->info.succeeded_count, 3);
}

TEST_F(TaskTrackerWatch, PollsASteadyTaskAtItsEndAndHardlyOnTheWay) {
  const absl::Duration length = absl::Seconds(1000);
  RecordingSubscriber* const watcher = Watch();
  const auto answer = [&] {
    TaskInfo info = loop_.Elapsed() < length ? Running(0) : Succeeded();
    info.total_count = 1000;
    info.succeeded_count = absl::ToInt64Seconds(std::min(loop_.Elapsed(), length));
    return info;
  };
  while (source_.in_flight() > 0) {
    source_.Answer(answer());
    if (IsDone(watcher->updates.back()->info.state)) break;
    TimeUntilFetch();
  }
  EXPECT_LT(source_.fetches(), 20);
  EXPECT_LT(loop_.Elapsed(), length * 1.05);
}

TEST_F(TaskTrackerWatch, TakesUpATaskThatNobodyWatchedForAWhile) {
  Watch();
  source_.Answer(Running(3));
  tracker_.Unwatch("abcd", last_watch_.id);
  loop_.RunFor(absl::Minutes(10));
  RecordingSubscriber* const later = Watch();
  EXPECT_EQ(source_.in_flight(), 1u) << "what is known is too old for a task of this age";
  source_.Answer(Running(3));
  EXPECT_GT(TimeUntilFetch(), absl::Seconds(10)) << "ten minutes old, not new";
  EXPECT_THAT(later->DoneItems(), IsEmpty());
}

}  // namespace
}  // namespace taskwatch
