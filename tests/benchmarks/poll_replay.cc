#include "tests/benchmarks/poll_replay.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

namespace taskwatch {

bool PolledTask::Poll(double slowdown) {
  ++outcome_.calls;
  const std::vector<TraceChange>& changes = trace_->changes;
  while (change_ + 1 < changes.size() && changes[change_ + 1].age <= next_poll_) ++change_;
  if (change_ + 1 == changes.size()) {
    outcome_.delay_s = absl::ToDoubleSeconds(next_poll_ - trace_->Length());
    const double length = absl::ToDoubleSeconds(trace_->Length());
    outcome_.delay_share = length > 0 ? outcome_.delay_s / length : 0;
    return true;
  }
  next_poll_ += pacer_(next_poll_, InfoOf(*trace_, changes[change_]), slowdown);
  return false;
}

Quantiles QuantilesOf(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const auto rank = [&values](double share) {
    return values[static_cast<size_t>(std::ceil(share * static_cast<double>(values.size()))) - 1];
  };
  return {std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size()), rank(0.5),
          rank(0.95)};
}

std::vector<PolicyResult> Compare(const std::vector<TaskTrace>& traces, const std::vector<PollPolicy>& policies) {
  std::vector<std::string> families;
  std::map<std::string, std::vector<const TaskTrace*>> traces_of;
  for (const TaskTrace& trace : traces) {
    if (traces_of[trace.family].empty()) families.push_back(trace.family);
    traces_of[trace.family].push_back(&trace);
  }
  std::vector<PolicyResult> results;
  for (const std::string& family : families) {
    for (const PollPolicy& policy : policies) {
      std::vector<double> calls;
      std::vector<double> delays;
      std::vector<double> shares;
      for (const TaskTrace* trace : traces_of[family]) {
        PolledTask task(trace, policy.start());
        while (!task.Poll(/*slowdown=*/1)) {
        }
        calls.push_back(static_cast<double>(task.outcome().calls));
        delays.push_back(task.outcome().delay_s);
        shares.push_back(task.outcome().delay_share);
      }
      results.push_back(
          {family, policy.name, QuantilesOf(calls).mean, QuantilesOf(std::move(delays)), QuantilesOf(shares)});
    }
  }
  return results;
}

}  // namespace taskwatch
