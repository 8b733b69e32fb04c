// Tells the log how DingTalk is doing: when it begins to fail, and when it answers again.
#ifndef TASKWATCH_SERVICE_LOGGED_TASK_SOURCE_H_
#define TASKWATCH_SERVICE_LOGGED_TASK_SOURCE_H_

#include <cstdint>

#include "absl/strings/string_view.h"

#include "service/runtime/lifetime.h"
#include "service/task/task_error.h"
#include "service/task/task_source.h"

namespace taskwatch {

// Logs changes, not calls: a failure when the one before was of another reason or there was none, and the first success
// after failures. Refused task ids are their callers' business and not logged, and what DingTalk was not asked
// for tells nothing of it.
//
// Lives on the event loop's thread. The source behind it must outlive it.
class LoggedTaskSource final : public TaskSource {
 public:
  explicit LoggedTaskSource(TaskSource* source) : source_(source) {}

  void Fetch(absl::string_view task_id, const FetchOptions& options, Done done) override;
  void Join(absl::string_view task_id, const FetchOptions& options) override { source_->Join(task_id, options); }

 private:
  void Notice(const absl::Status& status);

  TaskSource* const source_;
  ErrorReason failing_ = ErrorReason::kNone;
  uint64_t failures_ = 0;
  const Lifetime lifetime_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_LOGGED_TASK_SOURCE_H_
