// Logs when DingTalk begins to fail, and when it answers again.
#ifndef TASKWATCH_SERVICE_LOGGED_TASK_SOURCE_H_
#define TASKWATCH_SERVICE_LOGGED_TASK_SOURCE_H_

#include <cstdint>

#include "absl/strings/string_view.h"

#include "service/runtime/lifetime.h"
#include "service/task/task_error.h"
#include "service/task/task_source.h"

namespace taskwatch {

// A decorator. Logs changes, not calls: the first failure, a failure with another reason than the one before, and the
// first success after failures. Ten timeouts in a row make one line, with the first one's `log_detail`. Not logged are
// refused task ids (INVALID_TASK_ID, TASK_NOT_FOUND), which are the callers' affair, and fetches for which DingTalk was
// not asked, because the month is used up for example; unless there is a `log_detail`, as of a token that is missing.
//
// Lives on the event loop's thread. `source` must outlive it.
class LoggedTaskSource final : public TaskSource {
 public:
  explicit LoggedTaskSource(TaskSource* source) : source_(source) {}

  void Fetch(absl::string_view task_id, const FetchOptions& options, Done done) override;
  bool Join(absl::string_view task_id, const FetchOptions& options) override { return source_->Join(task_id, options); }
  bool Cancel(absl::string_view task_id) override { return source_->Cancel(task_id); }

 private:
  void Notice(const absl::Status& status);

  TaskSource* const source_;
  bool failing_ = false;
  // Of the failure that was logged last.
  ErrorReason reason_ = ErrorReason::kNone;
  uint64_t failures_ = 0;
  const Lifetime lifetime_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_LOGGED_TASK_SOURCE_H_
