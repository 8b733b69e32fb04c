// HttpClient on libcurl's multi interface.
#ifndef TASKWATCH_SERVICE_HTTP_CURL_HTTP_CLIENT_H_
#define TASKWATCH_SERVICE_HTTP_CURL_HTTP_CLIENT_H_

#include <curl/curl.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"

#include "service/http/curl_transfer.h"
#include "service/http/http_client.h"
#include "service/http/transfer_loop.h"
#include "service/runtime/event_loop.h"
#include "service/runtime/lifetime.h"

namespace taskwatch {

// Keeps connections alive; how it protects itself, curl_transfer.h says. Should libcurl refuse any of that, nothing is
// sent at all: every request fails with INTERNAL, and the log says once which option it was.
//
// libcurl ends each transfer at its timeout. Should it ever fail to, a watchdog breaks the transfer off some seconds
// later: its slot is free again, its `done` is told kUpstreamTimeout, and the log says so, once a minute at most.
//
// Lives on the loop's thread. Destroying it breaks off its transfers.
class CurlHttpClient final : public HttpClient {
 public:
  struct Options : CurlTransfer::Options {
    // Requests under way at a time. Later ones wait their turn, which counts against their timeout: those that have
    // hardly any time left then are not sent.
    size_t max_active = 64;
  };

  struct Stats {
    // Requests under way, and those that wait for their turn.
    size_t active = 0;
    size_t waiting = 0;
    // Transfers that the watchdog has broken off since the start.
    uint64_t broken_off = 0;
  };

  // `loop` must outlive it.
  CurlHttpClient(TransferLoop* loop, Options options);
  ~CurlHttpClient() override;

  void Send(HttpRequest request, Done done) override;

  Stats stats() const { return {active_.size(), waiting_.size(), broken_off_}; }

 private:
  struct Waiting {
    HttpRequest request;
    Done done;
    absl::Time since;
  };
  struct Active {
    std::unique_ptr<CurlTransfer> transfer;
    // The watchdog's rounds until it is broken off.
    int rounds_left;
  };

  void Begin(HttpRequest request, Done done);
  // Begins requests that waited, or fails those that have waited for too long.
  void BeginWaiting();
  void Finish(CurlTransfer* transfer, CURLcode result);

  // Sees to it that the watchdog makes a round while there is anything to watch.
  void ArmWatchdog();
  // Breaks off what libcurl should have ended.
  void MakeRound();

  TransferLoop* const loop_;
  const Options options_;
  absl::flat_hash_map<CurlTransfer*, Active> active_;
  std::deque<Waiting> waiting_;
  // Handles that have been used.
  std::vector<std::unique_ptr<CurlTransfer>> idle_;
  bool setup_error_logged_ = false;

  EventLoop::TimerId watchdog_;
  uint64_t broken_off_ = 0;
  uint64_t broken_off_logged_ = 0;
  absl::Time last_logged_ = absl::InfinitePast();

  const Lifetime lifetime_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_HTTP_CURL_HTTP_CLIENT_H_
