// The watchers of one task that may have seen a newer state than is known here.
#ifndef TASKWATCH_SERVICE_TRACKER_RESUMING_WATCHERS_H_
#define TASKWATCH_SERVICE_TRACKER_RESUMING_WATCHERS_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"

#include "service/pace/recent_etags.h"
#include "service/tracker/audience.h"

namespace taskwatch {

// Knows which fetch each of them waits for: the first one that is made after they came. Fetches are numbered from 1. An
// earlier one will do if it shows that the watcher's state is known here after all. A value.
class ResumingWatchers {
 public:
  using WatchId = Audience::WatchId;

  // `etag` is the key of the last state that the watcher has seen.
  void Add(WatchId id, uint64_t first_fetch, uint64_t etag) { watchers_[id] = {first_fetch, etag}; }

  // Returns whether it was there.
  bool Remove(WatchId id) { return watchers_.erase(id) > 0; }

  // Removes those for whom the answer of `fetch` is new enough, `known` being the etags since, and returns them.
  std::vector<WatchId> RemoveAnswered(uint64_t fetch, const RecentEtags& known) {
    std::vector<WatchId> answered;
    for (auto watcher = watchers_.begin(); watcher != watchers_.end();) {
      const Watcher& waiting = watcher->second;
      if (waiting.first_fetch > fetch && !known.Contains(waiting.etag)) {
        ++watcher;
        continue;
      }
      answered.push_back(watcher->first);
      watcher = watchers_.erase(watcher);
    }
    return answered;
  }

  // Removes all of them and returns them.
  std::vector<WatchId> RemoveAll() {
    std::vector<WatchId> all;
    for (const auto& [id, watcher] : std::exchange(watchers_, {})) all.push_back(id);
    return all;
  }

  bool empty() const { return watchers_.empty(); }

 private:
  struct Watcher {
    uint64_t first_fetch;
    uint64_t etag;
  };

  absl::btree_map<WatchId, Watcher> watchers_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_TRACKER_RESUMING_WATCHERS_H_
