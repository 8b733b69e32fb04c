// DingTalk's limits on how often one app may call: so many a second for each API, so many a month for the organisation.
#ifndef TASKWATCH_TESTS_DINGTALK_STANDIN_CALL_QUOTA_H_
#define TASKWATCH_TESTS_DINGTALK_STANDIN_CALL_QUOTA_H_

#include <cstdint>
#include <deque>
#include <optional>

#include "absl/time/civil_time.h"
#include "absl/time/time.h"

namespace taskwatch::standin {

// At most `limit` calls in any second, wherever that second begins: stricter than counting by the clock's seconds.
// Refused calls do not count.
class RateLimit {
 public:
  // 0 is no limit.
  explicit RateLimit(int64_t limit) : limit_(limit) {}

  // Whether a call at `now` is let through; then it counts. `now` must not go back.
  bool Take(absl::Time now);

 private:
  const int64_t limit_;
  std::deque<absl::Time> taken_;
};

// At most `limit` calls in a natural month, which is China's (UTC+8).
class MonthlyLimit {
 public:
  // 0 is no limit. `used_before` calls of the month that is observed first were made before, by others.
  explicit MonthlyLimit(int64_t limit, int64_t used_before = 0) : limit_(limit), used_before_(used_before) {}

  // It is `now`: a new month may have begun.
  void Observe(absl::Time now);

  // Whether a call at `now` is let through; then it counts.
  bool Take(absl::Time now);

  // The calls that count in the month that was observed last.
  int64_t used() const { return used_; }

 private:
  const int64_t limit_;
  const int64_t used_before_;
  std::optional<absl::CivilMonth> month_;
  int64_t used_ = 0;
};

}  // namespace taskwatch::standin

#endif  // TASKWATCH_TESTS_DINGTALK_STANDIN_CALL_QUOTA_H_
