// The etags of one task's latest states.
#ifndef TASKWATCH_SERVICE_PACE_RECENT_ETAGS_H_
#define TASKWATCH_SERVICE_PACE_RECENT_ETAGS_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"

namespace taskwatch {

// Knows the last eight different etags, the current one included. So it can be told whether a watcher that comes back
// has seen one of the states that are known here, or may have seen a newer one on another server. Keeps 64 bits of
// each. A value.
class RecentEtags {
 public:
  // What is kept of an etag.
  static uint64_t KeyOf(absl::string_view etag) { return absl::HashOf(etag); }

  // `key` is the current state's now.
  void Add(uint64_t key) {
    size_t place = PlaceOf(key);
    if (place == size_ && size_ < kSize) ++size_;
    // It comes to the front; a new one takes the place of the oldest.
    place = std::min(place, size_ - 1);
    std::rotate(keys_.begin(), keys_.begin() + place, keys_.begin() + place + 1);
    keys_[0] = key;
  }

  size_t size() const { return size_; }
  bool Contains(uint64_t key) const { return PlaceOf(key) < size_; }

 private:
  static constexpr size_t kSize = 8;

  // `size_` if it is not there.
  size_t PlaceOf(uint64_t key) const { return std::find(keys_.begin(), keys_.begin() + size_, key) - keys_.begin(); }

  // The latest first.
  std::array<uint64_t, kSize> keys_{};
  size_t size_ = 0;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_PACE_RECENT_ETAGS_H_
