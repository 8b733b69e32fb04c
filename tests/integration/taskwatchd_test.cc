// taskwatchd as a process: what it says at its start, what it refuses, and how it ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

#include "tests/dingtalk_standin/dingtalk_model.h"
#include "tests/dingtalk_standin/dingtalk_server.h"
#include "tests/fakes/raw_grpc_client.h"
#include "tests/fakes/secret_path.h"
#include "tests/integration/calls.h"
#include "tests/integration/child_process.h"
#include "tests/integration/scripted_gateway.h"
#include "tests/integration/taskwatchd_process.h"
#include "tests/patience/patience.h"

namespace taskwatch {
namespace {

using testing::HasSubstr;

constexpr char kStreamHolder[] = "tests/integration/stream_holder";

TEST(Taskwatchd, SaysAtItsStartWhereItListensAndWhichUpstreamItUses) {
  ScriptedGateway gateway;
  Taskwatchd taskwatchd(gateway.url());
  EXPECT_THAT(taskwatchd.start_line(), testing::MatchesRegex(absl::StrCat(".* info listening on 127\\.0\\.0\\.1:[1-9]"
                                                                          "[0-9]*, upstream ",
                                                                          gateway.url())));
  EXPECT_THAT(Get(taskwatchd.stub(), "abcd").status, IsOkCall());
  EXPECT_EQ(taskwatchd.process().standard_output(), "");
}

TEST(Taskwatchd, ReadsItsFlagsFromAFile) {
  ScriptedGateway gateway;
  SecretPath file;
  file.Write(absl::StrCat("--listen=127.0.0.1:0\n--state_file=:memory:\n--dingtalk_base_url=", gateway.url(), "\n"));
  ChildProcess process({kTaskwatchd, absl::StrCat("--flagfile=", file.path())}, {{"DINGTALK_ACCESS_TOKEN", kToken}});
  EXPECT_THAT(process.AwaitLine("listening on "), HasSubstr(gateway.url()));
}

TEST(Taskwatchd, TellsItsLogAndNotItsCallersWhatToLookAt) {
  standin::DingTalkServer::Options options;
  options.model.static_tokens = {kToken};
  const std::unique_ptr<standin::DingTalkServer> gateway = *standin::DingTalkServer::Start(options);
  SecretPath secret;
  secret.Write("not-the-right-one");
  struct {
    std::string url;
    Flags flags;
    std::string reason;
    std::string logged;
  } const rows[] = {
      {gateway->base_url(),
       {absl::StrCat("--access_token_file=", secret.path())},
       "UPSTREAM_UNAUTHENTICATED",
       secret.path()},
      {gateway->base_url(),
       {absl::StrCat("--app_key=", options.model.app_key), absl::StrCat("--app_secret_file=", secret.path())},
       "UPSTREAM_UNAUTHENTICATED",
       "check --app_key and --app_secret_file"},
      {"http://127.0.0.1:1",
       {absl::StrCat("--access_token_file=", secret.path())},
       "UPSTREAM_UNAVAILABLE",
       "127.0.0.1 port 1"},
  };
  for (const auto& row : rows) {
    Taskwatchd taskwatchd(row.url, row.flags, {});
    const CallError error = ErrorIn(Get(taskwatchd.stub(), "abcd").status);
    EXPECT_EQ(error.reason, row.reason) << error;
    EXPECT_THAT(error.message, testing::Not(testing::AnyOf(HasSubstr("--"), HasSubstr("/"), HasSubstr("127.0.0.1"))));
    EXPECT_THAT(taskwatchd.process().AwaitLine(absl::StrCat("upstream: ", row.reason)), HasSubstr(row.logged));
  }
}

class EndingSignal : public testing::TestWithParam<int> {};

TEST_P(EndingSignal, EndsAnIdleServerWithZero) {
  ScriptedGateway gateway;
  Taskwatchd taskwatchd(gateway.url());
  taskwatchd.process().Signal(GetParam());
  EXPECT_EQ(taskwatchd.process().AwaitExit(), 0);
  EXPECT_THAT(taskwatchd.process().standard_error(), HasSubstr("stopped"));
}

TEST_P(EndingSignal, EndsAServerWithOpenStreamsWithZeroAfterTellingThem) {
  ScriptedGateway gateway;
  Taskwatchd taskwatchd(gateway.url(), {"--drain_timeout=3m"});
  std::vector<std::unique_ptr<WatchStream>> streams;
  for (int i = 0; i < 200; ++i) streams.push_back(std::make_unique<WatchStream>(taskwatchd.stub(), "abcd"));
  for (const auto& stream : streams) ASSERT_TRUE(stream->AwaitMessages(1));
  taskwatchd.process().Signal(GetParam());
  for (const auto& stream : streams) {
    const CallError error = ErrorIn(stream->AwaitEnd());
    EXPECT_EQ(error.reason, "SERVER_DRAINING") << error;
    EXPECT_TRUE(error.retry_after.has_value());
  }
  EXPECT_EQ(taskwatchd.process().AwaitExit(), 0);
}

TEST_P(EndingSignal, EndsAServerUnderLoadWithZero) {
  ScriptedGateway gateway;
  Taskwatchd taskwatchd(gateway.url(), {"--min_poll_interval=1ms", "--drain_timeout=3m"});
  std::atomic<bool> over{false};
  std::atomic<int> answered{0};
  std::vector<std::thread> load;
  for (int i = 0; i < 4; ++i) {
    load.emplace_back([&, i] {
      GetRequest::Options fresh;
      fresh.max_staleness = absl::ZeroDuration();
      WatchStream::Options polling;
      polling.poll_interval = absl::Milliseconds(1);
      while (!over) {
        WatchStream watch(taskwatchd.stub(), absl::StrCat("task", i), polling);
        if (Get(taskwatchd.stub(), absl::StrCat("task", i), fresh).status.ok()) ++answered;
      }
    });
  }
  gateway.AwaitCalls(100);
  taskwatchd.process().Signal(GetParam());
  EXPECT_EQ(taskwatchd.process().AwaitExit(), 0);
  over = true;
  for (std::thread& thread : load) thread.join();
  EXPECT_GT(answered, 0);
}

INSTANTIATE_TEST_SUITE_P(Taskwatchd, EndingSignal, testing::Values(SIGTERM, SIGINT),
                         [](const auto& signal) { return signal.param == SIGTERM ? "SIGTERM" : "SIGINT"; });

TEST(Taskwatchd, IsEndedByASecondInterruptWithoutWaiting) {
  ScriptedGateway gateway;
  gateway.Hold();
  Taskwatchd taskwatchd(gateway.url(), {"--drain_timeout=1h", "--upstream_timeout=1h"});
  GetRequest get(taskwatchd.stub(), "abcd");
  gateway.AwaitCalls(1);
  taskwatchd.process().Signal(SIGINT);
  taskwatchd.process().AwaitLine("draining");
  // The line comes just before the signal is let through.
  taskwatchd.process().Signal(SIGINT);
  EXPECT_EQ(taskwatchd.process().AwaitExit(), -SIGINT);
}

struct WrongStart {
  const char* name;
  Flags flags;
  ChildProcess::Environment environment;
  // What the one line must name.
  const char* names;
};

class WrongFlags : public testing::TestWithParam<WrongStart> {};

TEST_P(WrongFlags, AreNamedInOneLineWithExitCodeTwo) {
  ChildProcess process(WithProgram(GetParam().flags), GetParam().environment);
  ASSERT_EQ(process.AwaitLine("listening on"), "") << "nothing is wrong with that";
  EXPECT_EQ(process.AwaitExit(), 2);
  EXPECT_EQ(process.standard_output(), "");
  const std::string error = process.standard_error();
  EXPECT_THAT(error, HasSubstr(GetParam().names));
  EXPECT_THAT(error, testing::StartsWith("ERROR: "));
  EXPECT_EQ(std::count(error.begin(), error.end(), '\n'), 1) << error;
  EXPECT_THAT(error, testing::EndsWith("\n"));
}

const ChildProcess::Environment kWithToken = {{"DINGTALK_ACCESS_TOKEN", kToken}};

INSTANTIATE_TEST_SUITE_P(
    Taskwatchd, WrongFlags,
    testing::Values(
        WrongStart{"unknown_flag", {"--nosuchflag=1"}, kWithToken, "nosuchflag"},
        WrongStart{"positional_argument", {"127.0.0.1:50051"}, kWithToken, "'127.0.0.1:50051' is not a flag"},
        WrongStart{"bad_duration", {"--upstream_timeout=5x"}, kWithToken, "upstream_timeout"},
        WrongStart{"duration_without_unit", {"--drain_timeout=10"}, kWithToken, "drain_timeout"},
        WrongStart{"zero_duration", {"--upstream_timeout=0s"}, kWithToken, "--upstream_timeout"},
        WrongStart{"timeout_below_a_millisecond", {"--upstream_timeout=500us"}, kWithToken, "--upstream_timeout"},
        WrongStart{"negative_duration", {"--drain_timeout=-1s"}, kWithToken, "--drain_timeout"},
        WrongStart{"infinite_duration", {"--max_stream_age=inf"}, kWithToken, "--max_stream_age"},
        WrongStart{"negative_staleness", {"--default_max_staleness=-1s"}, kWithToken, "--default_max_staleness"},
        WrongStart{"short_heartbeat", {"--heartbeat_interval=1s"}, kWithToken, "--heartbeat_interval"},
        WrongStart{"long_heartbeat", {"--heartbeat_interval=61s"}, kWithToken, "--heartbeat_interval"},
        WrongStart{"no_heartbeat_bound", {"--min_heartbeat_interval=0s"}, kWithToken, "--min_heartbeat_interval"},
        WrongStart{"long_heartbeat_bound", {"--min_heartbeat_interval=61s"}, kWithToken, "--min_heartbeat_interval"},
        WrongStart{"poll_intervals_crossed",
                   {"--min_poll_interval=10s", "--max_poll_interval=5s"},
                   kWithToken,
                   "--min_poll_interval"},
        WrongStart{"negative_number", {"--max_watchers=-1"}, kWithToken, "max_watchers"},
        WrongStart{"no_watchers", {"--max_watchers=0"}, kWithToken, "--max_watchers"},
        WrongStart{"no_calls", {"--max_open_calls=0"}, kWithToken, "--max_open_calls"},
        WrongStart{"no_cache", {"--cache_tasks=0"}, kWithToken, "--cache_tasks"},
        WrongStart{"missing_flagfile", {"--flagfile=/nonexistent/flags"}, kWithToken, "/nonexistent/flags"},
        WrongStart{
            "unencrypted_to_a_host", {"--dingtalk_base_url=http://api.dingtalk.io"}, kWithToken, "--dingtalk_base_url"},
        WrongStart{"unencrypted_to_what_looks_like_loopback",
                   {"--dingtalk_base_url=http://127.0.0.1.example.com"},
                   kWithToken,
                   "--dingtalk_base_url"},
        WrongStart{"unencrypted_to_what_begins_like_loopback",
                   {"--dingtalk_base_url=http://127.example.com"},
                   kWithToken,
                   "--dingtalk_base_url"},
        WrongStart{"other_scheme", {"--dingtalk_base_url=ftp://127.0.0.1"}, kWithToken, "--dingtalk_base_url"},
        WrongStart{"no_url", {"--dingtalk_base_url=:::"}, kWithToken, "--dingtalk_base_url"},
        WrongStart{"empty_url", {"--dingtalk_base_url="}, kWithToken, "--dingtalk_base_url"},
        WrongStart{"url_with_password",
                   {"--dingtalk_base_url=https://u:p@api.dingtalk.io"},
                   kWithToken,
                   "--dingtalk_base_url"},
        WrongStart{
            "url_with_query", {"--dingtalk_base_url=https://api.dingtalk.io/?a=b"}, kWithToken, "--dingtalk_base_url"},
        WrongStart{"missing_ca_file", {"--dingtalk_ca_file=/nonexistent/ca"}, kWithToken, "--dingtalk_ca_file"},
        WrongStart{"no_credentials", {}, {}, "--access_token_file"},
        WrongStart{"both_kinds_of_credentials",
                   {"--access_token_file=/dev/null", "--app_key=k", "--app_secret_file=/dev/null"},
                   {},
                   "--access_token_file"},
        WrongStart{"both_kinds_in_the_environment",
                   {},
                   {{"DINGTALK_ACCESS_TOKEN", "t"}, {"DINGTALK_APP_KEY", "k"}, {"DINGTALK_APP_SECRET", "s"}},
                   "--access_token_file"},
        WrongStart{"key_without_secret", {"--app_key=k"}, {}, "--app_secret_file"},
        WrongStart{"secret_without_key", {}, {{"DINGTALK_APP_SECRET", "s"}}, "--app_key"},
        WrongStart{"corp_id_without_key", {"--corp_id=c"}, kWithToken, "--corp_id"},
        WrongStart{
            "corp_id_with_a_slash", {"--app_key=k", "--corp_id=a/b"}, {{"DINGTALK_APP_SECRET", "s"}}, "--corp_id"},
        WrongStart{"missing_token_file", {"--access_token_file=/nonexistent/token"}, {}, "--access_token_file"},
        WrongStart{"token_file_is_a_folder", {"--access_token_file=/tmp"}, {}, "--access_token_file"},
        WrongStart{"missing_secret_file", {"--app_key=k", "--app_secret_file=/nonexistent/s"}, {}, "--app_secret_file"},
        WrongStart{"secret_file_is_a_folder", {"--app_key=k", "--app_secret_file=/tmp"}, {}, "--app_secret_file"},
        WrongStart{"token_with_a_line_break", {}, {{"DINGTALK_ACCESS_TOKEN", "to\nken"}}, "DINGTALK_ACCESS_TOKEN"},
        WrongStart{
            "secret_with_a_line_break", {"--app_key=k"}, {{"DINGTALK_APP_SECRET", "se\ncret"}}, "DINGTALK_APP_SECRET"},
        WrongStart{"app_key_with_a_space", {"--app_key=a b"}, {{"DINGTALK_APP_SECRET", "s"}}, "--app_key"},
        WrongStart{"no_address", {"--listen="}, kWithToken, "--listen"},
        WrongStart{"address_without_a_port", {"--listen=127.0.0.1"}, kWithToken, "--listen"},
        WrongStart{"address_with_a_wrong_port", {"--listen=127.0.0.1:65536"}, kWithToken, "--listen"},
        WrongStart{"ipv6_address_without_a_port", {"--listen=::1"}, kWithToken, "--listen"},
        WrongStart{"address_of_another_machine", {"--listen=192.0.2.1:50051"}, kWithToken, "--listen"},
        WrongStart{"address_of_nobody", {"--listen=no such host:1"}, kWithToken, "--listen"}),
    [](const auto& row) { return row.param.name; });

TEST(Taskwatchd, NamesAPortThatIsInUseInOneLineWithExitCodeTwo) {
  ScriptedGateway gateway;
  Taskwatchd first(gateway.url());
  ChildProcess second({kTaskwatchd, absl::StrCat("--listen=", first.address())}, kWithToken);
  EXPECT_EQ(second.AwaitExit(), 2);
  const std::string error = second.standard_error();
  EXPECT_THAT(error, testing::StartsWith(absl::StrCat("ERROR: --listen: cannot listen on '", first.address(), "'")));
  EXPECT_EQ(std::count(error.begin(), error.end(), '\n'), 1) << error;
}

TEST(Taskwatchd, ExplainsItselfWhenAskedForHelp) {
  ChildProcess process({kTaskwatchd, "--help"});
  EXPECT_EQ(process.AwaitExit(), 0);
  EXPECT_THAT(process.standard_output(), HasSubstr("--dingtalk_base_url"));
  EXPECT_EQ(process.standard_error(), "");
}

TEST(Taskwatchd, OutlivesClientsThatAreKilled) {
  constexpr int kHolders = 3;
  constexpr int kStreamsEach = 100;
  ScriptedGateway gateway;
  // Room for exactly those that are there: a place that a dead client kept would be missed.
  Taskwatchd taskwatchd(gateway.url(), {absl::StrCat("--max_watchers=", kHolders * kStreamsEach + 1)});
  WatchStream steady(taskwatchd.stub(), "abcd");
  ASSERT_TRUE(steady.AwaitMessages(1));
  std::vector<std::unique_ptr<ChildProcess>> holders;
  for (int i = 0; i < kHolders; ++i) {
    holders.push_back(std::make_unique<ChildProcess>(
        std::vector<std::string>{kStreamHolder, taskwatchd.address(), "abcd", absl::StrCat(kStreamsEach)}));
  }
  for (const auto& holder : holders) ASSERT_EQ(holder->AwaitLine("holding"), "holding");
  ASSERT_EQ(ErrorIn(WatchStream(taskwatchd.stub(), "abcd").AwaitEnd()).reason, "TOO_MANY_WATCHERS");

  for (const auto& holder : holders) holder->Signal(SIGKILL);
  for (const auto& holder : holders) EXPECT_EQ(holder->AwaitExit(), -SIGKILL);

  // The server notices sooner or later; then all places are free again.
  std::vector<std::unique_ptr<WatchStream>> newcomers;
  const absl::Time end = absl::Now() + Patience();
  while (newcomers.size() < kHolders * kStreamsEach) {
    ASSERT_LT(absl::Now(), end) << newcomers.size() << " places have become free";
    auto newcomer = std::make_unique<WatchStream>(taskwatchd.stub(), "abcd");
    if (newcomer->AwaitMessages(1)) {
      newcomers.push_back(std::move(newcomer));
    } else {
      ASSERT_EQ(ErrorIn(newcomer->AwaitEnd()).reason, "TOO_MANY_WATCHERS");
    }
  }
  gateway.Finish();
  EXPECT_THAT(steady.AwaitEnd(), IsOkCall());
  for (const auto& newcomer : newcomers) EXPECT_THAT(newcomer->AwaitEnd(), IsOkCall());
  taskwatchd.process().Signal(SIGTERM);
  EXPECT_EQ(taskwatchd.process().AwaitExit(), 0);
}

TEST(Taskwatchd, HasNoThreadForAStreamOfReflection) {
  constexpr size_t kStreams = 500;
  constexpr size_t kPlaces = 100;
  ScriptedGateway gateway;
  Taskwatchd taskwatchd(gateway.url());
  ASSERT_THAT(Get(taskwatchd.stub(), "abcd").status, IsOkCall());
  const int before = taskwatchd.process().Threads();

  RawGrpcClient client(taskwatchd.address());
  for (size_t i = 0; i < kStreams; ++i) {
    client.CallWithoutRequest("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo");
  }
  client.AwaitEnds(kStreams - kPlaces);

  EXPECT_EQ(client.EndedWith("TOO_MANY_CALLS"), kStreams - kPlaces);
  std::printf("%d threads before, %d with %zu streams open\n", before, taskwatchd.process().Threads(),
              kStreams - client.ended());
  EXPECT_LE(taskwatchd.process().Threads(), before);
}

}  // namespace
}  // namespace taskwatch
