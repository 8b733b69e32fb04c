// A TCP server that does to its clients what no HTTP library would.
#ifndef TASKWATCH_TESTS_FAKES_RAW_SERVER_H_
#define TASKWATCH_TESTS_FAKES_RAW_SERVER_H_

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace taskwatch {

// Listens on a free port of 127.0.0.1. Each connection has a thread; the behaviour is called for each request head that
// comes in over it. Destroying the server ends all of them.
class RawServer {
 public:
  class Connection {
   public:
    // Sends all of it; false once the client is gone or the server ends.
    bool Send(absl::string_view bytes);
    // Closes so that the client sees a reset instead of an end.
    void Reset();
    // Closes in good order.
    void Close();
    // Returns when the client has gone, or the server ends.
    void WaitUntilGone();
    // The same, but gives up after `timeout`; whether the client has gone.
    bool IsGoneWithin(absl::Duration timeout);

   private:
    friend class RawServer;
    explicit Connection(int fd) : fd_(fd) {}
    int fd_;
    bool open_ = true;
  };
  // Called with the request's head, from its first byte to the empty line.
  using Behaviour = std::function<void(Connection&, const std::string& head)>;

  explicit RawServer(Behaviour behaviour);
  ~RawServer();

  int port() const { return port_; }
  std::string url() const;

  // How many request heads have come in.
  int requests() const;
  int connections() const;
  // The latest of them.
  std::string last_head() const;

 private:
  void Accept();
  void Serve(int fd);

  const Behaviour behaviour_;
  int listener_ = -1;
  int port_ = 0;
  std::thread acceptor_;
  mutable absl::Mutex mutex_;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  int requests_ ABSL_GUARDED_BY(mutex_) = 0;
  std::string last_head_ ABSL_GUARDED_BY(mutex_);
  std::vector<int> open_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace taskwatch

#endif  // TASKWATCH_TESTS_FAKES_RAW_SERVER_H_
