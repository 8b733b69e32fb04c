// How many upstream calls were made in each month: CallQueue counts them, and what
// implements this keeps the count over a restart.
#ifndef TASKWATCH_SERVICE_QUOTA_CALL_LEDGER_H_
#define TASKWATCH_SERVICE_QUOTA_CALL_LEDGER_H_

#include <cstdint>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/civil_time.h"

namespace taskwatch {

class CallLedger {
 public:
  using Done = absl::AnyInvocable<void(const absl::Status&)>;

  virtual ~CallLedger() = default;

  // The calls that are recorded for `month`; 0 if none are. Loop thread; fast enough for it.
  virtual absl::StatusOr<int64_t> CallsIn(absl::CivilMonth month) = 0;

  // Records `calls` for `month`, instead of what is there. `done` is called once, from any thread, possibly before this
  // returns: with OK when not even a power failure can undo it, else with why it is not written. Records are written in
  // the order in which they were made. Never blocks.
  virtual void Record(absl::CivilMonth month, int64_t calls, Done done) = 0;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_QUOTA_CALL_LEDGER_H_
