#include "service/dingtalk/tokens/file_access_token.h"

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "gtest/gtest.h"

#include "service/task/task_error.h"
#include "tests/fakes/secret_path.h"

namespace taskwatch {
namespace {

absl::StatusOr<std::string> TokenOf(AccessTokenProvider& provider) {
  absl::StatusOr<std::string> result;
  provider.GetToken([&result](absl::StatusOr<std::string> token) { result = std::move(token); });
  return result;
}

void ExpectRejected(AccessTokenProvider& provider, const std::string& path) {
  const absl::StatusOr<std::string> token = TokenOf(provider);
  ASSERT_FALSE(token.ok());
  EXPECT_EQ(token.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(DetailsOf(token.status()).reason, ErrorReason::kUpstreamUnauthenticated);
  EXPECT_TRUE(absl::StrContains(token.status().message(), "rejected")) << token.status();
  EXPECT_TRUE(absl::StrContains(token.status().message(), path)) << token.status();
  EXPECT_FALSE(absl::StrContains(token.status().ToString(), "canary")) << token.status();
}

TEST(FileAccessToken, FollowsTheFile) {
  SecretPath path;
  path.Write("canary-1\n");
  FileAccessToken provider(path.path());
  EXPECT_EQ(*TokenOf(provider), "canary-1");
  path.Write("canary-2\n");
  EXPECT_EQ(*TokenOf(provider), "canary-2");
}

TEST(FileAccessToken, TellsWhichFileIsMissing) {
  SecretPath path;
  FileAccessToken provider(path.path());
  const absl::StatusOr<std::string> token = TokenOf(provider);
  ASSERT_FALSE(token.ok());
  EXPECT_TRUE(absl::StrContains(token.status().message(), path.path())) << token.status();
}

TEST(FileAccessToken, KeepsTheLastTokenWhileTheFileIsBeingRewritten) {
  SecretPath path;
  path.Write("canary-1");
  FileAccessToken provider(path.path());
  EXPECT_EQ(*TokenOf(provider), "canary-1");
  path.Write("");
  EXPECT_EQ(*TokenOf(provider), "canary-1");
  path.Remove();
  EXPECT_EQ(*TokenOf(provider), "canary-1");
  path.Write("canary-2");
  EXPECT_EQ(*TokenOf(provider), "canary-2");
}

TEST(FileAccessToken, IsGoneAfterARejectionUntilTheFileIsWritten) {
  SecretPath path;
  path.Write("canary-1");
  FileAccessToken provider(path.path());
  EXPECT_EQ(*TokenOf(provider), "canary-1");
  provider.Invalidate("canary-1");
  ExpectRejected(provider, path.path());
  ExpectRejected(provider, path.path());
  path.Write("canary-2");
  EXPECT_EQ(*TokenOf(provider), "canary-2");
}

TEST(FileAccessToken, IsTheSameAgainIfTheFileWasWrittenWithTheSame) {
  SecretPath path;
  path.Write("canary-1");
  FileAccessToken provider(path.path());
  EXPECT_EQ(*TokenOf(provider), "canary-1");
  provider.Invalidate("canary-1");
  path.Write("canary-1");
  EXPECT_EQ(*TokenOf(provider), "canary-1");
}

TEST(FileAccessToken, IsReadAgainAtOnceIfTheFileChangedBeforeTheRejection) {
  SecretPath path;
  path.Write("canary-1");
  FileAccessToken provider(path.path());
  EXPECT_EQ(*TokenOf(provider), "canary-1");
  path.Write("canary-2");
  provider.Invalidate("canary-1");
  EXPECT_EQ(*TokenOf(provider), "canary-2");
}

TEST(FileAccessToken, DoesNotMindTheRejectionOfAnOlderToken) {
  SecretPath path;
  path.Write("canary-1");
  FileAccessToken provider(path.path());
  EXPECT_EQ(*TokenOf(provider), "canary-1");
  path.Write("canary-2");
  EXPECT_EQ(*TokenOf(provider), "canary-2");
  provider.Invalidate("canary-1");
  EXPECT_EQ(*TokenOf(provider), "canary-2");
}

TEST(FileAccessToken, DoesNotFallBackToARejectedToken) {
  SecretPath path;
  path.Write("canary-1");
  FileAccessToken provider(path.path());
  EXPECT_EQ(*TokenOf(provider), "canary-1");
  provider.Invalidate("canary-1");
  path.Remove();
  EXPECT_FALSE(TokenOf(provider).ok());
}

}  // namespace
}  // namespace taskwatch
