#include "client/cli/live_screen.h"

#include <gtest/gtest.h>

namespace taskwatch::client {
namespace {

constexpr ScreenSize kScreen = {20, 5};

TEST(LiveScreen, DrawsOverWhatItDrewBefore) {
  LiveScreen screen;
  EXPECT_EQ(screen.Draw({"a", "b"}, kScreen), "\ra\x1b[K\r\nb\x1b[K\r\n\x1b[J");
  EXPECT_EQ(screen.Draw({"c"}, kScreen), "\r\x1b[2Ac\x1b[K\r\n\x1b[J");
  EXPECT_EQ(screen.Draw({"d"}, kScreen), "\r\x1b[1Ad\x1b[K\r\n\x1b[J");
}

TEST(LiveScreen, GoesUpOverTheRowsIntoWhichANarrowerScreenBrokeTheLines) {
  LiveScreen screen;
  screen.Draw({"0123456789012345678"}, kScreen);
  EXPECT_EQ(screen.Draw({"a"}, {10, 5}), "\r\x1b[2Aa\x1b[K\r\n\x1b[J");
}

TEST(LiveScreen, CountsTheLinesThatTheScreenHasNoRoomFor) {
  LiveScreen screen;
  EXPECT_EQ(screen.Draw({"1", "2", "3", "4", "5"}, kScreen),
            "\r1\x1b[K\r\n2\x1b[K\r\n3\x1b[K\r\n... and 2 more lines\x1b[K\r\n\x1b[J");
}

TEST(LiveScreen, LetsAllLinesStandInTheEnd) {
  LiveScreen screen;
  screen.Draw({"x"}, kScreen);
  EXPECT_EQ(screen.Finish({"1", "2", "3", "4", "5"}, kScreen),
            "\r\x1b[1A1\x1b[K\r\n2\x1b[K\r\n3\x1b[K\r\n4\x1b[K\r\n5\x1b[K\r\n\x1b[J");
}

TEST(VisibleWidth, LeavesOutTheColours) { EXPECT_EQ(VisibleWidth("\x1b[36mrunning\x1b[0m  1"), 10); }

}  // namespace
}  // namespace taskwatch::client
