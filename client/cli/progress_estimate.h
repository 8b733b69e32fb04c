// Estimates from a task's counts how fast it is and when it will be done.
#ifndef TASKWATCH_CLIENT_CLI_PROGRESS_ESTIMATE_H_
#define TASKWATCH_CLIENT_CLI_PROGRESS_ESTIMATE_H_

#include <cstdint>
#include <optional>

#include "absl/time/time.h"

namespace taskwatch::client {

// The average over all samples: 10 items at 12:00:00 and 70 at 12:01:00 are 1 item per second. Not thread-safe.
class ProgressEstimate {
 public:
  // At `time` so many items were processed. If that is fewer than before, the estimate starts over.
  void Add(absl::Time time, int64_t processed);

  // In items per second, or nothing while no progress was seen.
  std::optional<double> Rate() const;

  // When `total` items will be processed, at the same rate.
  std::optional<absl::Time> FinishTime(int64_t total) const;

 private:
  struct Sample {
    absl::Time time;
    int64_t processed = 0;
  };

  std::optional<Sample> first_;
  Sample last_;
};

}  // namespace taskwatch::client

#endif  // TASKWATCH_CLIENT_CLI_PROGRESS_ESTIMATE_H_
