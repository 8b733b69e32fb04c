#include "client/cli/proxy.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace taskwatch::client {
namespace {

class ProxyTest : public testing::Test {
 protected:
  ProxyTest() {
    for (const char* const name : {"grpc_proxy", "https_proxy", "http_proxy", "no_grpc_proxy", "no_proxy"}) {
      unsetenv(name);
    }
  }
};

TEST_F(ProxyTest, IsTheOneThatGrpcObeysWithoutItsPassword) {
  EXPECT_FALSE(ProxyTo("taskwatch:1").has_value());
  setenv("http_proxy", "http://user:p@ss@proxy.example:3128/", 1);
  EXPECT_EQ(ProxyTo("taskwatch:1")->address, "proxy.example:3128");
  EXPECT_EQ(ProxyTo("taskwatch:1")->variable, "http_proxy");
  setenv("https_proxy", "http://other.example:1", 1);
  EXPECT_EQ(ProxyTo("taskwatch:1")->variable, "https_proxy");
  setenv("grpc_proxy", "http://third.example:1", 1);
  EXPECT_EQ(ProxyTo("dns:///taskwatch:1")->address, "third.example:1");
}

TEST_F(ProxyTest, IsNoneOfAnotherKind) {
  setenv("http_proxy", "socks5://proxy.example:1080", 1);
  EXPECT_FALSE(ProxyTo("taskwatch:1").has_value());
  setenv("http_proxy", "", 1);
  EXPECT_FALSE(ProxyTo("taskwatch:1").has_value());
}

TEST_F(ProxyTest, IsNotForThisMachineNorForWhatIsExempt) {
  setenv("http_proxy", "http://proxy.example:3128", 1);
  EXPECT_FALSE(ProxyTo("127.0.0.1:1").has_value());
  EXPECT_FALSE(ProxyTo("localhost:1").has_value());
  EXPECT_FALSE(ProxyTo("unix:/run/taskwatch").has_value());
  EXPECT_TRUE(ProxyTo("127.evil.example:1").has_value());
  setenv("no_proxy", "other,.corp.example", 1);
  EXPECT_FALSE(ProxyTo("taskwatch.corp.example:1").has_value());
  EXPECT_TRUE(ProxyTo("taskwatch.example:1").has_value());
  setenv("no_grpc_proxy", "taskwatch.example", 1);
  EXPECT_FALSE(ProxyTo("taskwatch.example:1").has_value());
  EXPECT_TRUE(ProxyTo("taskwatch.corp.example:1").has_value());
}

}  // namespace
}  // namespace taskwatch::client
