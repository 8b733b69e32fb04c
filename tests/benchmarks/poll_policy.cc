// Compares our poll schedule with others on traces of tasks, in virtual time: what each costs in calls, how late it
// sees the end, and whether what Taskwatch promises of it holds. The numbers depend on the traces alone, not on the
// machine.
//
// bazel run //tests/benchmarks:poll_policy -- --seed=7
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"

#include "tests/benchmarks/poll_claims.h"
#include "tests/benchmarks/poll_month.h"
#include "tests/benchmarks/poll_policy_peers.h"
#include "tests/benchmarks/poll_replay.h"
#include "tests/benchmarks/task_trace.h"
#include "tests/benchmarks/trace_generator.h"

ABSL_FLAG(
    std::string, traces, "",
    "CSV file of traces, a line per change: family,task_id,second,state,done_items,total_items (with this header; "
    "DingTalk's numbers for the state; counts may be empty). Empty: traces are generated");
ABSL_FLAG(uint64_t, seed, 1, "for the generated traces and the month");
ABSL_FLAG(int32_t, tasks, 400, "generated tasks per family");
ABSL_FLAG(absl::Duration, min_length, absl::Seconds(2), "the shortest generated task");
ABSL_FLAG(absl::Duration, max_length, absl::Hours(2), "the longest generated task");
ABSL_FLAG(int32_t, month_calls, 5000, "calls of the month's table");
ABSL_FLAG(int32_t, month_tasks, 300, "tasks of the month's table");
ABSL_FLAG(std::string, write_traces, "", "writes the traces to this CSV file, and does nothing else");
ABSL_FLAG(std::string, format, "text", "text, or json: an array with an object for each line of the table");
ABSL_FLAG(
    std::string, table, "",
    "policies (each family with each policy) or month (a month of calls for many tasks). Empty: with --format=text "
    "both and what is promised, with --format=json policies");
ABSL_FLAG(bool, check, false, "exit with 1 if a promise does not hold");

namespace taskwatch {
namespace {

int Refuse(absl::string_view what) {
  std::fprintf(stderr, "ERROR: %s\n", std::string(what).c_str());
  return 2;
}

absl::StatusOr<std::vector<TaskTrace>> Traces() {
  const std::string path = absl::GetFlag(FLAGS_traces);
  if (!path.empty()) {
    std::ifstream file(path, std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    if (!file) return absl::NotFoundError(absl::StrCat("--traces: ", path, " cannot be read"));
    absl::StatusOr<std::vector<TaskTrace>> traces = ParseTraces(text);
    if (!traces.ok()) return absl::InvalidArgumentError(absl::StrCat(path, ": ", traces.status().message()));
    return traces;
  }
  TraceOptions options;
  options.seed = absl::GetFlag(FLAGS_seed);
  options.tasks_per_family = absl::GetFlag(FLAGS_tasks);
  options.min_length = absl::GetFlag(FLAGS_min_length);
  options.max_length = absl::GetFlag(FLAGS_max_length);
  if (options.tasks_per_family < 1) return absl::InvalidArgumentError("--tasks must be at least 1");
  if (options.min_length < absl::Milliseconds(1) || options.max_length < options.min_length ||
      options.max_length > absl::Hours(24 * 365)) {
    return absl::InvalidArgumentError("--min_length must be at least 1ms and --max_length no less, up to a year");
  }
  return GenerateTraces(options);
}

nlohmann::ordered_json Json(const Quantiles& quantiles) {
  return {{"mean", quantiles.mean}, {"p50", quantiles.p50}, {"p95", quantiles.p95}};
}

nlohmann::ordered_json Json(const PolicyResult& result) {
  return {{"family", result.family},
          {"policy", result.policy},
          {"calls_per_task", result.calls_per_task},
          {"delay_s", Json(result.delay_s)},
          {"delay_share", Json(result.delay_share)}};
}

nlohmann::ordered_json Json(const MonthResult& result) {
  return {{"policy", result.policy},         {"tasks", result.tasks},
          {"calls", result.calls},           {"seen_share", result.seen_share},
          {"delay_s", Json(result.delay_s)}, {"delay_share", Json(result.delay_share)}};
}

template <typename Result>
void PrintJson(const std::vector<Result>& results) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const Result& result : results) rows.push_back(Json(result));
  std::puts(rows.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace).c_str());
}

std::string Text(const Quantiles& delay_s, const Quantiles& share) {
  return absl::StrFormat("%9.2f %9.2f %9.2f %9.2f%% %9.2f%% %9.2f%%", delay_s.mean, delay_s.p50, delay_s.p95,
                         100 * share.mean, 100 * share.p50, 100 * share.p95);
}

constexpr char kDelayHeader[] = "   mean s     p50 s     p95 s      mean        p50        p95";

void PrintPolicies(const std::vector<PolicyResult>& results) {
  absl::PrintF("The delay from a task's end to its observation, in seconds and as a share of the task's length\n");
  absl::PrintF("%-28s%-14s%9s %s\n", "family", "policy", "calls", kDelayHeader);
  for (const PolicyResult& result : results) {
    absl::PrintF("%-28s%-14s%9.2f %s\n", result.family, result.policy, result.calls_per_task,
                 Text(result.delay_s, result.delay_share));
  }
}

void PrintMonth(const std::vector<MonthResult>& results, const MonthOptions& options) {
  absl::PrintF("\nA month of %d calls and %d tasks, drawn from all families\n", options.calls, options.tasks);
  absl::PrintF("%-14s%9s%9s %s\n", "policy", "calls", "seen", kDelayHeader);
  for (const MonthResult& result : results) {
    absl::PrintF("%-14s%9d%8.1f%% %s\n", result.policy, result.calls, 100 * result.seen_share,
                 Text(result.delay_s, result.delay_share));
  }
}

void PrintClaims(const std::vector<Claim>& claims) {
  absl::PrintF("\nPromised\n");
  for (const Claim& claim : claims) {
    absl::PrintF("%-8s%-28s%s: %s\n", claim.holds ? "holds" : "BROKEN", claim.family, claim.text, claim.figures);
  }
}

int Main() {
  const std::string format = absl::GetFlag(FLAGS_format);
  const std::string table = absl::GetFlag(FLAGS_table);
  if (format != "text" && format != "json") return Refuse("--format must be text or json");
  if (!table.empty() && table != "policies" && table != "month") return Refuse("--table must be policies or month");
  if (absl::GetFlag(FLAGS_month_calls) < 1 || absl::GetFlag(FLAGS_month_tasks) < 1) {
    return Refuse("--month_calls and --month_tasks must be at least 1");
  }
  const absl::StatusOr<std::vector<TaskTrace>> traces = Traces();
  if (!traces.ok()) return Refuse(traces.status().message());
  if (const std::string path = absl::GetFlag(FLAGS_write_traces); !path.empty()) {
    std::ofstream file(path, std::ios::binary);
    file << FormatTraces(*traces) << std::flush;
    return file ? 0 : Refuse(absl::StrCat("--write_traces: ", path, " cannot be written"));
  }

  const std::vector<PollPolicy> policies = PollPolicies();
  const std::vector<PolicyResult> results = Compare(*traces, policies);
  const std::vector<Claim> claims = CheckClaims(*traces, results);
  MonthOptions month;
  month.seed = absl::GetFlag(FLAGS_seed);
  month.calls = absl::GetFlag(FLAGS_month_calls);
  month.tasks = absl::GetFlag(FLAGS_month_tasks);
  const bool json = format == "json";
  if (table == "month" || (table.empty() && !json)) {
    const std::vector<MonthResult> months = CompareOverMonth(*traces, policies, month);
    if (table.empty()) PrintPolicies(results);
    json ? PrintJson(months) : PrintMonth(months, month);
    if (table.empty()) PrintClaims(claims);
  } else {
    json ? PrintJson(results) : PrintPolicies(results);
  }
  if (absl::GetFlag(FLAGS_check)) {
    for (const Claim& claim : claims) {
      if (!claim.holds) return 1;
    }
  }
  return 0;
}

}  // namespace
}  // namespace taskwatch

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("compares poll policies on traces of tasks");
  const std::vector<char*> rest = absl::ParseCommandLine(argc, argv);
  if (rest.size() > 1) return taskwatch::Refuse(absl::StrCat("unexpected argument \"", rest[1], "\""));
  return taskwatch::Main();
}
