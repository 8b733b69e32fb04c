#include "service/upstream/pausing_task_source.h"

#include <utility>

#include "absl/status/statusor.h"

#include "service/task/task_error.h"

namespace taskwatch {

void PausingTaskSource::Fetch(absl::string_view task_id, Done done) {
  const absl::Time now = loop_->Now();
  if (pause_.has_value() && now < pause_->end) {
    ErrorDetails details = DetailsOf(pause_->error);
    details.retry_after = pause_->end - now;
    loop_->Post([alive = std::weak_ptr<bool>(alive_), done = std::move(done),
                 error = MakeError(details, pause_->error.message())]() mutable {
      if (!alive.expired()) done(std::move(error));
    });
    return;
  }
  pause_.reset();
  source_->Fetch(task_id, [this, alive = std::weak_ptr<bool>(alive_),
                           done = std::move(done)](absl::StatusOr<TaskInfo> result) mutable {
    if (alive.expired()) return;
    if (!result.ok()) Notice(result.status());
    done(std::move(result));
  });
}

void PausingTaskSource::Notice(const absl::Status& status) {
  const ErrorDetails details = DetailsOf(status);
  if (details.persistence != Persistence::kPaused || !details.retry_after.has_value()) return;
  const absl::Time end = loop_->Now() + *details.retry_after;
  if (!pause_.has_value() || pause_->end < end) pause_ = Pause{status, end};
}

}  // namespace taskwatch
