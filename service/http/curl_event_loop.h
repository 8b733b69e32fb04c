// The production event loop: it sleeps in epoll, and wakes for libcurl's sockets, timers and posted work alike.
#ifndef TASKWATCH_SERVICE_HTTP_CURL_EVENT_LOOP_H_
#define TASKWATCH_SERVICE_HTTP_CURL_EVENT_LOOP_H_

#include <curl/curl.h>

#include <atomic>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

#include "service/http/transfer_loop.h"

namespace taskwatch {

// libcurl is driven by its socket interface (curl_multi_socket_action): a wake-up costs what the sockets with news
// cost, not what all the transfers under way do, as curl_multi_perform would.
//
// The thread that calls Run is the loop's thread until Run returns. Give it a thread of its own: libcurl's resolver can
// block for moments. Before Run and after it, the loop thread's methods belong to the thread that owns the loop.
class CurlEventLoop final : public TransferLoop {
 public:
  struct Options {
    // Connections at a time, to one host and in all; further transfers wait for one.
    long max_connections = 64;
  };

  explicit CurlEventLoop(const Options& options);
  CurlEventLoop() : CurlEventLoop(Options{}) {}
  ~CurlEventLoop() override;

  CurlEventLoop(const CurlEventLoop&) = delete;
  CurlEventLoop& operator=(const CurlEventLoop&) = delete;

  // Runs callbacks until Stop. What is outstanding then is kept, unrun, until the loop is destroyed.
  void Run();

  // Makes Run return after the callback that it is in. Any thread; also before Run.
  void Stop();

  absl::Time Now() const override { return absl::Now(); }
  void Post(Callback callback) override;
  TimerId RunAfter(absl::Duration delay, Callback callback) override;
  bool CancelTimer(TimerId id) override;

  void StartTransfer(CURL* easy, TransferDone done) override;
  void CancelTransfer(CURL* easy) override;

 private:
  struct MultiDeleter {
    void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
  };
  // An open file descriptor.
  class Descriptor {
   public:
    explicit Descriptor(int fd) : fd_(fd) {}
    ~Descriptor();
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int get() const { return fd_; }

   private:
    const int fd_;
  };

  static int OnSocket(CURL* easy, curl_socket_t socket, int what, void* self, void* known);
  static int OnCurlTimeout(CURLM* multi, long milliseconds, void* self);

  void Wake();
  void RunPosted();
  void RunDueTimers();
  // Lets libcurl do what is due by its own timeout.
  void RunCurlTimeout();
  void FinishTransfers();
  // Sleeps until there is something to do, and lets libcurl work on the sockets that have news.
  void Poll();

  const Descriptor epoll_;
  const Descriptor wakeup_;
  const std::unique_ptr<CURLM, MultiDeleter> multi_;
  std::atomic<bool> stopping_{false};
  // On the monotonic clock; when libcurl wants to be called even if no socket has news.
  absl::Duration curl_due_ = absl::InfiniteDuration();

  absl::Mutex mutex_;
  std::vector<Callback> posted_ ABSL_GUARDED_BY(mutex_);
  // Whether the loop sleeps, or is about to, without knowing of anything in posted_.
  bool asleep_ ABSL_GUARDED_BY(mutex_) = false;

  // What RunPosted is at. Changes places with posted_, so that both keep their memory.
  std::vector<Callback> running_;

  uint64_t last_sequence_ = 0;
  absl::btree_map<std::pair<absl::Duration, uint64_t>, Callback> timers_;
  absl::flat_hash_map<CURL*, TransferDone> transfers_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_HTTP_CURL_EVENT_LOOP_H_
