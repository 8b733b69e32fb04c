// Keeps a second process from using the same state file.
#ifndef TASKWATCH_SERVICE_STORE_FILE_LOCK_H_
#define TASKWATCH_SERVICE_STORE_FILE_LOCK_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace taskwatch {

// Holds the lock on a file until it is destroyed or the process ends, even by SIGKILL. The file contains the owner's
// process id, for people. It is not removed with the lock: a third process could have opened it meanwhile, and would
// then hold the lock on a file that the next process does not see.
class FileLock {
 public:
  // UNAVAILABLE, naming the process, if another one holds it; PERMISSION_DENIED if the file cannot be made.
  static absl::StatusOr<std::unique_ptr<FileLock>> Take(const std::string& path);

  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  explicit FileLock(int fd) : fd_(fd) {}

  const int fd_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_STORE_FILE_LOCK_H_
