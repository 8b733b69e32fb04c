// Whether and when to call again after a call has failed.
#ifndef TASKWATCH_CLIENT_INTERNAL_RESUME_POLICY_H_
#define TASKWATCH_CLIENT_INTERNAL_RESUME_POLICY_H_

#include <cstdint>
#include <optional>
#include <random>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace taskwatch::client {

// The memory of one watch or wait. Knows no clock: the time is an argument. Not thread-safe.
class ResumePolicy {
 public:
  struct Options {
    // The pause before the n-th attempt in a row is drawn evenly from zero to `base_delay` * 2^n, `max_delay` at most
    // (full jitter), so that the clients of a server that restarts do not come back all at once.
    absl::Duration base_delay = absl::Milliseconds(500);
    absl::Duration max_delay = absl::Seconds(20);
    // A service that asks to wait longer than this (until the month's quota is renewed, for example) is not waited for.
    // It does not concern UNAVAILABLE, which always passes.
    absl::Duration max_retry_delay = absl::Minutes(10);
    // How long the service may be out of reach before its first answer. A service that has answered once is tried again
    // without end.
    absl::Duration first_contact_limit = absl::InfiniteDuration();
    // INTERNAL, UNKNOWN and the like are not the service's own words when they carry no reason, but those of a
    // connection or a proxy that broke. So many in a row without an answer in between are believed all the same.
    int max_unexplained_failures = 5;
  };

  // `start` is when the first attempt begins.
  ResumePolicy(const Options& options, uint64_t seed, absl::Time start);

  // The service has answered: it can be reached.
  void OnAnswer();

  // How long to wait before the next attempt, or nothing if the failure is permanent. Never shorter than the RetryInfo
  // of `failure`. To be called once per failed attempt.
  std::optional<absl::Duration> DelayAfter(const absl::Status& failure, absl::Time now);

 private:
  absl::Duration DrawDelay();
  bool IsPermanent(const absl::Status& failure);

  const Options options_;
  const absl::Time start_;
  std::mt19937_64 random_;
  bool answered_ = false;
  int failures_ = 0;
  int unexplained_failures_ = 0;
};

}  // namespace taskwatch::client

#endif  // TASKWATCH_CLIENT_INTERNAL_RESUME_POLICY_H_
