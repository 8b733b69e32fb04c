#include "service/dingtalk/tokens/file_access_token.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "service/runtime/simulated_loop.h"
#include "service/task/task_error.h"
#include "tests/fakes/secret_path.h"
#include "tests/matchers/status_matchers.h"

namespace taskwatch {
namespace {

absl::StatusOr<std::string> TokenOf(SimulatedLoop& loop, AccessTokenProvider& provider) {
  std::optional<absl::StatusOr<std::string>> result;
  provider.GetToken([&result](absl::StatusOr<std::string> token) { result = std::move(token); });
  EXPECT_FALSE(result.has_value()) << "called before GetToken returned";
  loop.RunPosted();
  return result.has_value() ? *std::move(result) : absl::InternalError("no answer");
}

// That polls come back soon and gets are told at once, and only the log hears of the file.
void ExpectToBeLookedAtAgain(const absl::Status& error, const std::string& path) {
  const ErrorDetails details = DetailsOf(error);
  EXPECT_EQ(details.persistence, Persistence::kTransient);
  EXPECT_TRUE(details.not_asked);
  EXPECT_EQ(details.retry_after, absl::Seconds(1));
  EXPECT_TRUE(absl::StrContains(details.log_detail, path)) << details.log_detail;
  EXPECT_FALSE(absl::StrContains(error.message(), path)) << error;
}

void ExpectRejected(SimulatedLoop& loop, AccessTokenProvider& provider, const std::string& path) {
  const absl::StatusOr<std::string> token = TokenOf(loop, provider);
  ASSERT_THAT(token, HasReason(ErrorReason::kUpstreamUnauthenticated));
  EXPECT_TRUE(absl::StrContains(token.status().message(), "rejected")) << token.status();
  ExpectToBeLookedAtAgain(token.status(), path);
  EXPECT_FALSE(absl::StrContains(token.status().ToString(), "canary")) << token.status();
}

TEST(FileAccessToken, FollowsTheFile) {
  SecretPath path;
  path.Write("canary-1\n");
  SimulatedLoop loop;
  FileAccessToken provider(&loop, path.path());
  EXPECT_THAT(TokenOf(loop, provider), IsOkAndHolds("canary-1"));
  path.Write("canary-2\n");
  EXPECT_THAT(TokenOf(loop, provider), IsOkAndHolds("canary-2"));
}

TEST(FileAccessToken, HasItAtHandOnceTheFileHasBeenLeftAlone) {
  SecretPath path;
  path.Write("canary-1\n");
  SimulatedLoop loop(absl::Now() + absl::Hours(1));
  FileAccessToken provider(&loop, path.path());
  EXPECT_EQ(provider.Cached(), std::nullopt) << "it has not been read";
  EXPECT_FALSE(provider.HasToken());
  EXPECT_THAT(TokenOf(loop, provider), IsOkAndHolds("canary-1"));
  EXPECT_EQ(provider.Cached(), "canary-1");
  path.Write("canary-2\n");
  EXPECT_EQ(provider.Cached(), std::nullopt);
  EXPECT_TRUE(provider.HasToken()) << "which one, GetToken tells";
}

TEST(FileAccessToken, TellsWhichFileIsMissing) {
  SecretPath path;
  SimulatedLoop loop;
  FileAccessToken provider(&loop, path.path());
  const absl::StatusOr<std::string> token = TokenOf(loop, provider);
  ASSERT_THAT(token, HasReason(ErrorReason::kUpstreamUnauthenticated));
  ExpectToBeLookedAtAgain(token.status(), path.path());
}

TEST(FileAccessToken, KeepsTheLastTokenWhileTheFileIsBeingRewritten) {
  SecretPath path;
  path.Write("canary-1");
  SimulatedLoop loop;
  FileAccessToken provider(&loop, path.path());
  EXPECT_THAT(TokenOf(loop, provider), IsOkAndHolds("canary-1"));
  path.Write("");
  EXPECT_THAT(TokenOf(loop, provider), IsOkAndHolds("canary-1"));
  path.Remove();
  EXPECT_THAT(TokenOf(loop, provider), IsOkAndHolds("canary-1"));
  path.Write("canary-2");
  EXPECT_THAT(TokenOf(loop, provider), IsOkAndHolds("canary-2"));
}

TEST(FileAccessToken, IsGoneAfterARejectionUntilTheFileIsWritten) {
  SecretPath path;
  path.Write("canary-1");
  SimulatedLoop loop;
  FileAccessToken provider(&loop, path.path());
  EXPECT_THAT(TokenOf(loop, provider), IsOkAndHolds("canary-1"));
  provider.Invalidate("canary-1");
  ExpectRejected(loop, provider, path.path());
  ExpectRejected(loop, provider, path.path());
  path.Write("canary-2");
  EXPECT_THAT(TokenOf(loop, provider), IsOkAndHolds("canary-2"));
}

TEST(FileAccessToken, IsTheSameAgainIfTheFileWasWrittenWithTheSame) {
  SecretPath path;
  path.Write("canary-1");
  SimulatedLoop loop;
  FileAccessToken provider(&loop, path.path());
  EXPECT_THAT(TokenOf(loop, provider), IsOkAndHolds("canary-1"));
  provider.Invalidate("canary-1");
  path.Write("canary-1");
  EXPECT_THAT(TokenOf(loop, provider), IsOkAndHolds("canary-1"));
}

TEST(FileAccessToken, IsReadAgainAtOnceIfTheFileChangedBeforeTheRejection) {
  SecretPath path;
  path.Write("canary-1");
  SimulatedLoop loop;
  FileAccessToken provider(&loop, path.path());
  EXPECT_THAT(TokenOf(loop, provider), IsOkAndHolds("canary-1"));
  path.Write("canary-2");
  provider.Invalidate("canary-1");
  EXPECT_THAT(TokenOf(loop, provider), IsOkAndHolds("canary-2"));
}

TEST(FileAccessToken, DoesNotMindTheRejectionOfAnOlderToken) {
  SecretPath path;
  path.Write("canary-1");
  SimulatedLoop loop;
  FileAccessToken provider(&loop, path.path());
  EXPECT_THAT(TokenOf(loop, provider), IsOkAndHolds("canary-1"));
  path.Write("canary-2");
  EXPECT_THAT(TokenOf(loop, provider), IsOkAndHolds("canary-2"));
  provider.Invalidate("canary-1");
  EXPECT_THAT(TokenOf(loop, provider), IsOkAndHolds("canary-2"));
}

TEST(FileAccessToken, DoesNotFallBackToARejectedToken) {
  SecretPath path;
  path.Write("canary-1");
  SimulatedLoop loop;
  FileAccessToken provider(&loop, path.path());
  EXPECT_THAT(TokenOf(loop, provider), IsOkAndHolds("canary-1"));
  provider.Invalidate("canary-1");
  path.Remove();
  ExpectToBeLookedAtAgain(TokenOf(loop, provider).status(), path.path());
  EXPECT_EQ(provider.Cached(), std::nullopt);
  EXPECT_FALSE(provider.HasToken());
  path.Write("canary-2");
  EXPECT_THAT(TokenOf(loop, provider), IsOkAndHolds("canary-2"));
}

}  // namespace
}  // namespace taskwatch
