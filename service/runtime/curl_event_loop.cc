#include "service/runtime/curl_event_loop.h"

#include <time.h>

#include <algorithm>

namespace taskwatch {
namespace {

// How long to sleep when no timer is set; any wake-up ends it sooner.
constexpr absl::Duration kLongestSleep = absl::Minutes(1);

absl::Duration MonotonicNow() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return absl::DurationFromTimespec(now);
}

CURLM* NewMulti() {
  // Not thread-safe, and needed before any other use of libcurl; done once, by whoever comes first.
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  return initialised == CURLE_OK ? curl_multi_init() : nullptr;
}

}  // namespace

CurlEventLoop::CurlEventLoop(const Options& options) : multi_(NewMulti()) {
  curl_multi_setopt(multi_.get(), CURLMOPT_MAX_HOST_CONNECTIONS, options.max_connections);
  curl_multi_setopt(multi_.get(), CURLMOPT_MAX_TOTAL_CONNECTIONS, options.max_connections);
  curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, options.max_connections);
}

CurlEventLoop::~CurlEventLoop() {
  for (auto& [easy, done] : transfers_) curl_multi_remove_handle(multi_.get(), easy);
}

void CurlEventLoop::Run() {
  while (!stopping_.load(std::memory_order_acquire)) {
    RunPosted();
    RunDueTimers();
    int running = 0;
    curl_multi_perform(multi_.get(), &running);
    FinishTransfers();
    Poll();
  }
}

void CurlEventLoop::Stop() {
  stopping_.store(true, std::memory_order_release);
  curl_multi_wakeup(multi_.get());
}

void CurlEventLoop::Post(Callback callback) {
  bool wake = false;
  {
    absl::MutexLock lock(&mutex_);
    posted_.push_back(std::move(callback));
    wake = std::exchange(asleep_, false);
  }
  if (wake) curl_multi_wakeup(multi_.get());
}

EventLoop::TimerId CurlEventLoop::RunAfter(absl::Duration delay, Callback callback) {
  TimerId id;
  id.due = MonotonicNow() + std::max(delay, absl::ZeroDuration());
  id.sequence = ++last_sequence_;
  timers_.emplace(std::make_pair(id.due, id.sequence), std::move(callback));
  return id;
}

bool CurlEventLoop::CancelTimer(TimerId id) { return timers_.erase({id.due, id.sequence}) > 0; }

void CurlEventLoop::StartTransfer(CURL* easy, TransferDone done) {
  transfers_[easy] = std::move(done);
  if (curl_multi_add_handle(multi_.get(), easy) == CURLM_OK) return;
  Post([this, easy] {
    auto transfer = transfers_.extract(easy);
    if (!transfer.empty()) transfer.mapped()(CURLE_FAILED_INIT);
  });
}

void CurlEventLoop::CancelTransfer(CURL* easy) {
  curl_multi_remove_handle(multi_.get(), easy);
  transfers_.erase(easy);
}

void CurlEventLoop::RunPosted() {
  std::vector<Callback> posted;
  {
    absl::MutexLock lock(&mutex_);
    asleep_ = false;
    posted.swap(posted_);
  }
  // What these post runs in the next round, so that work which posts itself again holds up neither timers nor
  // transfers.
  for (size_t i = 0; i < posted.size(); ++i) {
    if (stopping_.load(std::memory_order_acquire)) {
      absl::MutexLock lock(&mutex_);
      posted_.insert(posted_.begin(), std::make_move_iterator(posted.begin() + i),
                     std::make_move_iterator(posted.end()));
      return;
    }
    posted[i]();
  }
}

void CurlEventLoop::RunDueTimers() {
  if (timers_.empty()) return;
  const absl::Duration now = MonotonicNow();
  while (!timers_.empty() && timers_.begin()->first.first <= now && !stopping_.load(std::memory_order_acquire)) {
    Callback callback = std::move(timers_.begin()->second);
    timers_.erase(timers_.begin());
    callback();
  }
}

void CurlEventLoop::FinishTransfers() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* const easy = message->easy_handle;
    const CURLcode result = message->data.result;
    curl_multi_remove_handle(multi_.get(), easy);
    auto transfer = transfers_.extract(easy);
    if (!transfer.empty()) transfer.mapped()(result);
  }
}

void CurlEventLoop::Poll() {
  absl::Duration sleep = kLongestSleep;
  if (!timers_.empty()) sleep = std::clamp(timers_.begin()->first.first - MonotonicNow(), absl::ZeroDuration(), sleep);
  {
    absl::MutexLock lock(&mutex_);
    if (!posted_.empty()) {
      sleep = absl::ZeroDuration();
    } else {
      asleep_ = true;
    }
  }
  // Rounded up: waking before the timer is due would spin through the rest of the millisecond.
  const absl::Duration milliseconds = absl::Ceil(sleep, absl::Milliseconds(1));
  curl_multi_poll(multi_.get(), nullptr, 0, static_cast<int>(absl::ToInt64Milliseconds(milliseconds)), nullptr);
}

}  // namespace taskwatch
