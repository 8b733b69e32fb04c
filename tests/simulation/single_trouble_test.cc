// A minute of one trouble, with 1,000 callers who get and watch 1,000 tasks and never stop: what it costs, who loses
// his watch, and when all is as before. Each test prints its row.
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdint>
#include <iostream>
#include <memory>
#include <optional>
#include <ostream>
#include <string>

#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"

#include "service/runtime/simulated_loop.h"
#include "service/task/task_error.h"
#include "tests/dingtalk_standin/api.h"
#include "tests/dingtalk_standin/fault.h"
#include "tests/dingtalk_standin/task_plan.h"
#include "tests/simulation/crowd.h"
#include "tests/simulation/journal.h"
#include "tests/simulation/random.h"
#include "tests/simulation/simulated_dingtalk.h"
#include "tests/simulation/simulated_disk.h"
#include "tests/simulation/simulated_server.h"

namespace taskwatch::simulation {
namespace {

constexpr size_t kCallers = 1000;
constexpr int64_t kMostCallsBeyondOneCallers = 100;
// Until every caller has an answer: 1,000 calls at 18 a second take 56 s.
constexpr absl::Duration kWarmUp = absl::Seconds(90);
constexpr absl::Duration kTrouble = absl::Minutes(1);
// All is as before when so much of the usual number of gets is answered, for so long.
constexpr double kAsBefore = 0.9;
constexpr absl::Duration kObserved = absl::Seconds(5);
// From the first call after the trouble on, or from its end if DingTalk has asked for no longer pause.
constexpr absl::Duration kMostRecovery = absl::Seconds(5);
constexpr absl::Duration kMostPause = absl::Minutes(1);

// How far from the beginning the month ends in China: two minutes after the trouble.
constexpr absl::Duration kRestOfMonth = absl::Seconds(90 + 60 + 120);

enum class Watches { kGoOn, kEnd };

struct Trouble {
  // A fault of the stand-in's, or one of those that Begin knows.
  absl::string_view name;
  Watches watches;
  // With which reason callers are told of it.
  ErrorReason reason;
  // How long DingTalk wants to be left alone after the trouble at most, if it does.
  absl::Duration asked_pause = absl::ZeroDuration();
};

void PrintTo(const Trouble& trouble, std::ostream* os) { *os << trouble.name; }

constexpr ErrorReason kUnavailable = ErrorReason::kUpstreamUnavailable;
constexpr ErrorReason kTimedOut = ErrorReason::kUpstreamTimeout;
constexpr ErrorReason kMalformed = ErrorReason::kUpstreamMalformedResponse;

constexpr Trouble kTroubles[] = {
    {"system_error", Watches::kGoOn, ErrorReason::kUpstreamSystemError},
    {"unknown_error", Watches::kGoOn, ErrorReason::kUpstreamUnknownError},
    {"operation_timeout", Watches::kGoOn, kTimedOut},
    {"system_busy", Watches::kGoOn, kUnavailable},
    {"html_502", Watches::kGoOn, kUnavailable},
    {"redirect", Watches::kGoOn, kUnavailable},
    {"hang", Watches::kGoOn, kTimedOut},
    {"drip", Watches::kGoOn, kTimedOut},
    {"close", Watches::kGoOn, kUnavailable},
    {"reset", Watches::kGoOn, kUnavailable},
    {"unreachable", Watches::kGoOn, kUnavailable},
    {"untrusted", Watches::kGoOn, ErrorReason::kUpstreamUntrusted},
    {"huge", Watches::kGoOn, kMalformed},
    {"malformed_null", Watches::kGoOn, kMalformed},
    {"malformed_array", Watches::kGoOn, kMalformed},
    {"malformed_empty", Watches::kGoOn, kMalformed},
    {"malformed_result", Watches::kGoOn, kMalformed},
    {"malformed_truncated", Watches::kGoOn, kMalformed},
    {"malformed_other_task", Watches::kGoOn, kMalformed},
    {"qps_limit", Watches::kGoOn, ErrorReason::kUpstreamRateLimited},
    {"qpm_limit", Watches::kGoOn, ErrorReason::kUpstreamRateLimited, absl::Minutes(1)},
    {"ip_ban_html", Watches::kGoOn, ErrorReason::kUpstreamIpBanned, absl::Minutes(5)},
    {"punish", Watches::kGoOn, ErrorReason::kUpstreamIpBanned, absl::Minutes(5)},
    {"monthly_limit", Watches::kGoOn, ErrorReason::kMonthlyQuotaExhausted, absl::Minutes(3)},
    {"permission_denied", Watches::kEnd, ErrorReason::kUpstreamPermissionDenied},
    {"ip_not_in_white_list", Watches::kEnd, ErrorReason::kUpstreamPermissionDenied},
    {"invalid_token", Watches::kEnd, ErrorReason::kUpstreamUnauthenticated},
    {"wrong_secret", Watches::kEnd, ErrorReason::kUpstreamUnauthenticated},
};

absl::Time MonthBoundary() { return absl::FromCivil(absl::CivilMonth(2027, 2), absl::FixedTimeZone(8 * 60 * 60)); }

// A service, its DingTalk and a crowd.
class Scene {
 public:
  explicit Scene(size_t callers) {
    standin::TaskPlan plan;
    plan.running = absl::Hours(10);
    for (size_t i = 0; i < callers; ++i) dingtalk_.StartTask(Crowd::TaskId(i), plan);
    crowd_.emplace(&loop_, &server_, callers);
    loop_.RunFor(kWarmUp);
  }

  void Begin(absl::string_view trouble) {
    crowd_->Forget();
    if (trouble == "unreachable") {
      network_.unreachable = 1;
    } else if (trouble == "untrusted") {
      network_.untrusted = true;
    } else if (trouble == "wrong_secret") {
      standin::Fault fault;
      fault.api = standin::Api::kAccessToken;
      fault.count = standin::Fault::kUntilCleared;
      fault.http_status = 400;
      fault.code = "invalidClientIdOrSecret";
      dingtalk_.model().InjectFault(fault);
      dingtalk_.model().ExpireTokens();
    } else {
      dingtalk_.InjectFault(trouble, standin::Fault::kUntilCleared, standin::Api::kTaskInfo, std::nullopt);
    }
  }

  void End() {
    crowd_->Forget();
    network_ = NetworkMood();
    dingtalk_.ClearFaults();
  }

  SimulatedLoop& loop() { return loop_; }
  const Crowd::Heard& heard() const { return crowd_->heard(); }
  int64_t calls() const { return static_cast<int64_t>(server_.http().sent()); }
  const Journal& journal() const { return journal_; }

 private:
  static SimulatedDingTalk::Options DingTalk() {
    SimulatedDingTalk::Options options;
    options.model.monthly_calls = 0;
    return options;
  }
  static SimulatedServer::Options Server() {
    SimulatedServer::Options options;
    options.token.app_key = DingTalk().model.app_key;
    options.token.app_secret = DingTalk().model.app_secret;
    options.queue.budget.monthly_calls = 0;
    return options;
  }

  SimulatedLoop loop_{MonthBoundary() - kRestOfMonth};
  Journal journal_{&loop_, /*tracing=*/false};
  SimulatedDingTalk dingtalk_{&loop_, &journal_, DingTalk()};
  NetworkMood network_;
  DiskMood disks_;
  SimulatedServer server_{&loop_,  &dingtalk_, &journal_, &network_, std::make_shared<SimulatedDisk>(),
                          &disks_, Random(1),  Server()};
  std::optional<Crowd> crowd_;
};

// Answers a second, in the seconds of [from, to).
double AnswerRate(const Crowd::Heard& heard, absl::Time from, absl::Time to) {
  int answers = 0;
  const auto end = heard.answers.lower_bound(absl::ToUnixSeconds(to));
  for (auto second = heard.answers.lower_bound(absl::ToUnixSeconds(from)); second != end; ++second) {
    answers += second->second;
  }
  return answers / absl::ToDoubleSeconds(to - from);
}

int64_t CallsOfOneCaller(absl::string_view trouble) {
  Scene scene(1);
  const int64_t before = scene.calls();
  scene.Begin(trouble);
  scene.loop().RunFor(kTrouble);
  return scene.calls() - before;
}

class SingleTrouble : public testing::TestWithParam<Trouble> {};

TEST_P(SingleTrouble, CostsAThousandCallersHardlyMoreThanOne) {
  const Trouble& trouble = GetParam();
  Scene scene(kCallers);
  SimulatedLoop& loop = scene.loop();
  const double usual_rate = AnswerRate(scene.heard(), loop.Now() - absl::Seconds(30), loop.Now());
  ASSERT_GT(usual_rate, 10);

  const int64_t calls_before = scene.calls();
  scene.Begin(trouble.name);
  loop.RunFor(kTrouble);
  const int64_t calls = scene.calls() - calls_before;
  const Crowd::Heard heard = scene.heard();
  const int64_t calls_of_one = CallsOfOneCaller(trouble.name);

  scene.End();
  const absl::Time end = loop.Now();
  const int64_t calls_at_end = scene.calls();
  const absl::Time latest_probe = end + std::max(kMostPause, trouble.asked_pause);
  while (scene.calls() == calls_at_end && loop.Now() < latest_probe + absl::Seconds(1)) {
    loop.RunFor(absl::Milliseconds(100));
  }
  const absl::Time probe = loop.Now();
  // In whole seconds, by which answers are counted.
  const absl::Time as_before = absl::FromUnixSeconds(absl::ToUnixSeconds(probe + kMostRecovery)) + absl::Seconds(1);
  loop.RunFor(as_before + kObserved - loop.Now());
  const double rate = AnswerRate(scene.heard(), as_before, as_before + kObserved);

  int lost = 0;
  for (const auto& [reason, count] : heard.watches_lost) lost += count;
  std::cout << absl::StrFormat(
      "%-22s %4d calls, one caller's %3d; %5d watches ended; next call after %5.1f s; 5 s later %4.1f answers/s, "
      "before %4.1f\n",
      trouble.name, calls, calls_of_one, lost, absl::ToDoubleSeconds(probe - end), rate, usual_rate);

  EXPECT_LE(calls - calls_of_one, kMostCallsBeyondOneCallers);
  EXPECT_EQ(heard.failures.count(trouble.reason), 1u) << "nobody was told";
  if (trouble.watches == Watches::kGoOn) {
    EXPECT_EQ(lost, 0);
  } else {
    const auto ended = heard.watches_lost.find(trouble.reason);
    ASSERT_NE(ended, heard.watches_lost.end());
    EXPECT_EQ(ended->second, lost) << "some watches ended for another reason";
    EXPECT_GE(lost, static_cast<int>(kCallers)) << "not all watches ended";
  }
  EXPECT_LE(probe, latest_probe);
  EXPECT_GE(rate, kAsBefore * usual_rate);
  const auto told = scene.heard().failures.find(trouble.reason);
  const bool rate_is_usual = trouble.reason == ErrorReason::kUpstreamRateLimited;
  if (told != scene.heard().failures.end() && !rate_is_usual) {
    EXPECT_LE(told->second, as_before) << "callers are still told of what is over";
  }
  EXPECT_TRUE(scene.journal().broken().empty()) << scene.journal().broken()[0];
}

INSTANTIATE_TEST_SUITE_P(Minutes, SingleTrouble, testing::ValuesIn(kTroubles),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace taskwatch::simulation

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  spdlog::set_level(spdlog::level::off);
  return RUN_ALL_TESTS();
}
