// A secret that stands in a file, as orchestrators hand them to services and replace them while these run.
#ifndef TASKWATCH_SERVICE_SECRETS_SECRET_FILE_H_
#define TASKWATCH_SERVICE_SECRETS_SECRET_FILE_H_

#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace taskwatch {

struct Secret {
  std::string value;
  // Grows whenever the file was written or replaced, also with the same secret.
  uint64_t version = 0;
};

// Reads one small file. Not thread-safe. Blocks for as long as the file system does: on the event loop's thread, use it
// for local files only.
class SecretFile {
 public:
  // `now` tells the wall-clock time.
  explicit SecretFile(std::string path, std::function<absl::Time()> now = absl::Now)
      : path_(std::move(path)), now_(std::move(now)) {}

  // The secret that the file holds now. Its version grows with the file's inode, time of change, size or content;
  // symbolic links are followed, so that one which is switched over counts as a change. The errors are of
  // kUpstreamUnauthenticated, kTransient and `not_asked`, with a `retry_after` of a second, since somebody may be
  // writing the file; their `log_detail` names it and what to do, never what is in it. They are not remembered.
  absl::StatusOr<Secret> Read();

  // What Read has told last, if it would certainly tell the same again: the file has not changed, and had been left
  // alone for some seconds when it was read. Costs one stat.
  std::optional<Secret> Cached() const;

  const std::string& path() const { return path_; }

 private:
  // What tells one state of the file from another.
  struct Identity {
    dev_t device;
    ino_t inode;
    off_t size;
    timespec modified;
    timespec changed;
  };

  static bool Same(const Identity& a, const Identity& b);
  static Identity IdentityOf(const struct stat& attributes);

  const std::string path_;
  const std::function<absl::Time()> now_;
  std::optional<Identity> read_from_;
  // Whether the file had been left alone for a while when it was read, so that any later change shows in its identity.
  bool settled_ = false;
  Secret secret_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_SECRETS_SECRET_FILE_H_
