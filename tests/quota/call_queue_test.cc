#include "service/quota/call_queue.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "service/quota/call_gate.h"
#include "service/runtime/simulated_loop.h"
#include "service/task/priority.h"
#include "service/task/task_error.h"
#include "tests/fakes/fake_call_ledger.h"
#include "tests/matchers/status_matchers.h"

namespace taskwatch {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr absl::CivilMonth kMonth(2027, 6);
const absl::Time kStart = absl::FromCivil(kMonth, absl::FixedTimeZone(8 * 60 * 60));

absl::Status DingTalkSays(ErrorReason reason, Persistence persistence, absl::Duration retry_after) {
  ErrorDetails details;
  details.reason = reason;
  details.persistence = persistence;
  details.retry_after = retry_after;
  return MakeError(details, "as DingTalk says");
}

class CallQueueTest : public testing::Test {
 protected:
  CallQueueTest() {
    options_.budget.qps = 10;
    options_.budget.monthly_calls = 5000;
  }

  CallQueue& queue() {
    if (queue_ == nullptr) queue_ = std::make_unique<CallQueue>(&loop_, &ledger_, options_);
    return *queue_;
  }

  // Asks for a call named `name`, which is added to `made_` or `refused_` when it is answered.
  CallGate::RequestId Ask(const std::string& name, Priority priority = Priority::kCaller,
                          absl::Duration timeout = absl::InfiniteDuration()) {
    CallRequest request;
    request.priority = priority;
    request.deadline = loop_.Now() + timeout;
    request.task_id = name;
    const size_t answered = made_.size() + refused_.size();
    const auto id = std::make_shared<CallGate::RequestId>();
    *id = queue().Acquire(std::move(request), [this, name, id](const absl::Status& status) {
      if (status.ok()) {
        EXPECT_LE(queue_->stats().budget.calls, ledger_.calls[kMonth] + unwritten_) << "not counted before it is made";
        made_.push_back(name);
        if (outcome_.has_value()) queue_->Report(*id, *outcome_);
      } else {
        refused_.push_back(name);
        error_ = status;
      }
    });
    EXPECT_EQ(made_.size() + refused_.size(), answered) << "answered before Acquire returned";
    return *id;
  }

  SimulatedLoop loop_{kStart};
  FakeCallLedger ledger_;
  CallQueue::Options options_;
  std::unique_ptr<CallQueue> queue_;
  std::vector<std::string> made_;
  std::vector<std::string> refused_;
  absl::Status error_;
  // What is reported of each call as soon as it is made; nothing if the test does that.
  std::optional<absl::Status> outcome_ = absl::OkStatus();
  // Calls that may be missing in the ledger, for tests in which it fails.
  int64_t unwritten_ = 0;
};

TEST_F(CallQueueTest, CountsACallBeforeItIsMade) {
  ledger_.slow = true;
  Ask("a");
  loop_.RunFor(absl::Hours(1));
  EXPECT_THAT(made_, IsEmpty());
  ledger_.FinishOne();
  loop_.RunPosted();
  EXPECT_THAT(made_, ElementsAre("a"));
  EXPECT_GE(ledger_.calls[kMonth], 1);
}

TEST_F(CallQueueTest, KeepsTheLedgerAheadOfTheCallsByLessThanABlock) {
  for (int i = 0; i < 100; ++i) {
    Ask(absl::StrCat(i));
    loop_.RunFor(absl::Seconds(1));
    const int64_t ahead = ledger_.calls[kMonth] - static_cast<int64_t>(made_.size());
    EXPECT_GE(ahead, 0);
    EXPECT_LE(ahead, options_.block);
  }
  EXPECT_LE(ledger_.records, 25) << "not one write for each call";
}

TEST_F(CallQueueTest, WritesTheNextBlockWhileThisOneIsBeingUsed) {
  for (int i = 0; i < 5; ++i) Ask(absl::StrCat(i));
  loop_.RunFor(absl::Seconds(1));
  ledger_.slow = true;
  for (int i = 5; i < 9; ++i) Ask(absl::StrCat(i));
  loop_.RunFor(absl::Seconds(1));
  EXPECT_EQ(made_.size(), 9u) << "a slow disk has held up what was recorded already";
}

TEST_F(CallQueueTest, WritesTheTrueNumberInTheEnd) {
  for (int i = 0; i < 3; ++i) Ask(absl::StrCat(i));
  loop_.RunFor(absl::Seconds(1));
  EXPECT_GT(ledger_.calls[kMonth], 3);
  queue_.reset();
  EXPECT_EQ(ledger_.calls[kMonth], 3);
}

TEST_F(CallQueueTest, GoesOnCountingWhereTheLastOneEnded) {
  ledger_.calls[kMonth] = 4998;
  options_.budget.unary_reserve = 0;
  for (const char* name : {"a", "b", "c"}) Ask(name);
  loop_.RunFor(absl::Seconds(1));
  EXPECT_THAT(made_, ElementsAre("a", "b"));
  EXPECT_THAT(refused_, ElementsAre("c"));
  EXPECT_THAT(error_, HasReason(ErrorReason::kMonthlyQuotaExhausted));
  EXPECT_EQ(ledger_.calls[kMonth], 5000);
}

TEST_F(CallQueueTest, GoesOnWithoutALedgerThatFails) {
  unwritten_ = 1000;
  ledger_.failure = absl::ResourceExhaustedError("disk full");
  for (int i = 0; i < 30; ++i) Ask(absl::StrCat(i));
  loop_.RunFor(absl::Seconds(4));
  EXPECT_EQ(made_.size(), 30u);
  EXPECT_TRUE(queue().stats().ledger_failing);
  EXPECT_EQ(queue().stats().budget.calls, 30);

  ledger_.failure = absl::OkStatus();
  for (int i = 0; i < 10; ++i) Ask(absl::StrCat(i));
  loop_.RunFor(absl::Seconds(2));
  EXPECT_FALSE(queue().stats().ledger_failing);
  EXPECT_GE(ledger_.calls[kMonth], 40);
}

TEST_F(CallQueueTest, WaitsForTheLedgerInANewMonthAlthoughItFailedInTheLast) {
  unwritten_ = 1;
  ledger_.failure = absl::ResourceExhaustedError("disk full");
  Ask("a");
  loop_.RunFor(absl::Hours(30 * 24));
  ledger_.failure = absl::OkStatus();
  unwritten_ = 0;
  ledger_.slow = true;
  Ask("b");
  loop_.RunFor(absl::Seconds(1));
  EXPECT_THAT(made_, ElementsAre("a"));
  while (!ledger_.held.empty()) ledger_.FinishOne();
  loop_.RunPosted();
  EXPECT_THAT(made_, ElementsAre("a", "b"));
}

TEST_F(CallQueueTest, CountsANewMonthFromWhatTheLedgerHasForIt) {
  Ask("a");
  loop_.RunFor(absl::Hours(30 * 24));
  EXPECT_EQ(queue().stats().budget.month, kMonth + 1);
  EXPECT_EQ(queue().stats().budget.calls, 0);
  EXPECT_EQ(ledger_.calls[kMonth], 1) << "the old month is written as it was";
}

TEST_F(CallQueueTest, TakesUpWorkAgainInTheNextMonth) {
  ledger_.calls[kMonth] = 5000;
  Ask("a");
  loop_.RunPosted();
  EXPECT_THAT(refused_, ElementsAre("a"));
  loop_.RunFor(*DetailsOf(error_).retry_after);
  unwritten_ = 10;
  Ask("b");
  loop_.RunFor(absl::Seconds(1));
  EXPECT_THAT(made_, ElementsAre("b"));
}

TEST_F(CallQueueTest, LetsWaitingCallersGoBeforePolls) {
  Ask("first");
  loop_.RunPosted();
  Ask("poll", Priority::kPoll);
  Ask("caller-1");
  Ask("caller-2");
  loop_.RunFor(absl::Seconds(1));
  EXPECT_THAT(made_, ElementsAre("first", "caller-1", "caller-2", "poll"));
}

TEST_F(CallQueueTest, LetsCallersGoInTheOrderOfTheirDeadlines) {
  Ask("first");
  loop_.RunPosted();
  Ask("patient");
  Ask("late", Priority::kCaller, absl::Seconds(20));
  Ask("early", Priority::kCaller, absl::Seconds(10));
  loop_.RunFor(absl::Seconds(1));
  EXPECT_THAT(made_, ElementsAre("first", "early", "late", "patient"));
}

TEST_F(CallQueueTest, LetsAPollThroughNowAndThenHoweverManyCallersThereAre) {
  Ask("poll-1", Priority::kPoll);
  for (int i = 0; i < 100; ++i) Ask(absl::StrCat(i));
  Ask("poll-2", Priority::kPoll);
  loop_.RunFor(absl::Seconds(3));
  EXPECT_THAT(made_, testing::Contains("poll-2"));
}

TEST_F(CallQueueTest, MovesAPollForwardThatACallerJoins) {
  Ask("first");
  loop_.RunPosted();
  for (int i = 0; i < 3; ++i) Ask(absl::StrCat("poll-", i), Priority::kPoll);
  const CallGate::RequestId id = Ask("joined", Priority::kPoll);
  queue().Join(id, Priority::kCaller, absl::InfiniteFuture());
  loop_.RunFor(absl::Seconds(1));
  ASSERT_GE(made_.size(), 2u);
  EXPECT_EQ(made_[1], "joined");
  EXPECT_EQ(made_.size(), 5u);
}

TEST_F(CallQueueTest, IgnoresWhoJoinsACallThatHasBeenMade) {
  const CallGate::RequestId id = Ask("a");
  loop_.RunFor(absl::Seconds(1));
  queue().Join(id, Priority::kCaller, absl::InfiniteFuture());
  queue().Join(12345, Priority::kCaller, absl::InfiniteFuture());
  loop_.RunFor(absl::Seconds(1));
  EXPECT_THAT(made_, ElementsAre("a"));
}

TEST_F(CallQueueTest, MakesNoCallForARequestThatIsCancelledWhileItWaits) {
  const CallGate::RequestId first = Ask("first");
  loop_.RunPosted();
  const CallGate::RequestId caller = Ask("caller");
  const CallGate::RequestId poll = Ask("poll", Priority::kPoll);
  EXPECT_FALSE(queue().Cancel(first)) << "its call has been counted";
  EXPECT_TRUE(queue().Cancel(caller));
  EXPECT_TRUE(queue().Cancel(poll));
  EXPECT_FALSE(queue().Cancel(poll)) << "it waits no longer";
  loop_.RunFor(absl::Seconds(1));
  EXPECT_THAT(made_, ElementsAre("first"));
  EXPECT_TRUE(refused_.empty());
  EXPECT_EQ(queue().stats().budget.calls, 1);
  EXPECT_EQ(loop_.TimerCount(), 0u);
}

TEST_F(CallQueueTest, RefusesAtOnceWhoseTurnWouldComeTooLate) {
  for (int i = 0; i < 20; ++i) Ask(absl::StrCat(i), Priority::kCaller, absl::Seconds(5));
  EXPECT_THAT(refused_, IsEmpty());
  Ask("hurried", Priority::kCaller, absl::Milliseconds(150));
  EXPECT_THAT(refused_, IsEmpty()) << "the one in a hurry goes first";
  Ask("late", Priority::kCaller, absl::Milliseconds(151));
  loop_.RunPosted();
  EXPECT_THAT(refused_, ElementsAre("late"));
  EXPECT_THAT(error_, HasReason(ErrorReason::kUpstreamRateLimited));
  const ErrorDetails details = DetailsOf(error_);
  EXPECT_EQ(details.persistence, Persistence::kTransient);
  EXPECT_EQ(details.retry_after, absl::Seconds(1));
  EXPECT_TRUE(details.not_asked);
}

TEST_F(CallQueueTest, MakesNoCallForACallerWhoseTimeIsOver) {
  ledger_.slow = true;
  Ask("a", Priority::kCaller, absl::Seconds(1));
  loop_.RunFor(absl::Seconds(2));
  ledger_.FinishOne();
  loop_.RunFor(absl::Seconds(1));
  EXPECT_THAT(made_, IsEmpty());
  EXPECT_THAT(refused_, ElementsAre("a"));
}

TEST_F(CallQueueTest, LetsCallersWaitThroughTheSecondThatDingTalkAsksFor) {
  outcome_.reset();
  Ask("a");
  loop_.RunPosted();
  queue().Report(1, DingTalkSays(ErrorReason::kUpstreamRateLimited, Persistence::kTransient, absl::Seconds(1)));
  Ask("b", Priority::kCaller, absl::Seconds(3));
  loop_.RunFor(absl::Milliseconds(999));
  EXPECT_THAT(made_, ElementsAre("a"));
  loop_.RunFor(absl::Seconds(2));
  EXPECT_THAT(made_, ElementsAre("a", "b"));
  EXPECT_EQ(queue().stats().refused_upstream, 1u);
}

TEST_F(CallQueueTest, RefusesThoseWhoWaitWhenALongPauseBegins) {
  outcome_.reset();
  Ask("a");
  loop_.RunPosted();
  Ask("b");
  Ask("poll", Priority::kPoll);
  queue().Report(1, DingTalkSays(ErrorReason::kUpstreamIpBanned, Persistence::kPaused, absl::Seconds(300)));
  loop_.RunPosted();
  EXPECT_THAT(refused_, ElementsAre("b", "poll"));
  EXPECT_THAT(error_, HasReason(ErrorReason::kUpstreamIpBanned));
  EXPECT_EQ(queue().stats().refused_paused, 2u);
  EXPECT_EQ(queue().stats().polls_put_off, 1u);
  loop_.RunFor(absl::Seconds(300));
  Ask("c");
  loop_.RunFor(absl::Seconds(1));
  EXPECT_THAT(made_, ElementsAre("a", "c"));
}

absl::Status Denied() {
  ErrorDetails details;
  details.reason = ErrorReason::kUpstreamPermissionDenied;
  details.persistence = Persistence::kPermanent;
  return MakeError(details, "grant the permission");
}

TEST_F(CallQueueTest, RefusesThoseWhoWaitWhenTheAppIsRefusedButNotTokens) {
  outcome_.reset();
  const CallGate::RequestId first = Ask("first");
  loop_.RunPosted();
  Ask("caller");
  Ask("poll", Priority::kPoll);
  queue().Report(first, Denied());
  Ask("token", Priority::kToken);
  loop_.RunPosted();
  EXPECT_THAT(refused_, ElementsAre("caller", "poll"));
  EXPECT_THAT(error_, StatusIs(absl::StatusCode::kFailedPrecondition, "grant the permission"));
  EXPECT_TRUE(DetailsOf(error_).not_asked);
  EXPECT_THAT(made_, ElementsAre("first", "token"));
  EXPECT_EQ(queue().stats().refused_failing, 2u);
  EXPECT_EQ(queue().stats().polls_put_off, 1u);
  EXPECT_EQ(queue().stats().budget.restraint, CallBudget::Restraint::kFailing);
  EXPECT_EQ(loop_.TimerCount(), 0u);
}

TEST_F(CallQueueTest, MakesOneProbeAtATimeAndGoesOnWithTheFirstThatSucceeds) {
  outcome_ = Denied();
  Ask("a");
  loop_.RunFor(absl::Seconds(2));
  outcome_.reset();
  const CallGate::RequestId probe = Ask("probe");
  Ask("b");
  loop_.RunFor(absl::Seconds(10));
  EXPECT_THAT(made_, ElementsAre("a", "probe"));
  EXPECT_THAT(refused_, ElementsAre("b"));
  EXPECT_EQ(DetailsOf(error_).retry_after, absl::Seconds(1));
  EXPECT_EQ(queue().stats().budget.calls_out, 1u);
  queue().Report(probe, absl::OkStatus());
  for (const char* name : {"c", "d", "e"}) Ask(name);
  loop_.RunFor(absl::Seconds(1));
  EXPECT_THAT(made_, ElementsAre("a", "probe", "c", "d", "e"));
  EXPECT_EQ(queue().stats().budget.probes, 1);
  EXPECT_EQ(queue().stats().budget.restraint, CallBudget::Restraint::kNone);
}

TEST_F(CallQueueTest, RefusesThoseWhoWaitedWhileTheProbeWasCounted) {
  options_.block = 1;
  ledger_.slow = true;
  outcome_ = Denied();
  Ask("a");
  ledger_.FinishOne();
  loop_.RunFor(absl::Seconds(2));
  outcome_.reset();
  Ask("b");
  Ask("c");
  Ask("d", Priority::kPoll);
  loop_.RunFor(absl::Seconds(1));
  EXPECT_THAT(made_, ElementsAre("a"));
  EXPECT_THAT(refused_, IsEmpty());
  ledger_.FinishOne();
  loop_.RunPosted();
  EXPECT_THAT(made_, ElementsAre("a", "b"));
  EXPECT_THAT(refused_, ElementsAre("c", "d"));
}

TEST_F(CallQueueTest, IsNotHeldUpForEverByAProbeThatIsNeverReported) {
  outcome_ = Denied();
  Ask("a");
  loop_.RunFor(absl::Seconds(2));
  outcome_.reset();
  Ask("lost");
  loop_.RunFor(absl::Minutes(1));
  outcome_ = absl::OkStatus();
  Ask("b");
  loop_.RunPosted();
  Ask("c");
  loop_.RunFor(absl::Seconds(1));
  EXPECT_THAT(made_, ElementsAre("a", "lost", "b", "c"));
}

TEST_F(CallQueueTest, HoldsCallersInTheLineWhileAProbeForTheRateIsUnderWay) {
  outcome_ = DingTalkSays(ErrorReason::kUpstreamRateLimited, Persistence::kTransient, absl::Seconds(1));
  Ask("a");
  loop_.RunPosted();
  outcome_.reset();
  for (const char* name : {"b", "c", "d"}) Ask(name, Priority::kCaller, absl::Seconds(10));
  loop_.RunFor(absl::Seconds(3));
  EXPECT_THAT(made_, ElementsAre("a", "b")) << "one probe";
  EXPECT_THAT(refused_, IsEmpty());
  outcome_ = absl::OkStatus();
  queue().Report(2, absl::OkStatus());
  loop_.RunFor(absl::Seconds(3));
  EXPECT_THAT(made_, ElementsAre("a", "b", "c", "d"));
}

TEST_F(CallQueueTest, MakesFewCallsToADingTalkThatHangsAndLetsTheOthersLeaveByTheirDeadlines) {
  outcome_.reset();
  options_.budget.qps = 18;
  for (int i = 0; i < 200; ++i) Ask(absl::StrCat(i), Priority::kCaller, absl::Seconds(20));
  loop_.RunFor(absl::Seconds(25));
  RecordProperty("calls", static_cast<int>(made_.size()));
  EXPECT_LE(made_.size(), 40u);
  EXPECT_EQ(made_.size() + refused_.size(), 200u);
  EXPECT_EQ(queue().stats().callers_waiting, 0u);
}

TEST_F(CallQueueTest, GoesOnAtTheFullRateWhenADingTalkThatHungAnswers) {
  outcome_.reset();
  for (int i = 0; i < 50; ++i) Ask(absl::StrCat(i));
  loop_.RunFor(absl::Seconds(4));
  const size_t made = made_.size();
  EXPECT_LE(made, 25u);
  outcome_ = absl::OkStatus();
  queue().Report(1, absl::OkStatus());
  loop_.RunFor(absl::Seconds(1));
  EXPECT_GE(made_.size(), made + 10);
}

TEST_F(CallQueueTest, GivesBackWhatDingTalkDoesNotCountAndNeverRecordsTooLittle) {
  outcome_ = DingTalkSays(ErrorReason::kUpstreamUntrusted, Persistence::kTransient, absl::Seconds(1));
  for (int i = 0; i < 30; ++i) {
    Ask(absl::StrCat(i));
    loop_.RunFor(absl::Minutes(2));
    EXPECT_GE(ledger_.calls[kMonth], queue().stats().budget.calls);
  }
  EXPECT_EQ(made_.size(), 30u);
  EXPECT_EQ(queue().stats().budget.given_back, 30);
  EXPECT_LE(ledger_.calls[kMonth], options_.block);
  outcome_ = absl::OkStatus();
  Ask("b");
  loop_.RunFor(absl::Seconds(1));
  queue_.reset();
  EXPECT_EQ(ledger_.calls[kMonth], 1);
}

TEST_F(CallQueueTest, GivesNothingBackToTheNextMonth) {
  outcome_.reset();
  const CallGate::RequestId id = Ask("a");
  loop_.RunFor(absl::Hours(30 * 24));
  unwritten_ = 10;
  outcome_ = absl::OkStatus();
  for (const char* name : {"b", "c"}) Ask(name);
  loop_.RunFor(absl::Seconds(1));
  EXPECT_EQ(queue().stats().budget.calls, 2);
  queue().Report(id, DingTalkSays(ErrorReason::kUpstreamUntrusted, Persistence::kTransient, absl::Seconds(1)));
  EXPECT_EQ(queue().stats().budget.calls, 2);
  EXPECT_EQ(queue().stats().budget.given_back, 0);
}

TEST_F(CallQueueTest, LetsATokenPassTheLineAndCountsIt) {
  for (int i = 0; i < 5; ++i) Ask(absl::StrCat(i));
  loop_.RunPosted();
  const size_t before = made_.size();
  Ask("token", Priority::kToken);
  loop_.RunPosted();
  ASSERT_EQ(made_.size(), before + 1);
  EXPECT_EQ(made_.back(), "token");
  EXPECT_EQ(queue().stats().calls_for_tokens, 1u);
}

TEST_F(CallQueueTest, AnswersOneThatAsksAgainFromWithinItsAnswer) {
  int made = 0;
  const auto again = [&](auto& self) -> void {
    queue().Acquire({}, [&](const absl::Status& status) {
      queue().Report(made + 1, absl::OkStatus());
      if (status.ok() && ++made < 20) self(self);
    });
  };
  again(again);
  loop_.RunFor(absl::Seconds(3));
  EXPECT_EQ(made, 20);
  EXPECT_EQ(queue().stats().callers_waiting, 0u);
}

TEST_F(CallQueueTest, MayBeDestroyedByAnAnswer) {
  Ask("first");
  loop_.RunPosted();
  queue().Acquire({}, [this](const absl::Status&) { queue_.reset(); });
  Ask("never");
  loop_.RunFor(absl::Seconds(1));
  EXPECT_EQ(queue_, nullptr);
  EXPECT_THAT(made_, ElementsAre("first"));
  EXPECT_EQ(loop_.TimerCount(), 0u);
}

TEST_F(CallQueueTest, WorksWithoutALedger) {
  queue_ = std::make_unique<CallQueue>(&loop_, nullptr, options_);
  unwritten_ = 1000;
  for (int i = 0; i < 30; ++i) Ask(absl::StrCat(i));
  loop_.RunFor(absl::Seconds(4));
  EXPECT_EQ(made_.size(), 30u);
}

}  // namespace
}  // namespace taskwatch
