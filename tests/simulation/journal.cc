#include "tests/simulation/journal.h"

#include <array>
#include <cstddef>

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"

#include "service/task/task_error.h"

namespace taskwatch::simulation {
namespace {

// In the order of the enumeration.
constexpr std::array<absl::string_view, 28> kNames = {
    "FirstMessageIsAStateTheUpstreamHad",
    "FirstMessageAtOnce",
    "ObservationOrder",
    "LatestStateOnly",
    "ResumesAreNewEnough",
    "NoDuplicateEtagInARow",
    "TerminalExactlyOnceLastAndOk",
    "NoFinalStateLost",
    "NothingAfterTheEnd",
    "OneWriteAtATime",
    "StalledWritesAreBrokenOff",
    "HeartbeatsInTime",
    "HeartbeatsTellTheTruth",
    "ErrorsEndNothingEarly",
    "StartedEqualsFinished",
    "OneFetchPerTaskAtATime",
    "NoPollingWithoutAWatcher",
    "CallsAreWanted",
    "OneProbePerPause",
    "PollsKeepTheirDistance",
    "NoFetchOfAFinishedTask",
    "GetsAreFreshEnough",
    "NobodyWaitsTooLong",
    "NoAnswerWithoutAReason",
    "EntriesAndTimersGone",
    "SlotsAreFree",
    "LedgerKnowsAllCalls",
    "NoSecretInAnyStatus",
};
static_assert(kNames.size() == static_cast<size_t>(Invariant::kNoSecretInAnyStatus) + 1);

// One broken promise breaks others; the first ones tell most.
constexpr size_t kMaxBroken = 10;

}  // namespace

absl::string_view InvariantName(Invariant invariant) { return kNames[static_cast<size_t>(invariant)]; }

std::string ShownStatus(const absl::Status& status) {
  if (status.ok()) return "OK";
  return absl::StrCat(absl::StatusCodeToString(status.code()), " ", ErrorReasonName(ReasonOf(status)), ": ",
                      status.message());
}

void Journal::CheckForSecrets(absl::string_view where, const absl::Status& status) {
  if (status.ok()) return;
  std::string shown(status.message());
  status.ForEachPayload(
      [&shown](absl::string_view, const absl::Cord& value) { absl::StrAppend(&shown, " ", std::string(value)); });
  for (const std::string& secret : secrets_) {
    if (absl::StrContains(shown, secret)) Break(Invariant::kNoSecretInAnyStatus, where, " was told: ", shown);
  }
}

void Journal::Append(absl::string_view line) {
  absl::StrAppendFormat(&trace_, "%12.6fs  %s\n", absl::ToDoubleSeconds(loop_->Elapsed()), line);
}

void Journal::Broken(Invariant invariant, absl::string_view what) {
  Note("BROKEN ", InvariantName(invariant), ": ", what);
  if (broken_.size() >= kMaxBroken) return;
  broken_.push_back(
      absl::StrFormat("%s at %.6fs: %s", InvariantName(invariant), absl::ToDoubleSeconds(loop_->Elapsed()), what));
}

}  // namespace taskwatch::simulation
