#include "service/store/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "absl/memory/memory.h"
#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace taskwatch {

absl::StatusOr<std::unique_ptr<FileLock>> FileLock::Take(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return absl::PermissionDeniedError(absl::StrCat("cannot make '", path, "': ", std::strerror(errno)));
  auto lock = absl::WrapUnique(new FileLock(fd));
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) {
      return absl::PermissionDeniedError(absl::StrCat("cannot lock '", path, "': ", std::strerror(errno)));
    }
    char text[32] = {};
    int64_t owner = 0;
    const bool known = pread(fd, text, sizeof(text) - 1, 0) > 0 && absl::SimpleAtoi(text, &owner);
    return absl::UnavailableError(known ? absl::StrCat("is in use by process ", owner) : "is in use");
  }
  const std::string owner = absl::StrCat(getpid(), "\n");
  // Only people read it; without it the lock is as good.
  if (ftruncate(fd, 0) != 0 || pwrite(fd, owner.data(), owner.size(), 0) < 0) errno = 0;
  return lock;
}

FileLock::~FileLock() { close(fd_); }

}  // namespace taskwatch
