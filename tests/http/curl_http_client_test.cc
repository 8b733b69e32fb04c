#include "service/http/curl_http_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

#include "service/http/curl_event_loop.h"
#include "service/task/task_error.h"
#include "tests/fakes/fake_transfer_loop.h"
#include "tests/fakes/raw_server.h"
#include "tests/matchers/status_matchers.h"

namespace taskwatch {
namespace {

using Connection = RawServer::Connection;

constexpr char kOk[] = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-acs-request-id: req-1\r\n\r\n{}";

// What is logged while it lives.
class CapturedLog {
 public:
  CapturedLog() : previous_(spdlog::default_logger()) {
    spdlog::set_default_logger(
        std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::ostream_sink_mt>(text_)));
  }
  ~CapturedLog() { spdlog::set_default_logger(previous_); }

  std::string text() const { return text_.str(); }

 private:
  const std::shared_ptr<spdlog::logger> previous_;
  std::ostringstream text_;
};

// Sends one request and runs the loop until its answer is there.
absl::StatusOr<HttpResponse> Exchange(CurlEventLoop& loop, CurlHttpClient& client, HttpRequest request) {
  std::optional<absl::StatusOr<HttpResponse>> result;
  client.Send(std::move(request), [&](absl::StatusOr<HttpResponse> response) {
    result = std::move(response);
    loop.Stop();
  });
  EXPECT_FALSE(result.has_value()) << "called back before Send returned";
  loop.Run();
  return *std::move(result);
}

HttpRequest Get(absl::Duration timeout = absl::Seconds(30)) {
  HttpRequest request;
  request.path = "/v2.0/doc/task/info/abcd";
  request.headers = {{"x-acs-dingtalk-access-token", "tok"}};
  static constexpr absl::string_view kWanted[] = {"x-acs-request-id", "retry-after"};
  request.response_headers = kWanted;
  request.timeout = timeout;
  return request;
}

absl::StatusOr<HttpResponse> GetFrom(const std::string& base_url, absl::Duration timeout = absl::Seconds(30)) {
  CurlEventLoop loop;
  CurlHttpClient client(&loop, {{base_url, "", 64 * 1024}});
  return Exchange(loop, client, Get(timeout));
}

TEST(CurlHttpClient, SendsWhatItIsToldAndReturnsWhatComesBack) {
  RawServer server([](Connection& connection, const std::string&) {
    connection.Send(
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\nX-Acs-Request-Id: req-1\r\nRetry-After: 7\r\n"
        "X-Other: 1\r\nretry-after-all: 9\r\n\r\nbody");
  });
  const absl::StatusOr<HttpResponse> response = GetFrom(server.url());
  ASSERT_THAT(response, IsOk());
  EXPECT_EQ(response->status, 403);
  EXPECT_EQ(response->body, "body");
  EXPECT_EQ(response->Header("x-acs-request-id"), "req-1");
  EXPECT_EQ(response->Header("retry-after"), "7");
  EXPECT_EQ(response->Header("x-other"), "") << "it was not wanted";
  const std::string head = absl::AsciiStrToLower(server.last_head());
  EXPECT_TRUE(absl::StartsWith(head, "get /v2.0/doc/task/info/abcd http/1.1\r\n")) << head;
  EXPECT_TRUE(absl::StrContains(head, "\r\nx-acs-dingtalk-access-token: tok\r\n")) << head;
  EXPECT_FALSE(absl::StrContains(head, "accept-encoding")) << head;
  EXPECT_FALSE(absl::StrContains(head, "content-type")) << head;
}

TEST(CurlHttpClient, PostsJson) {
  RawServer server([](Connection& connection, const std::string&) {
    connection.Send(kOk);
    connection.Close();
  });
  CurlEventLoop loop;
  CurlHttpClient client(&loop, {{server.url(), "", 64 * 1024}});
  HttpRequest request;
  request.method = HttpRequest::Method::kPost;
  request.path = "/v1.0/oauth2/accessToken";
  request.body = std::string(5000, ' ');
  const absl::StatusOr<HttpResponse> response = Exchange(loop, client, std::move(request));
  ASSERT_THAT(response, IsOk());
  const std::string head = absl::AsciiStrToLower(server.last_head());
  EXPECT_TRUE(absl::StartsWith(head, "post /v1.0/oauth2/accesstoken http/1.1\r\n")) << head;
  EXPECT_TRUE(absl::StrContains(head, "\r\ncontent-type: application/json\r\n")) << head;
  EXPECT_TRUE(absl::StrContains(head, "\r\ncontent-length: 5000\r\n")) << head;
  EXPECT_FALSE(absl::StrContains(head, "expect:")) << head;
}

TEST(CurlHttpClient, KeepsItsConnectionAndForgetsTheLastRequestsHeaders) {
  RawServer server([](Connection& connection, const std::string&) { connection.Send(kOk); });
  CurlEventLoop loop;
  CurlHttpClient client(&loop, {{server.url(), "", 64 * 1024}});
  int answers = 0;
  std::function<void()> send = [&] {
    HttpRequest request = Get();
    if (answers == 2) request.headers.clear();
    client.Send(std::move(request), [&](absl::StatusOr<HttpResponse> response) {
      EXPECT_THAT(response, IsOk());
      if (++answers == 3) {
        loop.Stop();
      } else {
        send();
      }
    });
  };
  send();
  loop.Run();
  EXPECT_EQ(server.requests(), 3);
  EXPECT_EQ(server.connections(), 1);
  EXPECT_FALSE(absl::StrContains(server.last_head(), "access-token")) << server.last_head();
}

TEST(CurlHttpClient, GivesUpOnAnUpstreamThatHangs) {
  RawServer server([](Connection& connection, const std::string&) { connection.WaitUntilGone(); });
  const absl::StatusOr<HttpResponse> response = GetFrom(server.url(), absl::Milliseconds(50));
  EXPECT_THAT(response, HasReason(ErrorReason::kUpstreamTimeout));
  EXPECT_TRUE(DetailsOf(response.status()).retry_after.has_value());
}

TEST(CurlHttpClient, GivesUpOnAnUpstreamThatDrips) {
  RawServer server([](Connection& connection, const std::string&) {
    connection.Send("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n");
    while (connection.Send("x") && !connection.IsGoneWithin(absl::Milliseconds(5))) {
    }
  });
  const absl::StatusOr<HttpResponse> response = GetFrom(server.url(), absl::Milliseconds(50));
  EXPECT_THAT(response, HasReason(ErrorReason::kUpstreamTimeout));
}

TEST(CurlHttpClient, StopsReadingABodyThatIsTooLarge) {
  for (const char* framing :
       {"content-length: 52428800\r\n", "transfer-encoding: chunked\r\n", "connection: close\r\n"}) {
    size_t sent = 0;
    RawServer server([&](Connection& connection, const std::string&) {
      connection.Send(absl::StrCat("HTTP/1.1 200 OK\r\n", framing, "\r\n"));
      const bool chunked = absl::StrContains(framing, "chunked");
      const std::string block(4096, 'x');
      while (sent < 50 * 1024 * 1024 && connection.Send(chunked ? absl::StrCat("1000\r\n", block, "\r\n") : block)) {
        sent += block.size();
      }
      connection.Close();
    });
    const absl::StatusOr<HttpResponse> response = GetFrom(server.url());
    EXPECT_THAT(response, HasReason(ErrorReason::kUpstreamMalformedResponse)) << framing;
  }
}

TEST(CurlHttpClient, StopsReadingHeadersThatNeverEnd) {
  RawServer server([](Connection& connection, const std::string&) {
    connection.Send("HTTP/1.1 200 OK\r\n");
    while (connection.Send(absl::StrCat("x-filler: ", std::string(1000, 'y'), "\r\n"))) {
    }
    connection.Close();
  });
  const absl::StatusOr<HttpResponse> response = GetFrom(server.url());
  EXPECT_THAT(response, HasReason(ErrorReason::kUpstreamMalformedResponse));
}

TEST(CurlHttpClient, DoesNotFollowARedirect) {
  RawServer elsewhere([](Connection& connection, const std::string&) { connection.Send(kOk); });
  RawServer server([&](Connection& connection, const std::string&) {
    connection.Send(absl::StrCat("HTTP/1.1 302 Found\r\nlocation: ", elsewhere.url(), "\r\ncontent-length: 0\r\n\r\n"));
  });
  const absl::StatusOr<HttpResponse> response = GetFrom(server.url());
  ASSERT_THAT(response, IsOk());
  EXPECT_EQ(response->status, 302);
  EXPECT_EQ(elsewhere.connections(), 0);
}

TEST(CurlHttpClient, TellsAResetABrokenBodyAndASilentCloseAsUnavailable) {
  const std::vector<RawServer::Behaviour> behaviours = {
      [](Connection& connection, const std::string&) { connection.Reset(); },
      [](Connection& connection, const std::string&) { connection.Close(); },
      [](Connection& connection, const std::string&) {
        connection.Send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{");
        connection.Close();
      },
  };
  for (const RawServer::Behaviour& behaviour : behaviours) {
    RawServer server(behaviour);
    const absl::StatusOr<HttpResponse> response = GetFrom(server.url());
    EXPECT_THAT(response, HasReason(ErrorReason::kUpstreamUnavailable));
  }
}

TEST(CurlHttpClient, TellsAClosedPortAsUnavailable) {
  std::string url;
  {
    url = RawServer([](Connection&, const std::string&) {}).url();
  }
  const absl::StatusOr<HttpResponse> response = GetFrom(url);
  EXPECT_THAT(response, HasReason(ErrorReason::kUpstreamUnavailable));
  EXPECT_THAT(DetailsOf(response.status()).log_detail, testing::HasSubstr("127.0.0.1"));
  EXPECT_THAT(std::string(response.status().message()), testing::Not(testing::HasSubstr("127.0.0.1")));
}

TEST(CurlHttpClient, TellsAnAnswerThatIsNotHttpAsMalformed) {
  RawServer server([](Connection& connection, const std::string&) {
    connection.Send("SSH-2.0-OpenSSH_9.2\r\n");
    connection.Close();
  });
  const absl::StatusOr<HttpResponse> response = GetFrom(server.url());
  EXPECT_THAT(response, HasReason(ErrorReason::kUpstreamMalformedResponse));
}

TEST(CurlHttpClient, IgnoresAProxyFromTheEnvironment) {
  RawServer proxy([](Connection& connection, const std::string&) { connection.Send(kOk); });
  RawServer server([](Connection& connection, const std::string&) { connection.Send(kOk); });
  setenv("http_proxy", proxy.url().c_str(), 1);
  setenv("all_proxy", proxy.url().c_str(), 1);
  EXPECT_THAT(GetFrom(server.url()), IsOk());
  unsetenv("http_proxy");
  unsetenv("all_proxy");
  EXPECT_EQ(proxy.connections(), 0);
  EXPECT_EQ(server.requests(), 1);
}

TEST(CurlHttpClient, LetsRequestsBeyondItsLimitWaitTheirTurn) {
  RawServer server([](Connection& connection, const std::string&) { connection.Send(kOk); });
  CurlEventLoop loop;
  CurlHttpClient::Options options;
  options.base_url = server.url();
  options.max_active = 4;
  CurlHttpClient client(&loop, options);
  int answers = 0;
  for (int i = 0; i < 200; ++i) {
    client.Send(Get(), [&](absl::StatusOr<HttpResponse> response) {
      EXPECT_THAT(response, IsOk());
      if (++answers == 200) loop.Stop();
    });
  }
  loop.Run();
  EXPECT_EQ(server.requests(), 200);
  EXPECT_LE(server.connections(), 4);
}

TEST(CurlHttpClient, CountsTheWaitAgainstTheTimeout) {
  RawServer server([](Connection& connection, const std::string&) { connection.WaitUntilGone(); });
  CurlEventLoop loop;
  CurlHttpClient::Options options;
  options.base_url = server.url();
  options.max_active = 1;
  CurlHttpClient client(&loop, options);
  std::vector<ErrorReason> reasons;
  for (int i = 0; i < 2; ++i) {
    client.Send(Get(absl::Milliseconds(50)), [&](absl::StatusOr<HttpResponse> response) {
      reasons.push_back(DetailsOf(response.status()).reason);
      if (reasons.size() == 2) loop.Stop();
    });
  }
  loop.Run();
  EXPECT_EQ(reasons, std::vector<ErrorReason>(2, ErrorReason::kUpstreamTimeout));
  EXPECT_EQ(server.requests(), 1);
}

TEST(CurlHttpClient, NeverTakesATimeoutForNone) {
  RawServer server([](Connection& connection, const std::string&) { connection.WaitUntilGone(); });
  for (const absl::Duration timeout : {absl::Nanoseconds(1), absl::Microseconds(999), absl::ZeroDuration()}) {
    const absl::StatusOr<HttpResponse> response = GetFrom(server.url(), timeout);
    EXPECT_THAT(response, HasReason(ErrorReason::kUpstreamTimeout)) << timeout;
  }
}

TEST(CurlHttpClient, HasAllItsSlotsBackAfterAnUpstreamThatHung) {
  std::atomic<bool> hangs = true;
  RawServer server([&hangs](Connection& connection, const std::string&) {
    hangs ? connection.WaitUntilGone() : static_cast<void>(connection.Send(kOk));
  });
  CurlEventLoop loop;
  CurlHttpClient::Options options;
  options.base_url = server.url();
  options.max_active = 4;
  CurlHttpClient client(&loop, options);
  constexpr int kRequests = 300;
  int left = kRequests;
  // Some of them leave the line with less than a millisecond left.
  for (int i = 0; i < kRequests; ++i) {
    client.Send(Get(absl::Milliseconds(40) + i * absl::Microseconds(20)), [&](absl::StatusOr<HttpResponse> response) {
      EXPECT_THAT(response, HasReason(ErrorReason::kUpstreamTimeout));
      if (--left == 0) loop.Post([&loop] { loop.Stop(); });
    });
  }
  loop.Run();
  EXPECT_EQ(client.stats().active, 0u);
  EXPECT_EQ(client.stats().waiting, 0u);
  EXPECT_EQ(client.stats().broken_off, 0u) << "libcurl has ended them all";
}

// Requests of a client whose transfers libcurl does not end.
class CurlHttpClientWatchdog : public testing::Test {
 protected:
  CurlHttpClientWatchdog() {
    CurlHttpClient::Options options;
    options.base_url = "http://127.0.0.1:1";
    options.max_active = 2;
    client_.emplace(&loop_, options);
  }

  void Send(absl::Duration timeout) {
    client_->Send(Get(timeout), [this](absl::StatusOr<HttpResponse> response) {
      EXPECT_FALSE(response.ok());
      reasons_.push_back(ReasonOf(response.status()));
    });
  }

  FakeTransferLoop loop_;
  std::optional<CurlHttpClient> client_;
  std::vector<ErrorReason> reasons_;
};

TEST_F(CurlHttpClientWatchdog, BreaksOffWhatLibcurlLeavesOpenAndFreesItsSlot) {
  const CapturedLog log;
  for (int i = 0; i < 3; ++i) Send(absl::Seconds(30));
  loop_.time().RunFor(absl::Seconds(30));
  EXPECT_THAT(reasons_, testing::IsEmpty()) << "libcurl was not given the time to do it itself";
  loop_.time().RunFor(absl::Seconds(7));

  EXPECT_EQ(reasons_, std::vector<ErrorReason>(3, ErrorReason::kUpstreamTimeout));
  EXPECT_EQ(loop_.started(), 2) << "the third had waited for too long";
  EXPECT_EQ(loop_.under_way(), 0u);
  EXPECT_EQ(client_->stats().active, 0u);
  EXPECT_EQ(client_->stats().broken_off, 2u);
  EXPECT_THAT(log.text(), testing::HasSubstr("libcurl let the timeout of 2 calls pass"));
  EXPECT_EQ(loop_.time().TimerCount(), 0u) << "it watches on, although there is nothing to watch";

  Send(absl::Seconds(30));
  EXPECT_EQ(loop_.started(), 3) << "no slot was free";
}

TEST_F(CurlHttpClientWatchdog, BeginsWhatHasWaited) {
  Send(absl::Seconds(1));
  Send(absl::Seconds(1));
  Send(absl::Seconds(30));
  loop_.time().RunFor(absl::Seconds(8));
  EXPECT_EQ(reasons_.size(), 2u);
  EXPECT_EQ(loop_.started(), 3);
  loop_.End(CURLE_COULDNT_CONNECT);
  EXPECT_EQ(reasons_.back(), ErrorReason::kUpstreamUnavailable);
}

TEST_F(CurlHttpClientWatchdog, LeavesWhatEndsInTimeAlone) {
  for (int i = 0; i < 100; ++i) {
    Send(absl::Seconds(5));
    loop_.time().RunFor(absl::Milliseconds(4999));
    loop_.End(CURLE_COULDNT_CONNECT);
  }
  EXPECT_EQ(reasons_, std::vector<ErrorReason>(100, ErrorReason::kUpstreamUnavailable));
  EXPECT_EQ(client_->stats().broken_off, 0u);
}

TEST_F(CurlHttpClientWatchdog, LogsOnceAMinuteAtMost) {
  const CapturedLog log;
  for (int i = 0; i < 40; ++i) {
    Send(absl::Seconds(1));
    loop_.time().RunFor(absl::Seconds(10));
  }
  EXPECT_EQ(client_->stats().broken_off, 40u);
  const std::string text = log.text();
  const auto lines = std::count(text.begin(), text.end(), '\n');
  EXPECT_GE(lines, 5) << text;
  EXPECT_LE(lines, 7) << text;
}

TEST_F(CurlHttpClientWatchdog, LeavesNothingBehindWhenItsClientIsDestroyed) {
  Send(absl::Seconds(1));
  loop_.time().RunFor(absl::Seconds(3));
  client_.reset();
  EXPECT_EQ(loop_.under_way(), 0u);
  EXPECT_EQ(loop_.time().TimerCount(), 0u);
  loop_.time().RunFor(absl::Minutes(1));
  EXPECT_THAT(reasons_, testing::IsEmpty());
}

TEST(CurlHttpClient, SendsNothingIfLibcurlRefusesAnOption) {
  RawServer server([](Connection& connection, const std::string&) { connection.Send(kOk); });
  const CapturedLog log;
  CurlEventLoop loop;
  CurlHttpClient::Options options;
  options.base_url = server.url();
  options.protocols = "http,carrier-pigeon";
  CurlHttpClient client(&loop, options);
  int answers = 0;
  for (int i = 0; i < 2; ++i) {
    client.Send(Get(), [&](const absl::StatusOr<HttpResponse>& response) {
      EXPECT_THAT(response, StatusIs(absl::StatusCode::kInternal, testing::HasSubstr("PROTOCOLS_STR")));
      if (++answers == 2) loop.Stop();
    });
  }
  EXPECT_EQ(answers, 0) << "called back before Send returned";
  loop.Run();
  EXPECT_EQ(server.connections(), 0);
  const std::string logged = log.text();
  EXPECT_THAT(logged, testing::HasSubstr("PROTOCOLS_STR"));
  EXPECT_EQ(std::count(logged.begin(), logged.end(), '\n'), 1) << logged;
}

TEST(CurlHttpClient, BreaksOffItsTransfersWhenDestroyed) {
  RawServer server([](Connection& connection, const std::string&) { connection.WaitUntilGone(); });
  CurlEventLoop loop;
  bool called = false;
  auto client = std::make_unique<CurlHttpClient>(&loop, CurlHttpClient::Options{{server.url(), "", 64 * 1024}});
  client->Send(Get(), [&called](absl::StatusOr<HttpResponse>) { called = true; });
  loop.Post([&] {
    client.reset();
    loop.Post([&loop] { loop.Stop(); });
  });
  loop.Run();
  EXPECT_FALSE(called);
}

}  // namespace
}  // namespace taskwatch
