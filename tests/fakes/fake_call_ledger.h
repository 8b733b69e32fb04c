// A call ledger whose disk does what the test wants.
#ifndef TASKWATCH_TESTS_FAKES_FAKE_CALL_LEDGER_H_
#define TASKWATCH_TESTS_FAKES_FAKE_CALL_LEDGER_H_

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/civil_time.h"

#include "service/quota/call_ledger.h"

namespace taskwatch {

class FakeCallLedger final : public CallLedger {
 public:
  absl::StatusOr<int64_t> CallsIn(absl::CivilMonth month) override {
    if (!failure.ok()) return failure;
    return calls[month];
  }

  void Record(absl::CivilMonth month, int64_t count, Done done) override {
    ++records;
    if (slow) {
      held.push_back({month, count, std::move(done)});
      return;
    }
    Write(month, count, done);
  }

  // Lets a slow disk finish the oldest record.
  void FinishOne() {
    Held record = std::move(held.front());
    held.erase(held.begin());
    Write(record.month, record.count, record.done);
  }

  // What a restart would find.
  std::map<absl::CivilMonth, int64_t> calls;
  int records = 0;
  // Whether records wait for FinishOne.
  bool slow = false;
  // OK, or what every use fails with.
  absl::Status failure;

  struct Held {
    absl::CivilMonth month;
    int64_t count;
    Done done;
  };
  std::vector<Held> held;

 private:
  void Write(absl::CivilMonth month, int64_t count, Done& done) {
    if (failure.ok()) calls[month] = count;
    done(failure);
  }
};

}  // namespace taskwatch

#endif  // TASKWATCH_TESTS_FAKES_FAKE_CALL_LEDGER_H_
