// How long to leave alone what keeps failing.
#ifndef TASKWATCH_SERVICE_RUNTIME_GROWING_PAUSE_H_
#define TASKWATCH_SERVICE_RUNTIME_GROWING_PAUSE_H_

#include <algorithm>

#include "absl/time/time.h"

namespace taskwatch {

inline constexpr absl::Duration kLongestGrowingPause = absl::Minutes(1);

// The pause after so many failures in a row, one at least: 1, 2, 4 ... 60 s.
inline absl::Duration GrowingPause(int failures) {
  absl::Duration pause = absl::Seconds(1);
  for (int i = 1; i < failures && pause < kLongestGrowingPause; ++i) pause *= 2;
  return std::min(pause, kLongestGrowingPause);
}

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_RUNTIME_GROWING_PAUSE_H_
