#include "service/rpc/hand_over.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "absl/synchronization/notification.h"

#include "service/runtime/simulated_loop.h"

namespace taskwatch {
namespace {

TEST(HandOver, DoesASingleOperationOnTheLoopsThreadButNotAtOnce) {
  SimulatedLoop loop;
  HandOver hand_over(&loop);
  std::thread::id thread;
  hand_over.Run([&thread] { thread = std::this_thread::get_id(); });
  EXPECT_EQ(thread, std::thread::id());
  loop.RunPosted();
  EXPECT_EQ(thread, std::this_thread::get_id());
}

TEST(HandOver, DoesManyInTheirOrderOnAnotherThread) {
  SimulatedLoop loop;
  HandOver hand_over(&loop);
  std::string order;
  std::thread::id thread;
  absl::Notification done;
  hand_over.Run([&order] { order += "a"; });
  hand_over.Run([&order] { order += "b"; });
  hand_over.Run([&] {
    order += "c";
    thread = std::this_thread::get_id();
    done.Notify();
  });
  loop.RunPosted();
  done.WaitForNotification();
  EXPECT_EQ(order, "abc");
  EXPECT_NE(thread, std::this_thread::get_id());
}

TEST(HandOver, BeginsAnewWithEachTurn) {
  SimulatedLoop loop;
  HandOver hand_over(&loop);
  int done = 0;
  for (int turn = 1; turn <= 3; ++turn) {
    hand_over.Run([&done] { ++done; });
    loop.RunPosted();
    EXPECT_EQ(done, turn);
  }
}

}  // namespace
}  // namespace taskwatch
