#include "client/cli/live_screen.h"

#include <gtest/gtest.h>

namespace taskwatch::client {
namespace {

constexpr ScreenSize kScreen = {20, 5};

TEST(LiveScreen, DrawsOverWhatItDrewBefore) {
  LiveScreen screen;
  EXPECT_EQ(screen.Draw({"a", "b"}, kScreen), "\x1b[?7l\ra\x1b[K\r\nb\x1b[K\r\n\x1b[J\x1b[?7h");
  EXPECT_EQ(screen.Draw({"c"}, kScreen), "\x1b[?7l\r\x1b[2Ac\x1b[K\r\n\x1b[J\x1b[?7h");
  EXPECT_EQ(screen.Draw({"d"}, kScreen), "\x1b[?7l\r\x1b[1Ad\x1b[K\r\n\x1b[J\x1b[?7h");
}

TEST(LiveScreen, ClearsTheRowsIntoWhichANarrowerScreenBrokeTheLines) {
  LiveScreen screen;
  screen.Draw({"0123456789012345678"}, kScreen);
  EXPECT_EQ(screen.Draw({"a"}, {10, 5}), "\x1b[?7l\r\x1b[2A\x1b[Ja\x1b[K\r\n\x1b[J\x1b[?7h");
}

TEST(LiveScreen, CountsTheLinesThatTheScreenHasNoRoomFor) {
  LiveScreen screen;
  EXPECT_EQ(screen.Draw({"1", "2", "3", "4", "5"}, kScreen),
            "\x1b[?7l\r1\x1b[K\r\n2\x1b[K\r\n3\x1b[K\r\n... and 2 more lines\x1b[K\r\n\x1b[J\x1b[?7h");
}

TEST(LiveScreen, LetsAllLinesStandInTheEnd) {
  LiveScreen screen;
  screen.Draw({"x"}, kScreen);
  EXPECT_EQ(screen.Finish({"1", "2", "3", "4", "5"}, kScreen),
            "\x1b[?7l\r\x1b[1A1\x1b[K\r\n2\x1b[K\r\n3\x1b[K\r\n4\x1b[K\r\n5\x1b[K\r\n\x1b[J\x1b[?7h");
}

}  // namespace
}  // namespace taskwatch::client
