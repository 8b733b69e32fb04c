#include "tests/fakes/raw_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"

namespace taskwatch {

bool RawServer::Connection::Send(absl::string_view bytes) {
  while (open_ && !bytes.empty()) {
    const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(sent);
  }
  return open_;
}

void RawServer::Connection::Reset() {
  const linger now = {1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  open_ = false;
}

void RawServer::Connection::Close() { open_ = false; }

void RawServer::Connection::WaitUntilGone() {
  while (!IsGoneWithin(absl::Minutes(1))) {
  }
}

bool RawServer::Connection::IsGoneWithin(absl::Duration timeout) {
  pollfd readable = {fd_, POLLIN, 0};
  if (poll(&readable, 1, static_cast<int>(absl::ToInt64Milliseconds(timeout))) == 0) return false;
  char byte;
  if (recv(fd_, &byte, 1, 0) <= 0) open_ = false;
  return !open_;
}

RawServer::RawServer(Behaviour behaviour) : behaviour_(std::move(behaviour)) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener_, 128) != 0 ||
      getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::abort();
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { Accept(); });
}

RawServer::~RawServer() {
  std::vector<std::thread> threads;
  {
    absl::MutexLock lock(&mutex_);
    ending_ = true;
    shutdown(listener_, SHUT_RDWR);
    for (const int fd : open_) shutdown(fd, SHUT_RDWR);
  }
  acceptor_.join();
  {
    absl::MutexLock lock(&mutex_);
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) thread.join();
  close(listener_);
}

std::string RawServer::url() const { return absl::StrCat("http://127.0.0.1:", port_); }

int RawServer::requests() const {
  absl::MutexLock lock(&mutex_);
  return requests_;
}

int RawServer::connections() const {
  absl::MutexLock lock(&mutex_);
  return static_cast<int>(threads_.size());
}

std::string RawServer::last_head() const {
  absl::MutexLock lock(&mutex_);
  return last_head_;
}

void RawServer::Accept() {
  while (true) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    absl::MutexLock lock(&mutex_);
    if (fd < 0 || ending_) {
      if (fd >= 0) close(fd);
      return;
    }
    open_.push_back(fd);
    threads_.emplace_back([this, fd] { Serve(fd); });
  }
}

void RawServer::Serve(int fd) {
  Connection connection(fd);
  std::string head;
  char byte;
  while (connection.open_ && recv(fd, &byte, 1, 0) == 1) {
    head.push_back(byte);
    if (head.size() < 4 || head.compare(head.size() - 4, 4, "\r\n\r\n") != 0) continue;
    {
      absl::MutexLock lock(&mutex_);
      ++requests_;
      last_head_ = head;
    }
    behaviour_(connection, head);
    head.clear();
  }
  absl::MutexLock lock(&mutex_);
  open_.erase(std::find(open_.begin(), open_.end(), fd));
  close(fd);
}

}  // namespace taskwatch
