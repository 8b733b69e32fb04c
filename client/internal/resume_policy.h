// Whether and when to call again after a call has failed.
#ifndef TASKWATCH_CLIENT_INTERNAL_RESUME_POLICY_H_
#define TASKWATCH_CLIENT_INTERNAL_RESUME_POLICY_H_

#include <cstdint>
#include <optional>
#include <random>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "taskwatch/client/options.h"

namespace taskwatch::client {

// Counts the failures of one watch or wait; ResumeOptions says what it does with them. Knows no clock: the time is an
// argument. Not thread-safe.
class ResumePolicy {
 public:
  using Options = ResumeOptions;

  // `start` is when the first attempt begins.
  ResumePolicy(const Options& options, uint64_t seed, absl::Time start);

  // A connection to the service stood, whatever became of the call on it: its address is right.
  void OnContact() { contact_ = true; }

  // The service has answered, over a connection.
  void OnAnswer();

  // The delay before the next attempt, or nothing if the failure is permanent. Never shorter than the RetryInfo of
  // `failure`. To be called once per failed attempt.
  std::optional<absl::Duration> DelayAfter(const absl::Status& failure, absl::Time now);

 private:
  absl::Duration DrawDelay();
  bool IsPermanent(const absl::Status& failure);

  const Options options_;
  const absl::Time start_;
  std::mt19937_64 random_;
  bool contact_ = false;
  int failures_ = 0;
  int unexplained_failures_ = 0;
};

}  // namespace taskwatch::client

#endif  // TASKWATCH_CLIENT_INTERNAL_RESUME_POLICY_H_
