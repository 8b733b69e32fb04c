#include "service/http/curl_event_loop.h"

#include <curl/curl.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"

#include "tests/fakes/raw_server.h"
#include "tests/patience/patience.h"

namespace taskwatch {
namespace {

TEST(CurlEventLoop, RunsWhatOtherThreadsPostInEachThreadsOrder) {
  constexpr int kThreads = 4;
  constexpr int kPosts = 2000;
  CurlEventLoop loop;
  std::vector<std::vector<int>> seen(kThreads);
  int left = kThreads * kPosts;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kPosts; ++i) {
        loop.Post([&, t, i] {
          seen[t].push_back(i);
          if (--left == 0) loop.Stop();
        });
      }
    });
  }
  loop.Run();
  for (std::thread& thread : threads) thread.join();
  for (const std::vector<int>& one : seen) {
    ASSERT_EQ(one.size(), static_cast<size_t>(kPosts));
    EXPECT_TRUE(std::is_sorted(one.begin(), one.end()));
  }
}

TEST(CurlEventLoop, WakesFromASleepWithoutTimersForAPost) {
  CurlEventLoop loop;
  absl::Notification ran;
  std::thread thread([&loop] { loop.Run(); });
  for (int i = 0; i < 100; ++i) {
    absl::Notification once;
    loop.Post([&once] { once.Notify(); });
    Await(once, "the loop to run what was posted");
  }
  loop.Stop();
  thread.join();
}

TEST(CurlEventLoop, RunsTimersInTheOrderInWhichTheyAreDue) {
  CurlEventLoop loop;
  std::string order;
  loop.RunAfter(absl::Milliseconds(3), [&] { order += "c"; });
  loop.RunAfter(absl::Milliseconds(1), [&] { order += "a"; });
  loop.RunAfter(absl::Milliseconds(1), [&] { order += "b"; });
  const EventLoop::TimerId cancelled = loop.RunAfter(absl::Milliseconds(2), [&] { order += "x"; });
  loop.RunAfter(absl::Milliseconds(4), [&] { loop.Stop(); });
  EXPECT_TRUE(loop.CancelTimer(cancelled));
  EXPECT_FALSE(loop.CancelTimer(cancelled));
  loop.Run();
  EXPECT_EQ(order, "abc");
}

TEST(CurlEventLoop, LetsTimersRunBetweenPostsThatPostThemselves) {
  CurlEventLoop loop;
  int rounds = 0;
  std::function<void()> again = [&] {
    ++rounds;
    loop.Post(again);
  };
  loop.Post(again);
  loop.RunAfter(absl::ZeroDuration(), [&] { loop.Stop(); });
  loop.Run();
  EXPECT_GE(rounds, 1);
}

TEST(CurlEventLoop, DestroysWhatIsOutstandingWithoutRunningIt) {
  bool ran = false;
  const auto owned = std::make_shared<int>(0);
  RawServer server([](RawServer::Connection& connection, const std::string&) { connection.WaitUntilGone(); });
  const std::unique_ptr<CURL, void (*)(CURL*)> easy(curl_easy_init(), curl_easy_cleanup);
  curl_easy_setopt(easy.get(), CURLOPT_URL, server.url().c_str());
  {
    CurlEventLoop loop;
    loop.RunAfter(absl::Hours(1), [&ran, owned] { ran = true; });
    loop.StartTransfer(easy.get(), [&ran, owned](CURLcode) { ran = true; });
    loop.Post([&loop, &ran, owned] {
      loop.Stop();
      loop.Post([&ran, owned] { ran = true; });
    });
    loop.Run();
    EXPECT_GT(owned.use_count(), 1);
  }
  EXPECT_FALSE(ran);
  EXPECT_EQ(owned.use_count(), 1);
}

TEST(CurlEventLoop, StoppedBeforeItRunsDoesNotRun) {
  CurlEventLoop loop;
  bool ran = false;
  loop.Post([&ran] { ran = true; });
  loop.Stop();
  loop.Run();
  EXPECT_FALSE(ran);
}

}  // namespace
}  // namespace taskwatch
