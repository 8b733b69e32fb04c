#include "tests/benchmarks/poll_month.h"

#include <algorithm>
#include <functional>
#include <queue>
#include <random>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"

#include "service/quota/call_budget.h"
#include "service/task/priority.h"
#include "service/task/task_error.h"

namespace taskwatch {
namespace {

constexpr absl::Duration kMonth = absl::Hours(30 * 24);
// A month of 30 days, and its beginning in China.
constexpr absl::CivilMonth kSomeMonth(2026, 11);
absl::Time StartOfMonth() { return absl::FromCivil(kSomeMonth, absl::FixedTimeZone(8 * 60 * 60)); }

struct MonthTask {
  absl::Duration start;
  const TaskTrace* trace;
};

std::vector<MonthTask> DrawTasks(const std::vector<TaskTrace>& traces, const MonthOptions& options) {
  std::mt19937_64 random(options.seed);
  const auto unit = [&random] { return static_cast<double>(random() >> 11) * 0x1p-53; };
  std::vector<MonthTask> tasks;
  for (int i = 0; i < options.tasks; ++i) {
    const TaskTrace* const trace = &traces[random() % traces.size()];
    tasks.push_back({std::max(absl::ZeroDuration(), kMonth - 2 * trace->Length()) * unit(), trace});
  }
  return tasks;
}

MonthResult RunMonth(const std::vector<MonthTask>& tasks, const PollPolicy& policy, int quota) {
  std::vector<PolledTask> polled;
  using Due = std::pair<absl::Duration, size_t>;
  std::priority_queue<Due, std::vector<Due>, std::greater<Due>> due;
  for (size_t i = 0; i < tasks.size(); ++i) {
    polled.emplace_back(tasks[i].trace, policy.start());
    due.push({tasks[i].start, i});
  }
  MonthResult result;
  result.policy = policy.name;
  result.tasks = static_cast<int>(tasks.size());
  std::vector<double> delays;
  std::vector<double> shares;
  CallBudget::Options options;
  options.qps = 0;
  options.monthly_calls = quota;
  CallBudget budget(options);
  budget.OpenMonth(kSomeMonth, 0);
  while (!due.empty() && due.top().first <= kMonth && result.calls < quota) {
    const auto [now, i] = due.top();
    due.pop();
    const absl::Time time = StartOfMonth() + now;
    if (policy.name == kOurPolicy) {
      const absl::Status refusal = budget.AdmitPoll(absl::StrCat(i), time);
      if (!refusal.ok()) {
        polled[i].PutOff(now + *DetailsOf(refusal).retry_after - tasks[i].start);
        due.push({now + *DetailsOf(refusal).retry_after, i});
        continue;
      }
    }
    ++result.calls;
    budget.Count(result.calls, Priority::kPoll, absl::StrCat(i), time);
    budget.Report(result.calls, absl::OkStatus(), time);
    if (polled[i].Poll(budget.Slowdown(time))) {
      delays.push_back(polled[i].outcome().delay_s);
      shares.push_back(polled[i].outcome().delay_share);
    } else {
      due.push({tasks[i].start + polled[i].next_poll(), i});
    }
  }
  result.seen_share = tasks.empty() ? 0 : static_cast<double>(delays.size()) / static_cast<double>(tasks.size());
  result.delay_s = QuantilesOf(std::move(delays));
  result.delay_share = QuantilesOf(std::move(shares));
  return result;
}

}  // namespace

std::vector<MonthResult> CompareOverMonth(const std::vector<TaskTrace>& traces, const std::vector<PollPolicy>& policies,
                                          const MonthOptions& options) {
  const std::vector<MonthTask> tasks = DrawTasks(traces, options);
  std::vector<MonthResult> results;
  for (const PollPolicy& policy : policies) results.push_back(RunMonth(tasks, policy, options.calls));
  return results;
}

}  // namespace taskwatch
