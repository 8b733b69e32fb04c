#include "tests/benchmarks/poll_claims.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

#include "tests/benchmarks/poll_policy_peers.h"

namespace taskwatch {
namespace {

// Parts of the official CLI's figures that ours may not exceed.
struct Bound {
  double calls;
  double delay_share;
};

const Bound* BoundOfFamily(const std::string& family) {
  static const auto& bounds = *new std::map<std::string, Bound>{
      {"linear", {0.5, 0.5}},
      {"noisy", {0.5, 0.7}},
      {"front-loaded", {0.5, 0.7}},
      {"back-loaded", {0.5, 0.7}},
  };
  const auto bound = bounds.find(absl::StrReplaceAll(family, {{"_", "-"}}));
  return bound == bounds.end() ? nullptr : &bound->second;
}

Claim CheckAgainstCli(const PolicyResult& ours, const PolicyResult& cli, bool shows_progress) {
  Claim claim;
  claim.family = ours.family;
  claim.figures = absl::StrFormat("%.1f calls to %.1f, %.2f%% to %.2f%%", ours.calls_per_task, cli.calls_per_task,
                                  100 * ours.delay_share.mean, 100 * cli.delay_share.mean);
  if (!shows_progress) {
    claim.text = absl::StrCat("no more calls than ", kOfficialCliPolicy, " and a smaller mean delay share");
    claim.holds = ours.calls_per_task <= cli.calls_per_task && ours.delay_share.mean < cli.delay_share.mean;
  } else if (const Bound* const bound = BoundOfFamily(ours.family)) {
    claim.text = absl::StrFormat("at most %g of %s's calls at %g of its mean delay share", bound->calls,
                                 kOfficialCliPolicy, bound->delay_share);
    claim.holds = ours.calls_per_task <= bound->calls * cli.calls_per_task &&
                  ours.delay_share.mean <= bound->delay_share * cli.delay_share.mean;
  }
  return claim;
}

Claim CheckUnbeaten(const PolicyResult& ours, const std::vector<const PolicyResult*>& peers) {
  std::vector<std::string> better;
  for (const PolicyResult* peer : peers) {
    if (peer->calls_per_task >= ours.calls_per_task) continue;
    if (peer->delay_s.mean < ours.delay_s.mean) better.push_back(absl::StrCat(peer->policy, " (seconds)"));
    if (peer->delay_share.mean < ours.delay_share.mean) better.push_back(absl::StrCat(peer->policy, " (share)"));
  }
  Claim claim;
  claim.family = ours.family;
  claim.text = "no peer is better in both calls and mean delay";
  claim.holds = better.empty();
  claim.figures = better.empty() ? "none is" : absl::StrJoin(better, ", ");
  return claim;
}

}  // namespace

std::vector<Claim> CheckClaims(const std::vector<TaskTrace>& traces, const std::vector<PolicyResult>& results) {
  std::map<std::string, bool> shows_progress;
  for (const TaskTrace& trace : traces) shows_progress[trace.family] |= ShowsProgress(trace);
  std::vector<Claim> claims;
  for (const PolicyResult& ours : results) {
    if (ours.policy != kOurPolicy) continue;
    std::vector<const PolicyResult*> peers;
    for (const PolicyResult& peer : results) {
      if (peer.family != ours.family || peer.policy == kOurPolicy) continue;
      peers.push_back(&peer);
      if (peer.policy != kOfficialCliPolicy) continue;
      Claim claim = CheckAgainstCli(ours, peer, shows_progress[ours.family]);
      if (!claim.text.empty()) claims.push_back(std::move(claim));
    }
    claims.push_back(CheckUnbeaten(ours, peers));
  }
  return claims;
}

}  // namespace taskwatch
