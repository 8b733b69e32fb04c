#include "service/rpc/hand_over.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "absl/synchronization/notification.h"

#include "service/runtime/simulated_loop.h"
#include "service/server/completion_thread.h"
#include "tests/patience/patience.h"

namespace taskwatch {
namespace {

class HandOverTest : public testing::Test {
 protected:
  HandOverTest() { hand_over_.Use(&completions_); }

  grpc::ServerBuilder builder_;
  CompletionThread completions_{builder_.AddCompletionQueue()};
  SimulatedLoop loop_;
  HandOver hand_over_{&loop_};
};

TEST_F(HandOverTest, DoesASingleOperationOnTheCompletionThreadAfterTheTurn) {
  std::thread::id thread;
  absl::Notification done;
  hand_over_.Run([&] {
    thread = std::this_thread::get_id();
    done.Notify();
  });
  EXPECT_FALSE(done.HasBeenNotified());
  loop_.RunPosted();
  Await(done, "the completion thread");
  EXPECT_NE(thread, std::this_thread::get_id());
}

TEST_F(HandOverTest, DoesManyInTheirOrder) {
  std::string order;
  absl::Notification done;
  hand_over_.Run([&order] { order += "a"; });
  hand_over_.Run([&order] { order += "b"; });
  hand_over_.Run([&] {
    order += "c";
    done.Notify();
  });
  loop_.RunPosted();
  Await(done, "the completion thread");
  EXPECT_EQ(order, "abc");
}

TEST_F(HandOverTest, BeginsAnewWithEachTurn) {
  int count = 0;
  for (int turn = 1; turn <= 3; ++turn) {
    absl::Notification done;
    hand_over_.Run([&] {
      ++count;
      done.Notify();
    });
    loop_.RunPosted();
    Await(done, "the completion thread");
    EXPECT_EQ(count, turn);
  }
}

}  // namespace
}  // namespace taskwatch
