// How fast a task gets on, and when it will be done, as far as its counts tell.
#ifndef TASKWATCH_CLIENT_CLI_PROGRESS_ESTIMATE_H_
#define TASKWATCH_CLIENT_CLI_PROGRESS_ESTIMATE_H_

#include <cstdint>
#include <optional>

#include "absl/time/time.h"

namespace taskwatch::client {

// Pure; the average over all that was seen. Not thread-safe.
class ProgressEstimate {
 public:
  // So many items were processed at that time. Steps back start it over.
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
