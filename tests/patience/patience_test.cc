// How a wait ends that nothing ends.
#include "tests/patience/patience.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"

namespace taskwatch {
namespace {

TEST(Patience, IsHalfOfWhatTheTestRunnerHas) {
  setenv("TEST_TIMEOUT", "900", 1);
  EXPECT_EQ(Patience(), absl::Seconds(450));
  setenv("TEST_TIMEOUT", "long", 1);
  EXPECT_EQ(Patience(), absl::Seconds(150));
  unsetenv("TEST_TIMEOUT");
  EXPECT_EQ(Patience(), absl::Seconds(150));
}

TEST(Patience, IsNotNeededForWhatHasComeAlready) {
  absl::Mutex mutex;
  Await(mutex, absl::Condition::kTrue, "the truth");
  mutex.AssertNotHeld();
  absl::Notification come;
  come.Notify();
  Await(come, "what has come");
}

TEST(PatienceDeathTest, SaysWhatWasWaitedForAndWhatWitnessesKnow) {
  setenv("TEST_TIMEOUT", "0.02", 1);
  absl::Notification never;
  const Witness server([] { return "taskwatchd printed: cannot listen"; });
  EXPECT_DEATH(Await(never, "an answer"), "waited 10ms for an answer\ntaskwatchd printed: cannot listen");
  absl::Mutex mutex;
  bool never_true = false;
  EXPECT_DEATH(Await(mutex, absl::Condition(&never_true), "the truth"), "waited 10ms for the truth");
}

TEST(PatienceDeathTest, AsksNoWitnessThatIsGone) {
  setenv("TEST_TIMEOUT", "0.02", 1);
  {
    const Witness gone([] { return "I am gone"; });
  }
  absl::Notification never;
  EXPECT_DEATH(Await(never, "an answer"), "waited 10ms for an answer\n$");
}

}  // namespace
}  // namespace taskwatch
