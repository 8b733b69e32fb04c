#include "service/quota/poll_pacer.h"

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

#include "service/quota/monthly_quota.h"
#include "service/task/priority.h"

namespace taskwatch {
namespace {

constexpr absl::CivilMonth kMonth(2027, 6);
// Of 30 days.
const absl::Time kStart = absl::FromCivil(kMonth, absl::FixedTimeZone(8 * 60 * 60));
constexpr absl::Duration kDay = absl::Hours(24);

// Three days into the month, with three quarters of its calls used.
class PollPacerTest : public testing::Test {
 protected:
  void SetUp() override { quota_.Open(kMonth, 3750); }

  // For how long the next poll of `task_id` is put off; zero if it is made.
  absl::Duration Ask(absl::string_view task_id = "abcd") {
    const absl::Duration wait = pacer_.Admit(task_id, quota_, now_);
    if (wait == absl::ZeroDuration()) quota_.Count(Priority::kPoll, now_);
    return wait;
  }
  bool Poll(absl::string_view task_id = "abcd") { return Ask(task_id) == absl::ZeroDuration(); }

  MonthlyQuota quota_{5000, 0.1};
  PollPacer pacer_;
  absl::Time now_ = kStart + 3 * kDay;
};

TEST_F(PollPacerTest, HoldsNothingUpWhileTheCallsLastAsLongAsTheMonth) {
  quota_.Open(kMonth, 100);
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(Poll(absl::StrCat(i)));
}

TEST_F(PollPacerTest, LetsATenthOfWhatIsLeftGoAtOnce) {
  int polls = 0;
  while (Poll(absl::StrCat(polls))) ++polls;
  // Of the 750 that they may take.
  EXPECT_EQ(polls, 75);
}

TEST_F(PollPacerTest, BeginsAndEndsAtDifferentPoints) {
  EXPECT_FALSE(pacer_.PacesAt(1.4));
  EXPECT_TRUE(pacer_.PacesAt(1.5));
  Poll();
  EXPECT_TRUE(pacer_.PacesAt(1.3)) << "so that it does not begin and end all the time";
  EXPECT_FALSE(pacer_.PacesAt(1.2));
}

TEST_F(PollPacerTest, LetsPollsThatArePutOffGoInTheOrderInWhichTheyCame) {
  while (Poll("before")) {
  }
  for (const char* task_id : {"first", "second", "third"}) EXPECT_FALSE(Poll(task_id));
  std::vector<std::string> made;
  while (made.size() < 4) {
    now_ += absl::Minutes(10);
    for (const char* task_id : {"third", "newcomer", "second", "first"}) {
      if (Poll(task_id)) made.push_back(task_id);
    }
  }
  EXPECT_EQ(made, (std::vector<std::string>{"first", "second", "third", "newcomer"}));
}

TEST_F(PollPacerTest, PacesPollsEvenly) {
  while (Poll()) {
  }
  // 675 polls in 27.6 days.
  std::vector<absl::Time> polls;
  while (polls.size() < 10) {
    now_ += absl::Minutes(1);
    if (Poll()) polls.push_back(now_);
  }
  EXPECT_NEAR(absl::ToDoubleMinutes(polls[9] - polls[0]) / 9, 27.6 * 24 * 60 / 675, 2);
}

TEST_F(PollPacerTest, LetsAPollAskAgainBeforeItsTurnIsDue) {
  for (int task = 0; task < 300; ++task) Poll(absl::StrCat(task));
  const absl::Duration first = Ask("299");
  EXPECT_GT(first, kDay);
  now_ += first;
  const absl::Duration next = Ask("299");
  EXPECT_LT(next, first);
}

TEST_F(PollPacerTest, ForgetsTheNumbersOfPollsThatNeverCome) {
  for (int task = 0; task < 2000; ++task) Poll(absl::StrCat(task));
  EXPECT_EQ(pacer_.waiting(), 2000u - 75);
  now_ += 20 * kDay;
  for (int task = 2000; task < 2100; ++task) Poll(absl::StrCat(task));
  EXPECT_LT(pacer_.waiting(), 1000u);
}

TEST_F(PollPacerTest, ForgetsItsNumbersWhenTheMonthHasCaughtUp) {
  while (Poll()) {
  }
  now_ = kStart + 27 * kDay;
  EXPECT_TRUE(Poll());
  EXPECT_FALSE(pacer_.PacesAt(1.3)) << "it has ended";
}

TEST_F(PollPacerTest, KeepsItsPaceWhenTheClockIsSetBack) {
  while (Poll()) {
  }
  const absl::Duration wait = Ask();
  now_ -= kDay;
  pacer_.ShiftBack(kDay);
  EXPECT_NEAR(absl::ToDoubleMinutes(Ask()), absl::ToDoubleMinutes(wait), 5);
}

}  // namespace
}  // namespace taskwatch
