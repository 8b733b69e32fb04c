// A secret that stands in a file, as orchestrators hand them to services and replace them while these run.
#ifndef TASKWATCH_SERVICE_UPSTREAM_SECRET_FILE_H_
#define TASKWATCH_SERVICE_UPSTREAM_SECRET_FILE_H_

#include <sys/types.h>
#include <time.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"

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
  explicit SecretFile(std::string path) : path_(std::move(path)) {}

  // The secret that the file holds now. Its version grows with the file's inode, time of change, size or content;
  // symbolic links are followed, so that one which is switched over counts as a change. The errors are of
  // kUpstreamUnauthenticated, kPermanent; they name the file and what to do, never what is in it, and are not
  // remembered.
  absl::StatusOr<Secret> Read();

  const std::string& path() const { return path_; }

 private:
  // What tells one state of the file from another.
  struct Identity {
    dev_t device;
    ino_t inode;
    off_t size;
    timespec modified;
  };

  static bool Same(const Identity& a, const Identity& b);

  const std::string path_;
  std::optional<Identity> read_from_;
  Secret secret_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_UPSTREAM_SECRET_FILE_H_
