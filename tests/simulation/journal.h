// What happened in one simulated run, and which promises were broken.
#ifndef TASKWATCH_TESTS_SIMULATION_JOURNAL_H_
#define TASKWATCH_TESTS_SIMULATION_JOURNAL_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "service/runtime/simulated_loop.h"

namespace taskwatch::simulation {

// The promises. README.md says what each means and which bugs it catches.
enum class Invariant {
  kFirstMessageIsAStateTheUpstreamHad,
  kFirstMessageAtOnce,
  kObservationOrder,
  kLatestStateOnly,
  kResumesAreNewEnough,
  kNoDuplicateEtagInARow,
  kTerminalExactlyOnceLastAndOk,
  kNoFinalStateLost,
  kNothingAfterTheEnd,
  kOneWriteAtATime,
  kStalledWritesAreBrokenOff,
  kHeartbeatsInTime,
  kHeartbeatsTellTheTruth,
  kErrorsEndNothingEarly,
  kStartedEqualsFinished,
  kOneFetchPerTaskAtATime,
  kNoPollingWithoutAWatcher,
  kCallsAreWanted,
  kOneProbePerPause,
  kPollsKeepTheirDistance,
  kNoFetchOfAFinishedTask,
  kGetsAreFreshEnough,
  kNobodyWaitsTooLong,
  kNoAnswerWithoutAReason,
  kEntriesAndTimersGone,
  kSlotsAreFree,
  kLedgerKnowsAllCalls,
  kNoSecretInAnyStatus,
};

// "ObservationOrder".
absl::string_view InvariantName(Invariant invariant);

// `status` in one line; absl::Status itself shows its payloads in an order that changes.
std::string ShownStatus(const absl::Status& status);

class Journal {
 public:
  // `loop` tells the time and must outlive the journal. Without `tracing`, only broken promises are kept.
  Journal(const SimulatedLoop* loop, bool tracing) : loop_(loop), tracing_(tracing) {}

  template <typename... Parts>
  void Note(const Parts&... parts) {
    if (tracing_) Append(absl::StrCat(parts...));
  }

  template <typename... Parts>
  void Break(Invariant invariant, const Parts&... parts) {
    Broken(invariant, absl::StrCat(parts...));
  }

  // Counts that something happened that is worth testing.
  void Count(absl::string_view what) { ++counts_[std::string(what)]; }
  const std::map<std::string, uint64_t>& counts() const { return counts_; }

  // Something that no status may show from now on.
  void AddSecret(absl::string_view secret) { secrets_.emplace(secret); }
  // `where` has seen `status`.
  void CheckForSecrets(absl::string_view where, const absl::Status& status);

  // "NAME at 12.345s: what happened", in order; at most a few.
  const std::vector<std::string>& broken() const { return broken_; }
  const std::string& trace() const { return trace_; }

 private:
  void Append(absl::string_view line);
  void Broken(Invariant invariant, absl::string_view what);

  const SimulatedLoop* const loop_;
  const bool tracing_;
  std::map<std::string, uint64_t> counts_;
  std::set<std::string> secrets_;
  std::vector<std::string> broken_;
  std::string trace_;
};

}  // namespace taskwatch::simulation

#endif  // TASKWATCH_TESTS_SIMULATION_JOURNAL_H_
