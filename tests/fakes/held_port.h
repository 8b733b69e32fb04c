// A port for a server that comes and goes.
#ifndef TASKWATCH_TESTS_FAKES_HELD_PORT_H_
#define TASKWATCH_TESTS_FAKES_HELD_PORT_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

namespace taskwatch {

// A port of 127.0.0.1 that stays bound, so that nobody else gets it, but on which nothing listens: connections are
// refused, until a server binds it too, with SO_REUSEADDR as servers do.
class HeldPort {
 public:
  // Aborts the test program if no port can be had.
  HeldPort() : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int yes = 1;
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    if (setsockopt(socket_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) != 0 ||
        bind(socket_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      std::abort();
    }
    port_ = ntohs(address.sin_port);
  }
  ~HeldPort() { close(socket_); }
  HeldPort(const HeldPort&) = delete;
  HeldPort& operator=(const HeldPort&) = delete;

  int port() const { return port_; }

 private:
  const int socket_;
  int port_ = 0;
};

}  // namespace taskwatch

#endif  // TASKWATCH_TESTS_FAKES_HELD_PORT_H_
