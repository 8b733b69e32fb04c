#include "client/cli/task_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "client/cli/printable.h"
#include "tests/client/tasks.h"

namespace taskwatch::client {
namespace {

using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Le;
using testing::Not;
using testing::ResultOf;
using testing::SizeIs;

const absl::Time kNow = absl::FromUnixSeconds(20);

// Ten items, half of them in ten seconds.
TaskView HalfDone() {
  TaskView view;
  view.task_id = "t1";
  view.task = Running(5, 18);
  view.observe_time = kNow - absl::Seconds(2);
  view.estimate.Add(view.observe_time - absl::Seconds(10), 0);
  view.estimate.Add(view.observe_time, 5);
  return view;
}

LineLayout Wide(int width) {
  LineLayout layout;
  layout.width = width;
  layout.id_width = 4;
  return layout;
}

TEST(LiveLines, TellsAllThereIsToTellWhereThereIsRoom) {
  EXPECT_THAT(LiveLines(HalfDone(), Wide(100), kNow),
              ElementsAre("t1    running           [##########----------]   50%  5/10  0.5/s  ~8s left  2s ago"));
}

TEST(LiveLines, LeavesOutWhatMattersLeastWhereThereIsNot) {
  EXPECT_THAT(LiveLines(HalfDone(), Wide(60), kNow),
              ElementsAre("t1    running           [#####-----]   50%  5/10  ~8s left"));
  EXPECT_THAT(LiveLines(HalfDone(), Wide(32), kNow), ElementsAre("t1    running           5/10"));
}

TEST(LiveLines, AreNeverWiderThanTheScreen) {
  TaskView view = HalfDone();
  view.task_id = std::string(128, 'x');
  view.task->set_failed_count(3);
  for (int i = 0; i < 100; ++i) view.trouble += "yy任务";
  for (int width = 1; width < 200; ++width) {
    LineLayout layout = Wide(width);
    layout.color = true;
    EXPECT_THAT(LiveLines(view, layout, kNow), Each(ResultOf(VisibleWidth, Le(static_cast<size_t>(width)))));
  }
}

TEST(LiveLines, TellTheTroubleOnALineOfItsOwn) {
  TaskView view = HalfDone();
  view.trouble = "DingTalk is busy";
  const auto lines = LiveLines(view, Wide(100), kNow);
  ASSERT_THAT(lines, SizeIs(2));
  EXPECT_EQ(lines[1], "  ! DingTalk is busy");
}

TEST(LiveLines, ShowNoRateNorAgeOnceTheTaskIsDone) {
  TaskView view = HalfDone();
  view.task = Succeeded(18);
  EXPECT_THAT(LiveLines(view, Wide(100), kNow),
              ElementsAre("t1    succeeded         [####################]  100%  10/10"));
}

TEST(LiveLines, ShowThatSomeFailed) {
  TaskView view = HalfDone();
  view.task->set_failed_count(1);
  EXPECT_THAT(LiveLines(view, Wide(100), kNow)[0], HasSubstr("6/10  1 failed"));
}

TEST(LiveLines, DoWithoutCounts) {
  TaskView view;
  view.task_id = "t1";
  view.task.emplace().set_state(v1::TASK_STATE_RUNNING);
  view.observe_time = kNow;
  EXPECT_THAT(LiveLines(view, Wide(100), kNow), ElementsAre("t1    running           0s ago"));
}

TEST(LiveLines, SurviveCountsThatMakeNoSense) {
  TaskView view = HalfDone();
  view.task->set_succeeded_count(99);
  EXPECT_THAT(LiveLines(view, Wide(100), kNow)[0], HasSubstr("[####################]  100%  99/10"));
  view.task->set_succeeded_count(-7);
  EXPECT_THAT(LiveLines(view, Wide(100), kNow)[0], HasSubstr("[--------------------]    0%  -7/10"));
}

TEST(LiveLines, SayThatNothingIsKnownYet) {
  TaskView view;
  view.task_id = "t1";
  EXPECT_THAT(LiveLines(view, Wide(100), kNow), ElementsAre("t1    asking"));
}

TEST(LiveLines, UseColoursWhereTheyAreWanted) {
  LineLayout layout = Wide(100);
  EXPECT_THAT(LiveLines(HalfDone(), layout, kNow)[0], Not(HasSubstr("\x1b")));
  layout.color = true;
  EXPECT_THAT(LiveLines(HalfDone(), layout, kNow)[0], AllOf(HasSubstr("\x1b[36mrunning\x1b[0m")));
}

TEST(PlainLine, IsASentence) {
  v1::TaskInfo task = Running(2, 1);
  EXPECT_EQ(PlainLine(task), "t1: running, 2 of 10 done");
  task.set_failed_count(1);
  EXPECT_EQ(PlainLine(task), "t1: running, 3 of 10 done, 1 failed");
}

TEST(PlainLine, TellsTheNumberOfAStateThatIsNotKnown) {
  v1::TaskInfo task;
  task.set_task_id("t1");
  task.set_state(v1::TASK_STATE_UNRECOGNIZED);
  task.set_upstream_status(9);
  EXPECT_EQ(PlainLine(task), "t1: unrecognized (DingTalk's status 9)");
}

}  // namespace
}  // namespace taskwatch::client
