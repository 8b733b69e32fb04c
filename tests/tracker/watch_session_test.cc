#include "service/tracker/watch_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

#include "service/runtime/simulated_loop.h"
#include "service/task/task_error.h"
#include "service/task/task_info.h"
#include "service/tracker/snapshot_cache.h"
#include "service/tracker/task_tracker.h"
#include "tests/fakes/fake_task_source.h"
#include "tests/fakes/sample_tasks.h"
#include "tests/matchers/status_matchers.h"

namespace taskwatch {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Optional;

std::string Told(const TaskSnapshot& snapshot) {
  return absl::StrCat(TaskStateName(snapshot.info.state), " ", snapshot.info.succeeded_count.value_or(0));
}

std::string EtagOfRunning(int done_items) {
  TaskInfo info = Running(done_items);
  info.task_id = "abcd";
  return EtagOf(info);
}

std::string EtagOfSucceeded() {
  TaskInfo info = Succeeded();
  info.task_id = "abcd";
  return EtagOf(info);
}

// A stream that tells in words what is done to it, and fails the test when that is more than a stream can take.
class RecordingSink final : public WatchSession::Sink {
 public:
  void Write(const TaskSnapshot& snapshot) override { BeginWrite(Told(snapshot)); }
  void Write(const WatchSession::Heartbeat& heartbeat) override {
    heartbeats.push_back(heartbeat);
    BeginWrite("heartbeat");
  }
  void WriteAndFinish(const TaskSnapshot& snapshot) override {
    ExpectFree();
    finished = true;
    log.push_back(Told(snapshot) + ", OK");
  }
  void Finish(const absl::Status& status) override {
    ExpectFree();
    finished = true;
    end = status;
    const absl::string_view reason = ErrorReasonName(ReasonOf(status));
    log.push_back(absl::StrCat("end: ", reason.empty() ? absl::StatusCodeToString(status.code()) : reason));
  }
  void Abort() override {
    EXPECT_TRUE(writing && !finished);
    log.push_back("abort");
  }

  // What has been done since the last call.
  std::vector<std::string> Take() { return std::exchange(log, {}); }

  std::vector<std::string> log;
  std::vector<WatchSession::Heartbeat> heartbeats;
  std::optional<absl::Status> end;
  bool writing = false;
  bool finished = false;

 private:
  void ExpectFree() {
    EXPECT_FALSE(writing) << "a write is in flight";
    EXPECT_FALSE(finished) << "the stream has ended";
  }
  void BeginWrite(std::string what) {
    ExpectFree();
    writing = true;
    log.push_back(std::move(what));
  }
};

class WatchSessionTest : public testing::Test {
 protected:
  ~WatchSessionTest() override {
    if (session_ == nullptr) return;
    if (sink_.writing) Written(false);
    session_->OnCancelled();
    EXPECT_TRUE(sink_.finished);
    session_.reset();
    EXPECT_EQ(tracker_.stats().watchers, 0u);
  }

  // Makes `info` known without anybody watching.
  void Know(TaskInfo info) {
    tracker_.Get("abcd", absl::ZeroDuration(), absl::InfiniteFuture(), [](const auto&) {});
    source_.Answer(std::move(info));
  }

  // Has the tracker learn `info` now.
  void Observe(TaskInfo info) {
    if (source_.in_flight() == 0) {
      tracker_.Get("abcd", absl::ZeroDuration(), absl::InfiniteFuture(), [](const auto&) {});
    }
    source_.Answer(std::move(info));
  }

  void Start(std::string last_etag = "") {
    options_.last_etag = std::move(last_etag);
    NewSession();
    session_->Start();
  }
  void NewSession() { session_ = std::make_unique<WatchSession>(&loop_, &tracker_, &sink_, options_); }

  // The write in flight comes to its end.
  void Written(bool ok = true) {
    ASSERT_TRUE(sink_.writing);
    sink_.writing = false;
    session_->OnWritten(ok);
  }

  // A running session that has told "RUNNING 3" and has nothing to do.
  void StartIdle() {
    Know(Running(3));
    Start();
    Written();
    sink_.Take();
  }

  // Lets time pass during which polls find nothing new and writes end at once.
  void RunQuietly(absl::Duration duration, const TaskInfo& state) {
    const absl::Duration end = loop_.Elapsed() + duration;
    while (loop_.Elapsed() < end && !sink_.finished) {
      loop_.RunFor(std::min(absl::Milliseconds(100), end - loop_.Elapsed()));
      if (source_.in_flight() > 0) source_.Answer(state);
      if (sink_.writing) Written();
    }
  }

  static absl::Status Draining() { return Error(ErrorReason::kServerDraining, Persistence::kTransient); }

  SimulatedLoop loop_;
  FakeTaskSource source_;
  SnapshotCache cache_{1000};
  TaskTracker tracker_{&loop_, &source_, &cache_, TaskTracker::Options{}};
  RecordingSink sink_;
  WatchSession::Options options_ = [] {
    WatchSession::Options options;
    options.task_id = "abcd";
    return options;
  }();
  std::unique_ptr<WatchSession> session_;
};

// 1. The first message.

TEST_F(WatchSessionTest, SendsAKnownStateAtOnce) {
  Know(Running(3));
  Start();
  EXPECT_THAT(sink_.Take(), ElementsAre("RUNNING 3"));
}

TEST_F(WatchSessionTest, SendsAnUnknownStateAfterOneFetch) {
  Start();
  EXPECT_THAT(sink_.Take(), IsEmpty());
  EXPECT_EQ(source_.fetches(), 1);
  source_.Answer(Running(3));
  EXPECT_THAT(sink_.Take(), ElementsAre("RUNNING 3"));
}

TEST_F(WatchSessionTest, SendsAHeartbeatAtOnceIfTheLastEtagStillMatches) {
  Know(Running(3));
  Start(EtagOfRunning(3));
  ASSERT_THAT(sink_.Take(), ElementsAre("heartbeat"));
  EXPECT_EQ(sink_.heartbeats[0].etag, EtagOfRunning(3));
  EXPECT_EQ(sink_.heartbeats[0].observe_time, loop_.Now());
}

TEST_F(WatchSessionTest, SendsAHeartbeatAfterTheFetchIfTheLastEtagMatchesThen) {
  Start(EtagOfRunning(3));
  EXPECT_THAT(sink_.Take(), IsEmpty());
  source_.Answer(Running(3));
  EXPECT_THAT(sink_.Take(), ElementsAre("heartbeat"));
  EXPECT_EQ(sink_.heartbeats[0].etag, EtagOfRunning(3));
}

TEST_F(WatchSessionTest, SendsTheStateAtOnceIfTheLastEtagIsAnEarlierOne) {
  Know(Running(2));
  Know(Running(3));
  Start(EtagOfRunning(2));
  EXPECT_THAT(sink_.Take(), ElementsAre("RUNNING 3"));
}

TEST_F(WatchSessionTest, SendsWhatAFetchBringsIfTheLastEtagMayBeOfANewerState) {
  Know(Running(3));
  loop_.RunFor(absl::Seconds(1));
  Start(EtagOfRunning(5));
  EXPECT_THAT(sink_.Take(), IsEmpty()) << "an older state after a newer one";
  source_.Answer(Running(6));
  EXPECT_THAT(sink_.Take(), ElementsAre("RUNNING 6"));
}

TEST_F(WatchSessionTest, SendsAHeartbeatIfTheFetchBringsTheStateThatTheWatcherHas) {
  Know(Running(3));
  loop_.RunFor(absl::Seconds(1));
  Start(EtagOfRunning(5));
  source_.Answer(Running(5));
  ASSERT_THAT(sink_.Take(), ElementsAre("heartbeat"));
  EXPECT_EQ(sink_.heartbeats[0].etag, EtagOfRunning(5));
}

TEST_F(WatchSessionTest, SendsWhatIsKnownIfThatFetchFails) {
  Know(Running(3));
  loop_.RunFor(absl::Seconds(1));
  Start(EtagOfRunning(5));
  source_.Answer(Error(ErrorReason::kUpstreamTimeout, Persistence::kTransient));
  EXPECT_THAT(sink_.Take(), ElementsAre("RUNNING 3"));
}

TEST_F(WatchSessionTest, NamesNoStateInHeartbeatsUntilThatFetchIsAnswered) {
  Know(Running(3));
  loop_.RunFor(absl::Seconds(1));
  Start(EtagOfRunning(5));
  loop_.RunFor(absl::Seconds(20));
  ASSERT_THAT(sink_.Take(), ElementsAre("heartbeat"));
  EXPECT_EQ(sink_.heartbeats[0].etag, "");
  EXPECT_EQ(sink_.heartbeats[0].observe_time, std::nullopt);
  Written();
  source_.Answer(Running(6));
  EXPECT_THAT(sink_.Take(), ElementsAre("RUNNING 6"));
}

TEST_F(WatchSessionTest, SendsAFinishedTaskAndOk) {
  Know(Succeeded());
  Start();
  EXPECT_THAT(sink_.Take(), ElementsAre("SUCCEEDED 0, OK"));
  EXPECT_EQ(loop_.TimerCount(), 0u);
}

TEST_F(WatchSessionTest, SendsAFinishedTaskEvenIfTheLastEtagMatches) {
  Know(Succeeded());
  Start(EtagOfSucceeded());
  EXPECT_THAT(sink_.Take(), ElementsAre("SUCCEEDED 0, OK"));
}

TEST_F(WatchSessionTest, SendsATaskThatTurnsOutToHaveEndedEvenIfTheLastEtagMatches) {
  Start(EtagOfSucceeded());
  source_.Answer(Succeeded());
  EXPECT_THAT(sink_.Take(), ElementsAre("SUCCEEDED 0, OK"));
}

TEST_F(WatchSessionTest, EndsWithoutAMessageWhenTheFirstFetchFailsForGood) {
  Start();
  source_.Answer(Error(ErrorReason::kTaskNotFound, Persistence::kPermanent));
  EXPECT_THAT(sink_.Take(), ElementsAre("end: TASK_NOT_FOUND"));
}

TEST_F(WatchSessionTest, EndsAtOnceWhenTheTaskIdWasRefusedAMomentAgo) {
  tracker_.Get("abcd", absl::ZeroDuration(), absl::InfiniteFuture(), [](const auto&) {});
  source_.Answer(Error(ErrorReason::kTaskNotFound, Persistence::kPermanent));
  Start();
  EXPECT_THAT(sink_.Take(), ElementsAre("end: TASK_NOT_FOUND"));
  EXPECT_EQ(loop_.TimerCount(), 0u);
}

// 2. Changes.

TEST_F(WatchSessionTest, SendsEachChange) {
  StartIdle();
  Observe(Running(4));
  Written();
  Observe(Running(5));
  EXPECT_THAT(sink_.Take(), ElementsAre("RUNNING 4", "RUNNING 5"));
}

TEST_F(WatchSessionTest, SendsASlowReaderTheLatestOnly) {
  StartIdle();
  Observe(Running(4));
  Observe(Running(5));
  Observe(Running(6));
  EXPECT_THAT(sink_.Take(), ElementsAre("RUNNING 4"));
  Written();
  EXPECT_THAT(sink_.Take(), ElementsAre("RUNNING 6"));
  Written();
  EXPECT_THAT(sink_.Take(), IsEmpty());
}

TEST_F(WatchSessionTest, SendsNothingTwiceInARowWhenAChangeIsUndoneDuringAWrite) {
  StartIdle();
  Observe(Running(4));
  Observe(Running(5));
  Observe(Running(4));
  sink_.Take();
  Written();
  EXPECT_THAT(sink_.Take(), IsEmpty());
  Observe(Running(5));
  EXPECT_THAT(sink_.Take(), ElementsAre("RUNNING 5"));
}

TEST_F(WatchSessionTest, SendsAStateAgainThatAnotherOneCameBetween) {
  StartIdle();
  Observe(Running(4));
  Written();
  Observe(Running(3));
  EXPECT_THAT(sink_.Take(), ElementsAre("RUNNING 4", "RUNNING 3"));
}

TEST_F(WatchSessionTest, NeverSendsAgainWhatTheWatcherSawBeforeItCame) {
  Know(Running(3));
  Start(EtagOfRunning(3));
  Written();
  Observe(Running(3));
  Observe(Running(4));
  EXPECT_THAT(sink_.Take(), ElementsAre("heartbeat", "RUNNING 4"));
}

TEST_F(WatchSessionTest, SendsTheFinalStateLastWithOk) {
  StartIdle();
  Observe(Succeeded());
  EXPECT_THAT(sink_.Take(), ElementsAre("SUCCEEDED 0, OK"));
  EXPECT_EQ(tracker_.stats().entries, 0u);
  EXPECT_EQ(loop_.TimerCount(), 0u);
}

TEST_F(WatchSessionTest, SendsTheFinalStateAfterASlowWrite) {
  StartIdle();
  Observe(Running(4));
  Observe(Running(5));
  Observe(Succeeded());
  loop_.RunFor(absl::Seconds(20));
  EXPECT_THAT(sink_.Take(), ElementsAre("RUNNING 4"));
  Written();
  EXPECT_THAT(sink_.Take(), ElementsAre("SUCCEEDED 0, OK"));
}

TEST_F(WatchSessionTest, SendsTheFinalStateAfterASlowHeartbeat) {
  Know(Running(3));
  Start(EtagOfRunning(3));
  Observe(Succeeded());
  Written();
  EXPECT_THAT(sink_.Take(), ElementsAre("heartbeat", "SUCCEEDED 0, OK"));
}

TEST_F(WatchSessionTest, SendsTheNewsOnceToOneWhoIsToldAfterALargeCrowd) {
  std::vector<std::unique_ptr<RecordingSink>> crowd_sinks;
  std::vector<std::unique_ptr<WatchSession>> crowd;
  Know(Running(4));
  Know(Running(3));
  for (int i = 0; i < 300; ++i) {
    crowd_sinks.push_back(std::make_unique<RecordingSink>());
    crowd.push_back(std::make_unique<WatchSession>(&loop_, &tracker_, crowd_sinks.back().get(), options_));
    crowd.back()->Start();
  }
  Start(EtagOfRunning(4));
  ASSERT_THAT(sink_.Take(), ElementsAre("RUNNING 3"));
  // The crowd comes first: this session is told in a later slice.
  Observe(Running(4));
  EXPECT_THAT(sink_.Take(), IsEmpty());
  Written();
  loop_.RunPosted();
  EXPECT_THAT(sink_.Take(), ElementsAre("RUNNING 4"));
  for (size_t i = 0; i < crowd.size(); ++i) {
    crowd_sinks[i]->writing = false;
    crowd[i]->OnWritten(false);
  }
}

// 3. Heartbeats.

TEST_F(WatchSessionTest, SendsAHeartbeatBeforeTheSilenceIsTooLong) {
  StartIdle();
  absl::Duration silence;
  while (sink_.log.empty() && silence < absl::Minutes(10)) {
    loop_.RunFor(absl::Milliseconds(10));
    silence += absl::Milliseconds(10);
    if (source_.in_flight() > 0) source_.Answer(Running(3));
  }
  EXPECT_THAT(sink_.Take(), ElementsAre("heartbeat"));
  EXPECT_LE(silence, absl::Seconds(20));
  EXPECT_GE(silence, absl::Seconds(18));
}

TEST_F(WatchSessionTest, SendsHeartbeatsAsOftenAsItIsAskedTo) {
  options_.heartbeat_interval = absl::Seconds(5);
  StartIdle();
  RunQuietly(absl::Seconds(60), Running(3));
  EXPECT_GE(sink_.heartbeats.size(), 12u);
  EXPECT_LE(sink_.heartbeats.size(), 14u);
}

TEST_F(WatchSessionTest, DoesNotKeepWatchersInStepWhoCameTogether) {
  StartIdle();
  RecordingSink other_sink;
  WatchSession other(&loop_, &tracker_, &other_sink, options_);
  other.Start();
  other_sink.writing = false;
  other.OnWritten(true);
  int apart = 0;
  for (int i = 0; i < 250; ++i) {
    loop_.RunFor(absl::Milliseconds(100));
    if (sink_.writing != other_sink.writing) ++apart;
  }
  EXPECT_TRUE(sink_.writing && other_sink.writing);
  EXPECT_GT(apart, 0);
  other_sink.writing = false;
  other.OnWritten(false);
}

TEST_F(WatchSessionTest, SendsNoHeartbeatWhileChangesComeOften) {
  StartIdle();
  for (int i = 0; i < 60; ++i) {
    Observe(Running(4 + i));
    Written();
    loop_.RunFor(absl::Seconds(1));
    if (source_.in_flight() > 0) source_.Answer(Running(4 + i));
  }
  EXPECT_THAT(sink_.heartbeats, IsEmpty());
}

TEST_F(WatchSessionTest, TellsInHeartbeatsWhenTheStateWasConfirmedAndWhenItWillBeAgain) {
  options_.poll_interval = absl::Seconds(15);
  Know(Running(3));
  Start(EtagOfRunning(3));
  const absl::Time observed = loop_.Now();
  EXPECT_EQ(sink_.heartbeats.at(0).observe_time, observed);
  EXPECT_EQ(sink_.heartbeats.at(0).next_poll_time, observed + absl::Seconds(15));
  Written();
  RunQuietly(absl::Seconds(21), Running(3));
  EXPECT_EQ(sink_.heartbeats.at(1).etag, EtagOfRunning(3));
  EXPECT_GE(sink_.heartbeats.at(1).observe_time, observed + absl::Seconds(15));
}

TEST_F(WatchSessionTest, TellsInHeartbeatsWhyTheLastPollFailed) {
  StartIdle();
  const absl::Status error = Error(ErrorReason::kUpstreamIpBanned, Persistence::kPaused, absl::Minutes(5));
  tracker_.Get("abcd", absl::ZeroDuration(), absl::InfiniteFuture(), [](const auto&) {});
  source_.Answer(error);
  loop_.RunFor(absl::Seconds(20));
  ASSERT_THAT(sink_.Take(), ElementsAre("heartbeat"));
  EXPECT_EQ(sink_.heartbeats[0].last_poll_error, error);
  EXPECT_EQ(sink_.heartbeats[0].etag, EtagOfRunning(3));
  Written();
  Observe(Running(3));
  RunQuietly(absl::Seconds(20), Running(3));
  EXPECT_EQ(sink_.heartbeats.at(1).last_poll_error, absl::OkStatus());
}

TEST_F(WatchSessionTest, SendsHeartbeatsWithoutAnEtagWhileNothingIsKnown) {
  Start(EtagOfRunning(3));
  source_.Answer(Error(ErrorReason::kUpstreamIpBanned, Persistence::kPaused, absl::Minutes(5)));
  loop_.RunFor(absl::Seconds(20));
  ASSERT_THAT(sink_.Take(), ElementsAre("heartbeat"));
  EXPECT_EQ(sink_.heartbeats[0].etag, "");
  EXPECT_EQ(sink_.heartbeats[0].observe_time, std::nullopt);
}

// 4. Ends.

TEST_F(WatchSessionTest, AsksTheWatcherToComeAgainAtTheMaximumAge) {
  StartIdle();
  RunQuietly(absl::Minutes(9) - absl::Seconds(1), Running(3));
  EXPECT_FALSE(sink_.finished) << "more than a tenth early";
  RunQuietly(absl::Minutes(1) + absl::Seconds(1), Running(3));
  ASSERT_TRUE(sink_.finished);
  EXPECT_EQ(sink_.log.back(), "end: STREAM_ROTATED");
  EXPECT_THAT(sink_.end, Optional(HasReason(ErrorReason::kStreamRotated)));
  EXPECT_TRUE(DetailsOf(*sink_.end).retry_after.has_value());
}

TEST_F(WatchSessionTest, EndsAtOnceWhenItHasNothingToDo) {
  StartIdle();
  session_->End(Draining());
  EXPECT_THAT(sink_.Take(), ElementsAre("end: SERVER_DRAINING"));
  EXPECT_EQ(tracker_.stats().entries, 0u);
  EXPECT_EQ(loop_.TimerCount(), 0u);
}

TEST_F(WatchSessionTest, EndsAfterTheWriteInFlightAndWhatIsPending) {
  StartIdle();
  Observe(Running(4));
  Observe(Running(5));
  session_->End(Draining());
  EXPECT_THAT(sink_.Take(), ElementsAre("RUNNING 4"));
  Written();
  EXPECT_THAT(sink_.Take(), ElementsAre("RUNNING 5"));
  Written();
  EXPECT_THAT(sink_.Take(), ElementsAre("end: SERVER_DRAINING"));
}

TEST_F(WatchSessionTest, EndsWithOkWhenTheFinalStateIsPending) {
  StartIdle();
  Observe(Running(4));
  Observe(Succeeded());
  session_->End(Draining());
  Written();
  EXPECT_THAT(sink_.Take(), ElementsAre("RUNNING 4", "SUCCEEDED 0, OK"));
}

TEST_F(WatchSessionTest, IsToldNothingMoreOnceItIsToEnd) {
  StartIdle();
  Observe(Running(4));
  session_->End(Draining());
  tracker_.Get("abcd", absl::ZeroDuration(), absl::InfiniteFuture(), [](const auto&) {});
  source_.Answer(Succeeded());
  Written();
  EXPECT_THAT(sink_.Take(), ElementsAre("RUNNING 4", "end: SERVER_DRAINING"));
}

TEST_F(WatchSessionTest, EndsBeforeItHasBegun) {
  NewSession();
  session_->End(Draining());
  session_->Start();
  EXPECT_THAT(sink_.Take(), ElementsAre("end: SERVER_DRAINING"));
  EXPECT_EQ(source_.fetches(), 0);
}

TEST_F(WatchSessionTest, EndsOnceWhateverAskedForIt) {
  StartIdle();
  session_->End(Draining());
  session_->End(Draining());
  session_->OnCancelled();
  loop_.RunFor(absl::Hours(1));
  EXPECT_THAT(sink_.Take(), ElementsAre("end: SERVER_DRAINING"));
}

TEST_F(WatchSessionTest, EndsWithTheFirstReasonWhenThereAreTwo) {
  StartIdle();
  Observe(Running(4));
  session_->End(Draining());
  session_->End(Error(ErrorReason::kStreamRotated, Persistence::kTransient));
  Written();
  EXPECT_THAT(sink_.Take(), ElementsAre("RUNNING 4", "end: SERVER_DRAINING"));
}

TEST_F(WatchSessionTest, EndsWhenTheWatcherGoesWhileNothingIsInFlight) {
  StartIdle();
  session_->OnCancelled();
  EXPECT_THAT(sink_.Take(), ElementsAre("end: CANCELLED"));
  EXPECT_EQ(tracker_.stats().entries, 0u);
  EXPECT_EQ(loop_.TimerCount(), 0u);
}

TEST_F(WatchSessionTest, WaitsForTheWriteInFlightWhenTheWatcherGoes) {
  StartIdle();
  Observe(Running(4));
  Observe(Running(5));
  session_->OnCancelled();
  EXPECT_EQ(tracker_.stats().watchers, 0u) << "nobody is there to poll for";
  EXPECT_THAT(sink_.Take(), ElementsAre("RUNNING 4"));
  Written(false);
  EXPECT_THAT(sink_.Take(), ElementsAre("end: CANCELLED"));
}

TEST_F(WatchSessionTest, EndsWhenAWriteFailsBeforeTheCancelIsKnown) {
  StartIdle();
  Observe(Running(4));
  Observe(Succeeded());
  Written(false);
  EXPECT_THAT(sink_.Take(), ElementsAre("RUNNING 4", "end: CANCELLED"));
  session_->OnCancelled();
  EXPECT_THAT(sink_.Take(), IsEmpty());
}

TEST_F(WatchSessionTest, EndsOnceWhenTheWatcherGoesWhileItDrains) {
  StartIdle();
  Observe(Running(4));
  session_->End(Draining());
  session_->OnCancelled();
  Written(false);
  EXPECT_THAT(sink_.Take(), ElementsAre("RUNNING 4", "end: CANCELLED"));
}

TEST_F(WatchSessionTest, EndsWhenTheWatcherHasGoneBeforeItBegan) {
  NewSession();
  session_->OnCancelled();
  session_->Start();
  EXPECT_THAT(sink_.Take(), ElementsAre("end: CANCELLED"));
  EXPECT_EQ(source_.fetches(), 0);
}

TEST_F(WatchSessionTest, BreaksOffAWriteThatStalls) {
  StartIdle();
  Observe(Running(4));
  Observe(Running(5));
  loop_.RunFor(absl::Seconds(29));
  EXPECT_THAT(sink_.Take(), ElementsAre("RUNNING 4"));
  loop_.RunFor(absl::Seconds(1));
  EXPECT_THAT(sink_.Take(), ElementsAre("abort"));
  session_->OnCancelled();
  Written(false);
  EXPECT_THAT(sink_.Take(), ElementsAre("end: CANCELLED"));
  EXPECT_EQ(loop_.TimerCount(), 0u);
}

TEST_F(WatchSessionTest, GivesEveryWriteItsFullTime) {
  StartIdle();
  Observe(Running(4));
  for (int i = 5; i < 10; ++i) {
    loop_.RunFor(absl::Seconds(25));
    if (source_.in_flight() > 0) source_.Answer(Running(i));
    Observe(Running(i + 100));
    Written();
  }
  EXPECT_THAT(sink_.log, testing::Not(testing::Contains("abort")));
}

// 5. Upstream errors.

TEST_F(WatchSessionTest, EndsWithAPermanentErrorAtOnce) {
  StartIdle();
  tracker_.Get("abcd", absl::ZeroDuration(), absl::InfiniteFuture(), [](const auto&) {});
  source_.Answer(Error(ErrorReason::kUpstreamPermissionDenied, Persistence::kPermanent));
  EXPECT_THAT(sink_.Take(), ElementsAre("end: UPSTREAM_PERMISSION_DENIED"));
  EXPECT_EQ(loop_.TimerCount(), 0u);
}

TEST_F(WatchSessionTest, EndsWithAPermanentErrorAfterWhatIsPending) {
  StartIdle();
  Observe(Running(4));
  Observe(Running(5));
  tracker_.Get("abcd", absl::ZeroDuration(), absl::InfiniteFuture(), [](const auto&) {});
  source_.Answer(Error(ErrorReason::kUpstreamPermissionDenied, Persistence::kPermanent));
  Written();
  Written();
  EXPECT_THAT(sink_.Take(), ElementsAre("RUNNING 4", "RUNNING 5", "end: UPSTREAM_PERMISSION_DENIED"));
}

TEST_F(WatchSessionTest, OutlastsTransientErrorsAndEndsWithTheOneThatSpendsTheBudget) {
  StartIdle();
  const absl::Time begin = loop_.Now();
  while (!sink_.finished && loop_.Now() - begin < absl::Hours(1)) {
    if (source_.in_flight() > 0) source_.Answer(Error(ErrorReason::kUpstreamTimeout, Persistence::kTransient));
    if (sink_.writing) Written();
    if (!sink_.finished) loop_.RunFor(absl::Milliseconds(100));
  }
  EXPECT_GE(loop_.Now() - begin, absl::Minutes(2));
  EXPECT_EQ(sink_.log.back(), "end: UPSTREAM_TIMEOUT");
  EXPECT_THAT(sink_.heartbeats.back().last_poll_error, HasReason(ErrorReason::kUpstreamTimeout));
}

}  // namespace
}  // namespace taskwatch
