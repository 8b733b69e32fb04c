// What is wrong with the app as a whole, and when to find out whether it is over.
#ifndef TASKWATCH_SERVICE_QUOTA_CIRCUIT_BREAKER_H_
#define TASKWATCH_SERVICE_QUOTA_CIRCUIT_BREAKER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <random>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "service/task/task_error.h"

namespace taskwatch {

// A circuit breaker. While it is open no call is made, but for one probe at a time: the next probe is due when a pause
// is over. A probe that succeeds, or fails for a reason that is its task's own (404, paramError), closes it; any other
// one begins the next pause.
//
// It opens at once for what is wrong with the app, whichever task was asked about:
// - kPaused: DingTalk asks for a pause (a minute, 300 s for a banned address, the rest of the month), which lasts as
// long
//   as DingTalk says;
// - kUpstreamRateLimited: too many calls a second;
// - kUpstreamPermissionDenied, kUpstreamUntrusted, and kUpstreamUnauthenticated once a new token was rejected as well.
// And it opens for an outage: when 5 calls in a row, for at least 3 tasks, failed for transient reasons, whichever they
// are: timeouts, lost connections, 5xx, answers that mean nothing. A task that always fails does not open it. Any
// answer closes what an outage has opened.
//
// Pauses that DingTalk does not set grow with each probe that fails: 1, 2, 4 ... 60 s, up to a tenth longer so that
// several servers do not probe at the same moment.
//
// A first rejected token (kUpstreamUnauthenticated, kTransient) says nothing of the app, but it opens this without a
// pause, so that the new token is tried by one call and not by all. As a probe's outcome it lets the next probe go at
// once, with a new token; the second in a row is a verdict like the rejection of a new token.
//
// Pure logic: time is an argument, and must not run backwards without ShiftBack.
class CircuitBreaker {
 public:
  explicit CircuitBreaker(uint64_t seed) : random_(seed) {}

  bool open() const { return cause_ != Cause::kNone; }
  // The error that has opened it, or of the last probe; OK while it is closed.
  const absl::Status& error() const { return error_; }
  // Whether it is open for a pause that DingTalk asks for, for the rate or for a new token, so that all will be well
  // after it.
  bool pausing() const { return cause_ == Cause::kPause; }
  // How long until a call may be made, as a probe if it is open: zero at once. A second while a probe is under way; one
  // that nobody reports counts as lost after a minute, and another one may go.
  absl::Duration WaitAt(absl::Time now) const;

  // A call is about to be made; while this is open it is the probe. `id` is not 0.
  void OnCall(uint64_t id, absl::Time now) {
    if (open()) BeginProbe(id, now);
  }

  // What became of a call, whose details are `details`; `id` is 0 for one that OnCall was not told of. `task` stands
  // for the task that it was about.
  void Report(uint64_t id, uint64_t task, const absl::Status& outcome, const ErrorDetails& details, absl::Time now);
  // The same for a success.
  void ReportSuccess(uint64_t id);

  // Whether the call of that `id` is the probe under way.
  bool IsProbe(uint64_t id) const { return probe_ != 0 && probe_ == id; }

  // All is well again.
  void Close();

  // Probes made since the start.
  int64_t probes() const { return probes_; }

  // The clock was set back by `back`; so is all that is remembered.
  void ShiftBack(absl::Duration back) {
    until_ -= back;
    probe_start_ -= back;
  }

 private:
  enum class Cause { kNone, kPause, kApp, kOutage };

  // Of an outage: calls that failed in a row, and the first tasks among them.
  struct Streak {
    int failures = 0;
    size_t tasks = 0;
    std::array<uint64_t, 3> task = {};
  };

  void BeginProbe(uint64_t id, absl::Time now);
  void OnOldToken(const absl::Status& outcome, ErrorDetails details, bool probed, absl::Time now);
  void OnTransientFailure(uint64_t task, const absl::Status& outcome, bool probed, absl::Time now);
  // The app has the fault that `error` tells of.
  void Open(Cause cause, const absl::Status& error, const ErrorDetails& details, bool probed, absl::Time now);
  // The pause after as many failed probes as there were.
  absl::Duration GrownPause();

  Cause cause_ = Cause::kNone;
  absl::Status error_;
  // When the next probe is due.
  absl::Time until_ = absl::InfinitePast();
  // Since this is open: the error that opened it and failed probes; 0 while only a new token is to be tried.
  int failures_ = 0;
  // The one under way, or 0.
  uint64_t probe_ = 0;
  absl::Time probe_start_ = absl::InfinitePast();
  // Whether the probe of this pause was repeated because its token was rejected.
  bool repeated_ = false;
  int64_t probes_ = 0;
  // While it is closed.
  Streak streak_;
  std::minstd_rand random_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_QUOTA_CIRCUIT_BREAKER_H_
