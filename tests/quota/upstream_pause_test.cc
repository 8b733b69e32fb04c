#include "service/quota/upstream_pause.h"

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace taskwatch {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);
const absl::Status kBanned = absl::ResourceExhaustedError("banned");
const absl::Status kTooFast = absl::ResourceExhaustedError("too fast");

TEST(UpstreamPause, DoesNotLastBeforeItBegins) {
  const UpstreamPause pause;
  EXPECT_LE(pause.LeftAt(kNow), absl::ZeroDuration());
  EXPECT_EQ(pause.refusal(), absl::OkStatus());
}

TEST(UpstreamPause, LastsAsLongAsItIsAskedFor) {
  UpstreamPause pause;
  pause.Begin(kBanned, absl::Seconds(300), kNow);
  EXPECT_EQ(pause.LeftAt(kNow), absl::Seconds(300));
  EXPECT_EQ(pause.LeftAt(kNow + absl::Seconds(100)), absl::Seconds(200));
  EXPECT_LE(pause.LeftAt(kNow + absl::Seconds(300)), absl::ZeroDuration());
  EXPECT_EQ(pause.refusal(), kBanned);
}

TEST(UpstreamPause, KeepsTheOneThatEndsLater) {
  UpstreamPause pause;
  pause.Begin(kBanned, absl::Seconds(300), kNow);
  pause.Begin(kTooFast, absl::Seconds(60), kNow);
  EXPECT_EQ(pause.LeftAt(kNow), absl::Seconds(300));
  EXPECT_EQ(pause.refusal(), kBanned);
  pause.Begin(kTooFast, absl::Seconds(60), kNow + absl::Seconds(299));
  EXPECT_EQ(pause.LeftAt(kNow + absl::Seconds(299)), absl::Seconds(60));
  EXPECT_EQ(pause.refusal(), kTooFast);
}

TEST(UpstreamPause, CanBeEnded) {
  UpstreamPause pause;
  pause.Begin(kBanned, absl::Seconds(300), kNow);
  pause.End();
  EXPECT_LE(pause.LeftAt(kNow), absl::ZeroDuration());
}

TEST(UpstreamPause, LastsNoLongerWhenTheClockIsSetBack) {
  UpstreamPause pause;
  pause.Begin(kBanned, absl::Seconds(300), kNow);
  pause.ShiftBack(absl::Hours(24));
  EXPECT_EQ(pause.LeftAt(kNow - absl::Hours(24)), absl::Seconds(300));
}

}  // namespace
}  // namespace taskwatch
