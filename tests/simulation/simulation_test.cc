// Runs the core through thousands of seeded scenarios and says which promises were broken in which.
//
//   bazel test //tests/simulation:simulation_test
//   bazel run //tests/simulation:simulation_test -- --seeds=100000       more of them
//   bazel run //tests/simulation:simulation_test -- --seed=17            one of them, with all that happens in it
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstring>
#include <iostream>
#include <map>
#include <string>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "tests/simulation/scenario.h"

ABSL_FLAG(uint64_t, seeds, 2000, "how many seeds to run");
ABSL_FLAG(uint64_t, first_seed, 1, "the first of them");
ABSL_FLAG(uint64_t, seed, 0, "the only seed to run; what happens is printed");

namespace taskwatch::simulation {
namespace {

constexpr uint64_t kParts = 8;

// Without these, the promises would be tested on nothing.
constexpr absl::string_view kToBeTested[] = {
    "clock set",
    "fetches",
    "gets answered",
    "gets failed",
    "heartbeats",
    "heartbeats: MONTHLY_QUOTA_EXHAUSTED",
    "heartbeats: UPSTREAM_IP_BANNED",
    "heartbeats: UPSTREAM_TIMEOUT",
    "probes",
    "servers crashed",
    "servers drained",
    "states told",
    "streams broken off",
    "streams that resume from elsewhere",
    "streams ended: CANCELLED",
    "streams ended: OK",
    "streams ended: SERVER_DRAINING",
    "streams ended: STREAM_ROTATED",
    "streams ended: TOO_MANY_WATCHERS",
    "streams ended: UPSTREAM_PARAM_ERROR",
    "streams ended: UPSTREAM_PERMISSION_DENIED",
    "streams lost",
    "tasks recalled",
    "waits answered",
    "waits failed",
    "waits in a loop",
    "watches given up by the library",
    "writes failed",
};

// Told when the process dies, so that a seed in which the core crashes is known too.
char crash_note[64];

void TellSeedAndDie(int signal) {
  // Nothing else is safe here, and there is nobody to tell that this failed.
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, crash_note, strlen(crash_note));
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

Outcome RunNoted(uint64_t seed, bool tracing) {
  absl::SNPrintF(crash_note, sizeof(crash_note), "died in seed %d\n", seed);
  return RunScenario(seed, tracing);
}

// One eighth of the seeds, for Bazel's shards.
class Simulation : public testing::TestWithParam<uint64_t> {};

TEST_P(Simulation, KeepsItsPromises) {
  const uint64_t only = absl::GetFlag(FLAGS_seed);
  if (only != 0) {
    if (GetParam() != 0) return;
    const Outcome outcome = RunNoted(only, /*tracing=*/true);
    std::cout << outcome.trace;
    EXPECT_TRUE(outcome.broken.empty()) << absl::StrJoin(outcome.broken, "\n");
    return;
  }
  const uint64_t first = absl::GetFlag(FLAGS_first_seed);
  absl::Duration length;
  std::map<std::string, uint64_t> counts;
  int failed = 0;
  for (uint64_t seed = first + GetParam(); seed < first + absl::GetFlag(FLAGS_seeds) && failed < 5; seed += kParts) {
    const Outcome outcome = RunNoted(seed, /*tracing=*/false);
    length += outcome.length;
    for (const auto& [what, count] : outcome.counts) counts[what] += count;
    if (outcome.broken.empty()) continue;
    ++failed;
    ADD_FAILURE() << "seed " << seed << " (replay it with --seed=" << seed << "):\n"
                  << absl::StrJoin(outcome.broken, "\n");
  }
  std::cout << "simulated " << absl::FormatDuration(absl::Trunc(length, absl::Seconds(1))) << "\n";
  for (const auto& [what, count] : counts) std::cout << absl::StrFormat("%10d  %s\n", count, what);
  if (failed > 0 || absl::GetFlag(FLAGS_seeds) < 1000) return;
  for (const absl::string_view what : kToBeTested)
    EXPECT_GT(counts[std::string(what)], 0u) << what << " never happened";
}

INSTANTIATE_TEST_SUITE_P(Seeds, Simulation, testing::Range<uint64_t>(0, kParts));

TEST(SimulationReplay, IsTheSameEveryTime) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const std::string trace = RunNoted(seed, /*tracing=*/true).trace;
    EXPECT_FALSE(trace.empty());
    EXPECT_TRUE(RunNoted(seed, /*tracing=*/true).trace == trace) << "seed " << seed;
  }
}

}  // namespace
}  // namespace taskwatch::simulation

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  absl::ParseCommandLine(argc, argv);
  // What happens is in the journal.
  spdlog::set_level(spdlog::level::off);
  for (const int signal : {SIGABRT, SIGBUS, SIGFPE, SIGSEGV}) {
    std::signal(signal, taskwatch::simulation::TellSeedAndDie);
  }
  return RUN_ALL_TESTS();
}
