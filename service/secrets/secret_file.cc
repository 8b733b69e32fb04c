#include "service/secrets/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <tuple>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "service/secrets/secret_text.h"
#include "service/task/task_error.h"

namespace taskwatch {
namespace {

// Room for the longest secret and white space around it.
constexpr size_t kMaxFileSize = 2 * kMaxSecretLength;

// Longer than any file system's tick.
constexpr absl::Duration kSettleTime = absl::Seconds(3);

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() {
    if (fd_ >= 0) close(fd_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

// A stat a second costs nothing.
constexpr absl::Duration kLookAgainAfter = absl::Seconds(1);

absl::Status Unusable(std::string log_detail) {
  ErrorDetails details;
  details.reason = ErrorReason::kUpstreamUnauthenticated;
  details.persistence = Persistence::kTransient;
  details.retry_after = kLookAgainAfter;
  details.not_asked = true;
  details.log_detail = std::move(log_detail);
  return MakeError(details, "this server has no credentials for DingTalk at the moment");
}

absl::Status Unusable(absl::string_view path, absl::string_view why) {
  return Unusable(absl::StrCat("cannot use the secret file ", path, ": ", why));
}

absl::Status CannotRead(absl::string_view path) {
  return Unusable(path, absl::StrCat(strerror(errno), "; it must exist and be readable by this service's user"));
}

}  // namespace

bool SecretFile::Same(const Identity& a, const Identity& b) {
  const auto tie = [](const Identity& i) {
    return std::tie(i.device, i.inode, i.size, i.modified.tv_sec, i.modified.tv_nsec, i.changed.tv_sec,
                    i.changed.tv_nsec);
  };
  return tie(a) == tie(b);
}

SecretFile::Identity SecretFile::IdentityOf(const struct stat& attributes) {
  return {attributes.st_dev, attributes.st_ino, attributes.st_size, attributes.st_mtim, attributes.st_ctim};
}

std::optional<Secret> SecretFile::Cached() const {
  struct stat attributes;
  if (settled_ && stat(path_.c_str(), &attributes) == 0 && Same(*read_from_, IdentityOf(attributes))) return secret_;
  return std::nullopt;
}

absl::StatusOr<Secret> SecretFile::Read() {
  // A token is asked for with every call, and opening the file would be the dearest part of it.
  if (std::optional<Secret> cached = Cached()) return *std::move(cached);
  settled_ = false;
  struct stat attributes;
  // Non-blocking, so that a pipe of that name cannot hold up the loop.
  const FileDescriptor file(open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (file.get() < 0 || fstat(file.get(), &attributes) != 0) return CannotRead(path_);
  if (!S_ISREG(attributes.st_mode)) return Unusable(path_, "it is not a regular file");
  const Identity identity = IdentityOf(attributes);
  // Two changes within one tick of the file system's clock look like one: a file that has just changed is read again
  // next time, or the second change would be missed for good.
  const bool settled = now_() - absl::TimeFromTimespec(identity.changed) > kSettleTime;

  std::string content(kMaxFileSize + 1, '\0');
  size_t size = 0;
  while (size < content.size()) {
    const ssize_t count = read(file.get(), &content[size], content.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return CannotRead(path_);
    if (count == 0) break;
    size += static_cast<size_t>(count);
  }
  if (size > kMaxFileSize) return Unusable(path_, "it is too large; it must hold the secret, and nothing else");
  content.resize(size);
  absl::StatusOr<std::string> value = TrimSecret(content, absl::StrCat("the secret file ", path_));
  if (!value.ok()) return Unusable(std::string(value.status().message()));
  const bool changed = !read_from_.has_value() || !Same(*read_from_, identity) || secret_.value != *value;
  if (changed) secret_ = {*std::move(value), secret_.version + 1};
  read_from_ = identity;
  settled_ = settled;
  return secret_;
}

}  // namespace taskwatch
