#include "client/internal/server_address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/status/status.h"

#include "tests/matchers/status_matchers.h"

namespace taskwatch::client {
namespace {

using testing::HasSubstr;

struct Row {
  std::string server;
  Reach reach;
};

TEST(ServerAddress, IsLoopbackByAddressNotByTheLooksOfAName) {
  const Row rows[] = {
      {"127.0.0.1:50051", Reach::kLoopback},
      {"127.8.9.10:1", Reach::kLoopback},
      {"[::1]:50051", Reach::kLoopback},
      {"[0:0:0:0:0:0:0:1]:50051", Reach::kLoopback},
      {"localhost:50051", Reach::kLoopback},
      {"LOCALHOST:50051", Reach::kLoopback},
      {"ipv4:127.0.0.1:1", Reach::kLoopback},
      {"ipv6:[::1]:1", Reach::kLoopback},
      {"dns:///127.0.0.1:1", Reach::kLoopback},
      {"dns://8.8.8.8/127.0.0.1:1", Reach::kLoopback},
      {"unix:/run/taskwatch", Reach::kUnixSocket},
      {"unix-abstract:taskwatch", Reach::kUnixSocket},
      {"127.evil.example:50051", Reach::kElsewhere},
      {"127.0.0.1.evil.example:50051", Reach::kElsewhere},
      {"localhost.evil.example:50051", Reach::kElsewhere},
      {"127.1:50051", Reach::kElsewhere},
      {"128.0.0.1:50051", Reach::kElsewhere},
      {"[::2]:50051", Reach::kElsewhere},
      {"[::ffff:10.0.0.1]:50051", Reach::kElsewhere},
      {"dns://127.0.0.1/evil.example:1", Reach::kElsewhere},
      {"ipv4:127.0.0.1:1,10.0.0.1:1", Reach::kElsewhere},
      {"taskwatch:50051", Reach::kElsewhere},
      {"xds:///taskwatch", Reach::kElsewhere},
  };
  for (const Row& row : rows) {
    const auto reach = ReachOf(row.server);
    ASSERT_THAT(reach, IsOk()) << row.server;
    EXPECT_EQ(*reach, row.reach) << row.server;
  }
}

TEST(ServerAddress, NeedsAPort) {
  const auto error = [](const std::string& server) { return std::string(ReachOf(server).status().message()); };
  EXPECT_EQ(error("localhost"), "the server 'localhost' has no port; write HOST:PORT, like localhost:50051");
  EXPECT_THAT(error("[::1]"), HasSubstr("like [::1]:50051"));
  EXPECT_THAT(error("::1"), HasSubstr("like [::1]:50051"));
  EXPECT_THAT(error("host:"), HasSubstr("like host:50051"));
  EXPECT_THAT(error("host:grpc"), HasSubstr("like host:50051"));
  EXPECT_THAT(error("host:65536"), HasSubstr("like host:50051"));
  EXPECT_THAT(error("dns:///host"), HasSubstr("like host:50051"));
  EXPECT_THAT(error("dns://8.8.8.8"), HasSubstr("HOST:PORT"));
  EXPECT_THAT(error(""), HasSubstr("HOST:PORT"));
  EXPECT_THAT(error("https://host:1"), HasSubstr("not a URL"));
  EXPECT_THAT(ReachOf("localhost"), StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace taskwatch::client
