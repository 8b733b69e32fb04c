#include "tests/simulation/troubles.h"

#include <algorithm>
#include <optional>

#include "absl/strings/string_view.h"

#include "tests/dingtalk_standin/api.h"
#include "tests/dingtalk_standin/fault.h"
#include "tests/simulation/journal.h"

namespace taskwatch::simulation {
namespace {

// Names of the stand-in's faults, by what they mean for who asks.
constexpr absl::string_view kPassingFaults[] = {
    "system_error",
    "unknown_error",
    "operation_timeout",
    "system_busy",
    "qps_limit",
    "html_502",
    "malformed_null",
    "malformed_array",
    "malformed_empty",
    "malformed_result",
    "redirect",
    "hang",
    "drip",
    "malformed_truncated",
    "malformed_other_task",
    "close",
    "reset",
    "huge",
    "invalid_token",
    "stale",
    "shrink",
    "slow",
};
constexpr absl::string_view kPausingFaults[] = {"qpm_limit", "ip_ban_html", "punish", "monthly_limit"};
constexpr absl::string_view kLastingFaults[] = {"param_error", "permission_denied", "ip_not_in_white_list"};

// Near the month's end a clock that is wrong by more makes the end of the month a matter of opinion.
constexpr absl::Duration kSmallJump = absl::Minutes(5);
constexpr absl::Duration kLargeJump = absl::Hours(2);

}  // namespace

Troubles::Troubles(World* world, SimulatedDingTalk* dingtalk, Random random, absl::Time month_end, bool month_is_short)
    : world_(world),
      dingtalk_(dingtalk),
      random_(random),
      month_end_(month_end),
      month_is_short_(month_is_short),
      month_used_up_(month_is_short) {
  const double kind = random_.Unit();
  faults_ = kind < 0.2 ? Faults::kNone : kind < 0.6 ? Faults::kPassing : Faults::kAll;
  DrawUsualMood();
  network_ = usual_network_;
}

void Troubles::DrawUsualMood() {
  NetworkMood& mood = usual_network_;
  if (random_.Chance(0.3)) mood.max_latency = absl::Seconds(2);
  if (random_.Chance(0.1)) mood.min_latency = mood.max_latency = absl::ZeroDuration();
  if (faults_ == Faults::kNone) return;
  mood.unreachable = random_.Chance(0.5) ? 0.01 : 0.2 * random_.Unit();
  mood.slow = random_.Chance(0.5) ? 0.01 : 0.2 * random_.Unit();
  mood.indiscreet = 0.3;
  if (random_.Chance(0.2)) mood.stale = 0.3 * random_.Unit();
  if (random_.Chance(0.2)) mood.shrunken = 0.3 * random_.Unit();
}

void Troubles::FailDingTalk() {
  absl::string_view name = random_.OneOf(kPassingFaults);
  if (faults_ == Faults::kAll && random_.Chance(0.4)) {
    name = random_.Chance(0.6) ? random_.OneOf(kPausingFaults) : random_.OneOf(kLastingFaults);
  }
  if (name == "monthly_limit") {
    if (world_->loop->SteadyNow() >= month_end_) return;
    month_used_up_ = true;
  }
  std::optional<standin::Api> api;
  if (random_.Chance(0.7)) api = standin::Api::kTaskInfo;
  std::optional<int> retry_after;
  if (random_.Chance(0.1)) retry_after = static_cast<int>(random_.Between(1, 20));
  if (random_.Chance(0.7)) {
    dingtalk_->InjectFault(name, random_.Between(1, 4), api, retry_after);
    return;
  }
  dingtalk_->InjectFault(name, standin::Fault::kUntilCleared, api, retry_after);
  world_->loop->RunAfter(DrawLength(), [this] {
    world_->journal->Note("dingtalk: works again");
    dingtalk_->ClearFaults();
  });
}

void Troubles::SlowNetworkDown() {
  const double kind = random_.Unit();
  if (kind < 0.4) {
    world_->journal->Note("network: slow");
    network_.min_latency = absl::Seconds(1);
    network_.max_latency = random_.Between(absl::Seconds(1), absl::Seconds(6));
  } else if (kind < 0.6) {
    world_->journal->Note("network: somebody else answers");
    network_.untrusted = true;
  } else {
    world_->journal->Note("network: leads to a replica that lags behind");
    network_.stale = 1;
  }
  world_->loop->RunAfter(DrawLength(), [this] {
    if (world_->calm) return;
    world_->journal->Note("network: as usual");
    network_ = usual_network_;
  });
}

void Troubles::FailDisks() {
  disks_ = DiskMood();
  if (random_.Chance(0.5)) {
    world_->journal->Note("disks: full");
    disks_.full = true;
  } else {
    world_->journal->Note("disks: slow");
    disks_.max_delay = random_.LogBetween(absl::Milliseconds(100), absl::Seconds(30));
    disks_.min_delay = disks_.max_delay / 2;
  }
  world_->loop->RunAfter(DrawLength(), [this] {
    world_->journal->Note("disks: as usual");
    disks_ = DiskMood();
  });
}

void Troubles::SetClock() {
  const absl::Duration most = month_is_short_ || month_used_up_ || random_.Chance(0.7) ? kSmallJump : kLargeJump;
  const absl::Duration offset = random_.LogBetween(absl::Milliseconds(10), most) * (random_.Chance(0.5) ? 1 : -1);
  world_->journal->Note("clock: is set to be off by ", absl::FormatDuration(offset));
  world_->journal->Count("clock set");
  world_->loop->SetClock(offset);
  clock_error_ = std::max(clock_error_, absl::AbsDuration(offset));
}

void Troubles::CalmDown() {
  network_ = usual_network_ = NetworkMood();
  disks_ = DiskMood();
  dingtalk_->ClearFaults();
  world_->loop->SetClock(absl::ZeroDuration());
}

}  // namespace taskwatch::simulation
