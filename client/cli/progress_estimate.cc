#include "client/cli/progress_estimate.h"

namespace taskwatch::client {

void ProgressEstimate::Add(absl::Time time, int64_t processed) {
  const Sample sample = {time, processed};
  if (!first_.has_value() || processed < last_.processed || time < last_.time) first_ = sample;
  last_ = sample;
}

std::optional<double> ProgressEstimate::Rate() const {
  if (!first_.has_value() || last_.processed <= first_->processed || last_.time <= first_->time) return std::nullopt;
  return static_cast<double>(last_.processed - first_->processed) / absl::ToDoubleSeconds(last_.time - first_->time);
}

std::optional<absl::Time> ProgressEstimate::FinishTime(int64_t total) const {
  const std::optional<double> rate = Rate();
  if (!rate.has_value() || total < last_.processed) return std::nullopt;
  return last_.time + absl::Seconds(static_cast<double>(total - last_.processed) / *rate);
}

}  // namespace taskwatch::client
