// The errors of one task's fetches since one last succeeded.
#ifndef TASKWATCH_SERVICE_PACE_ERROR_STREAK_H_
#define TASKWATCH_SERVICE_PACE_ERROR_STREAK_H_

#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "service/task/task_error.h"

namespace taskwatch {

// Says how far to back off, and whether transient errors have gone on for so long that the watches must end.
// A value; reads no clock.
class ErrorStreak {
 public:
  // A fetch has succeeded: the streak is over.
  void Reset() { *this = ErrorStreak(); }

  // A fetch has failed at `now` with `error`, whose details are `details`. Returns what its persistence amounts to: a
  // kDoubtful one to kPermanent if the attempt before has failed alike, else to kTransient. What was `not_asked` was no
  // attempt.
  Persistence Add(const absl::Status& error, const ErrorDetails& details, absl::Time now);

  // Whether the last fetch has failed.
  bool failing() const { return !last_error_.ok(); }
  // The watches have ended for it, or nobody has asked for the task when the next fetch was due: the next watcher has
  // the whole error budget. How far to back off stays known.
  void RestartBudget() { transient_since_.reset(); }

  // How many fetches have failed in a row, without those for which the upstream was not asked.
  int length() const { return length_; }
  // The latest error; OK if there is none.
  const absl::Status& last_error() const { return last_error_; }
  // The latest error's `retry_after`.
  std::optional<absl::Duration> retry_after() const { return retry_after_; }
  // Whether the latest error only says when to come again: the upstream was not asked, or wants to be left alone.
  bool put_off() const { return put_off_; }

  // For how long there have been transient errors and nothing else; zero if the latest error is none. A ban of five
  // minutes between two timeouts starts it anew, since DingTalk may have been well meanwhile.
  absl::Duration TransientFor(absl::Time now) const;

 private:
  int length_ = 0;
  absl::Status last_error_;
  // How the last attempt failed, if that was kDoubtful; else OK.
  absl::Status doubtful_;
  std::optional<absl::Duration> retry_after_;
  bool put_off_ = false;
  std::optional<absl::Time> transient_since_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_PACE_ERROR_STREAK_H_
