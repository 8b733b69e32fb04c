// The server's end of one TCP or TLS connection, under cpp-httplib's parser.
#ifndef TASKWATCH_TESTS_DINGTALK_STANDIN_CONNECTION_H_
#define TASKWATCH_TESTS_DINGTALK_STANDIN_CONNECTION_H_

#include <httplib.h>
#include <openssl/ssl.h>

#include <array>
#include <cstddef>
#include <memory>
#include <string>

#include "absl/time/time.h"

namespace taskwatch::standin {

struct SslDeleter {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

// Blocks in reads and writes, on the one thread that uses it; shutdown(2) on its socket from another thread ends them
// all. Does not own the socket.
class Connection final : public httplib::Stream {
 public:
  // `tls` may be null. Call Handshake before anything else.
  Connection(int socket, SSL_CTX* tls);

  // Whether the connection can be used.
  bool Handshake();

  // Waits for the next request to begin; false if the connection has ended or stays idle for `timeout`.
  bool AwaitRequest(absl::Duration timeout);

  // Waits until the client has gone or `timeout` is over, whichever comes first; returns whether the client has gone.
  bool AwaitDeparture(absl::Duration timeout);

  // Writes nothing any more.
  void Mute() { muted_ = true; }
  bool muted() const { return muted_; }

  // Mutes, and makes closing the socket abort the connection (RST).
  void Abort();

  bool is_readable() const override;
  bool is_writable() const override;
  ssize_t read(char* data, size_t size) override;
  ssize_t write(const char* data, size_t size) override;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  socket_t socket() const override { return socket_; }

 private:
  ssize_t ReadSome(char* data, size_t size);

  const int socket_;
  const std::unique_ptr<SSL, SslDeleter> tls_;
  bool muted_ = false;
  // The parser reads byte by byte.
  std::array<char, 4096> buffer_;
  size_t buffer_begin_ = 0;
  size_t buffer_end_ = 0;
};

}  // namespace taskwatch::standin

#endif  // TASKWATCH_TESTS_DINGTALK_STANDIN_CONNECTION_H_
