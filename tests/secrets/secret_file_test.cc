#include "service/secrets/secret_file.h"

#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "service/task/task_error.h"
#include "tests/fakes/secret_path.h"
#include "tests/matchers/status_matchers.h"

namespace taskwatch {
namespace {

void ExpectUnusable(SecretFile& file) {
  const absl::StatusOr<Secret> secret = file.Read();
  ASSERT_THAT(secret, HasReason(ErrorReason::kUpstreamUnauthenticated));
  const ErrorDetails details = DetailsOf(secret.status());
  EXPECT_EQ(details.persistence, Persistence::kTransient);
  EXPECT_TRUE(details.not_asked);
  EXPECT_EQ(details.retry_after, absl::Seconds(1));
  EXPECT_TRUE(absl::StrContains(details.log_detail, file.path())) << details.log_detail;
  EXPECT_FALSE(absl::StrContains(secret.status().message(), file.path())) << secret.status();
  EXPECT_FALSE(absl::StrContains(secret.status().ToString(), "canary")) << secret.status();
}

TEST(SecretFile, IsReadAndTrimmed) {
  SecretPath path;
  path.Write("  s3cret\r\n");
  SecretFile file(path.path());
  const absl::StatusOr<Secret> secret = file.Read();
  ASSERT_THAT(secret, IsOk());
  EXPECT_EQ(secret->value, "s3cret");
}

TEST(SecretFile, HasOneVersionWhileItStaysTheSame) {
  SecretPath path;
  path.Write("s3cret");
  SecretFile file(path.path());
  const uint64_t version = file.Read()->version;
  EXPECT_EQ(file.Read()->version, version);
  EXPECT_GT(version, 0u);
}

TEST(SecretFile, HasANewVersionWhenWrittenInPlaceWithTheSameSecret) {
  SecretPath path;
  path.Write("s3cret");
  SecretFile file(path.path());
  const uint64_t version = file.Read()->version;
  path.Write("s3cret");
  EXPECT_GT(file.Read()->version, version);
}

TEST(SecretFile, HasANewVersionWhenReplacedByOneOfTheSameTimeAndSize) {
  SecretPath path;
  path.Write("s3cret-1");
  SecretFile file(path.path());
  const uint64_t version = file.Read()->version;
  path.Replace("s3cret-2");
  const absl::StatusOr<Secret> secret = file.Read();
  EXPECT_EQ(secret->value, "s3cret-2");
  EXPECT_GT(secret->version, version);
}

TEST(SecretFile, NoticesASecondChangeWithinTheSameTickOfTheClock) {
  SecretPath path;
  path.Write("s3cret-1");
  SecretFile file(path.path());
  const uint64_t version = file.Read()->version;
  path.WriteUnnoticed("s3cret-2");
  const absl::StatusOr<Secret> secret = file.Read();
  EXPECT_EQ(secret->value, "s3cret-2");
  EXPECT_GT(secret->version, version);
}

TEST(SecretFile, NoticesAChangeOfAFileThatWasLeftAloneForLong) {
  SecretPath path;
  path.Write("s3cret-1");
  SecretFile file(path.path(), [] { return absl::Now() + absl::Hours(1); });
  const uint64_t version = file.Read()->version;
  EXPECT_EQ(file.Read()->version, version);
  path.Write("s3cret-2");
  const absl::StatusOr<Secret> secret = file.Read();
  EXPECT_EQ(secret->value, "s3cret-2");
  EXPECT_GT(secret->version, version);
}

TEST(SecretFile, FollowsALinkThatIsSwitchedOver) {
  SecretPath path;
  const std::string first = path.path() + ".1";
  const std::string second = path.path() + ".2";
  path.Write("s3cret-1");
  std::filesystem::rename(path.path(), first);
  path.Write("s3cret-2");
  std::filesystem::rename(path.path(), second);
  std::filesystem::create_symlink(first, path.path());
  SecretFile file(path.path());
  EXPECT_EQ(file.Read()->value, "s3cret-1");
  path.Remove();
  std::filesystem::create_symlink(second, path.path());
  EXPECT_EQ(file.Read()->value, "s3cret-2");
}

TEST(SecretFile, IsUnusableWhileItIsMissingAndUsableAgainAfter) {
  SecretPath path;
  SecretFile file(path.path());
  ExpectUnusable(file);
  path.Write("s3cret");
  EXPECT_THAT(file.Read(), IsOk());
  path.Remove();
  ExpectUnusable(file);
}

TEST(SecretFile, IsUnusableWithSomethingElseInIt) {
  SecretPath path;
  SecretFile file(path.path());
  for (const std::string& content :
       {std::string(), std::string("\n"), std::string("canary canary"), std::string("canary\n# comment"),
        std::string(1 << 20, 'x'), std::string("canary") + std::string(1 << 20, ' ')}) {
    path.Write(content);
    ExpectUnusable(file);
  }
}

TEST(SecretFile, IsUnusableIfItIsNoFile) {
  SecretPath path;
  std::filesystem::create_directory(path.path());
  SecretFile folder(path.path());
  ExpectUnusable(folder);
}

TEST(SecretFile, DoesNotHangOnAPipe) {
  SecretPath path;
  ASSERT_EQ(mkfifo(path.path().c_str(), 0600), 0);
  SecretFile pipe(path.path());
  ExpectUnusable(pipe);
}

}  // namespace
}  // namespace taskwatch
