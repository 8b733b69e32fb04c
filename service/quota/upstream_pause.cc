#include "service/quota/upstream_pause.h"

namespace taskwatch {

void UpstreamPause::Begin(const absl::Status& refusal, absl::Duration length, absl::Time now) {
  if (!refusal_.ok() && LeftAt(now) >= length) return;
  refusal_ = refusal;
  start_ = now;
  length_ = length;
}

}  // namespace taskwatch
