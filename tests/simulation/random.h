// Seeded choices.
#ifndef TASKWATCH_TESTS_SIMULATION_RANDOM_H_
#define TASKWATCH_TESTS_SIMULATION_RANDOM_H_

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>

#include "absl/time/time.h"

namespace taskwatch::simulation {

// Uses no distribution of the standard library, whose results differ between libraries.
class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}

  // In [0, bound).
  uint64_t Below(uint64_t bound) { return engine_() % bound; }
  int64_t Between(int64_t low, int64_t high) { return low + static_cast<int64_t>(Below(high - low + 1)); }
  // In [0, 1).
  double Unit() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }
  bool Chance(double probability) { return Unit() < probability; }

  absl::Duration Between(absl::Duration low, absl::Duration high) { return low + (high - low) * Unit(); }
  // As often between 1 s and 10 s as between 10 s and 100 s.
  absl::Duration LogBetween(absl::Duration low, absl::Duration high) {
    return low * std::exp(std::log(absl::FDivDuration(high, low)) * Unit());
  }

  template <typename T, size_t n>
  const T& OneOf(const T (&choices)[n]) {
    return choices[Below(n)];
  }

  // For somebody whose choices shall not depend on how many were made here.
  Random Fork() { return Random(engine_()); }

 private:
  std::mt19937_64 engine_;
};

}  // namespace taskwatch::simulation

#endif  // TASKWATCH_TESTS_SIMULATION_RANDOM_H_
