#include "tests/dingtalk_standin/connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "absl/time/clock.h"

namespace taskwatch::standin {
namespace {

// Waits for one of `events`, an error or the end of the connection; false if `timeout` is over first.
bool Poll(int socket, short events, absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  while (true) {
    // poll() takes no more than an int, and a negative one for ever.
    const absl::Duration left = absl::Ceil(deadline - absl::Now(), absl::Milliseconds(1));
    const int64_t milliseconds = std::clamp<int64_t>(absl::ToInt64Milliseconds(left), 0, INT32_MAX);
    pollfd polled = {socket, events, 0};
    const int result = poll(&polled, 1, left == absl::InfiniteDuration() ? -1 : static_cast<int>(milliseconds));
    if (result > 0) return true;
    if (result == 0) return false;
    if (errno != EINTR) return true;
  }
}

}  // namespace

Connection::Connection(int socket, SSL_CTX* tls) : socket_(socket), tls_(tls == nullptr ? nullptr : SSL_new(tls)) {}

bool Connection::Handshake() {
  return tls_ == nullptr || (SSL_set_fd(tls_.get(), socket_) == 1 && SSL_accept(tls_.get()) == 1);
}

bool Connection::AwaitRequest(absl::Duration timeout) {
  return buffer_begin_ != buffer_end_ || (tls_ != nullptr && SSL_pending(tls_.get()) > 0) ||
         Poll(socket_, POLLIN, timeout);
}

bool Connection::AwaitDeparture(absl::Duration timeout) { return Poll(socket_, POLLRDHUP, timeout); }

void Connection::Abort() {
  Mute();
  const linger abort_on_close = {1, 0};
  setsockopt(socket_, SOL_SOCKET, SO_LINGER, &abort_on_close, sizeof(abort_on_close));
}

bool Connection::is_readable() const {
  return buffer_begin_ != buffer_end_ || Poll(socket_, POLLIN, absl::ZeroDuration());
}

bool Connection::is_writable() const { return !muted_ && Poll(socket_, POLLOUT, absl::ZeroDuration()); }

ssize_t Connection::read(char* data, size_t size) {
  if (buffer_begin_ == buffer_end_) {
    const ssize_t count = ReadSome(buffer_.data(), buffer_.size());
    if (count <= 0) return count;
    buffer_begin_ = 0;
    buffer_end_ = static_cast<size_t>(count);
  }
  const size_t count = std::min(size, buffer_end_ - buffer_begin_);
  std::memcpy(data, buffer_.data() + buffer_begin_, count);
  buffer_begin_ += count;
  return static_cast<ssize_t>(count);
}

ssize_t Connection::ReadSome(char* data, size_t size) {
  if (tls_ != nullptr) return SSL_read(tls_.get(), data, static_cast<int>(size));
  ssize_t count;
  do {
    count = recv(socket_, data, size, 0);
  } while (count < 0 && errno == EINTR);
  return count;
}

ssize_t Connection::write(const char* data, size_t size) {
  if (muted_) return -1;
  if (tls_ != nullptr) {
    const int piece = static_cast<int>(std::min<size_t>(size, INT32_MAX));
    const int count = SSL_write(tls_.get(), data, piece);
    return count > 0 ? count : -1;
  }
  ssize_t count;
  do {
    count = send(socket_, data, size, MSG_NOSIGNAL);
  } while (count < 0 && errno == EINTR);
  return count;
}

// Nobody asks for them.
void Connection::get_remote_ip_and_port(std::string& ip, int& port) const {
  ip.clear();
  port = 0;
}

void Connection::get_local_ip_and_port(std::string& ip, int& port) const { get_remote_ip_and_port(ip, port); }

}  // namespace taskwatch::standin
