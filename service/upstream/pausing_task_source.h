// Leaves DingTalk alone while it has said that it must not be asked.
#ifndef TASKWATCH_SERVICE_UPSTREAM_PAUSING_TASK_SOURCE_H_
#define TASKWATCH_SERVICE_UPSTREAM_PAUSING_TASK_SOURCE_H_

#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "service/runtime/event_loop.h"
#include "service/task/task_source.h"

namespace taskwatch {

// After a failure that is Persistence::kPaused (an IP ban, the month used up, the per-minute rate exceeded), which
// holds for every task alike, each fetch fails at once with that same error, until its `retry_after` is over. Asking on
// would prolong the ban.
//
// Lives on the event loop's thread. The loop and the source behind it must outlive it.
class PausingTaskSource final : public TaskSource {
 public:
  PausingTaskSource(EventLoop* loop, TaskSource* source) : loop_(loop), source_(source) {}

  void Fetch(absl::string_view task_id, Done done) override;

 private:
  struct Pause {
    absl::Status error;
    absl::Time end;
  };

  void Notice(const absl::Status& status);

  EventLoop* const loop_;
  TaskSource* const source_;
  std::optional<Pause> pause_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_UPSTREAM_PAUSING_TASK_SOURCE_H_
