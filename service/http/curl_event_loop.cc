#include "service/http/curl_event_loop.h"

#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

namespace taskwatch {
namespace {

// How long to sleep when no timer is set; any wake-up ends it sooner.
constexpr absl::Duration kLongestSleep = absl::Minutes(1);

// Room for so many posted callbacks stays allocated.
constexpr size_t kMostKept = 1024;

absl::Duration MonotonicNow() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return absl::DurationFromTimespec(now);
}

CURLM* NewMulti() {
  // Not thread-safe, and needed before any other use of libcurl; done once, for the first loop.
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  return initialised == CURLE_OK ? curl_multi_init() : nullptr;
}

// Ends the process if libcurl refuses the option: a loop without it would hang, or know no bounds.
template <typename Value>
void Set(CURLM* multi, CURLMoption option, Value value) {
  const CURLMcode result = curl_multi_setopt(multi, option, value);
  if (result == CURLM_OK) return;
  spdlog::critical("http: libcurl {} refuses option {} of its multi interface: {}",
                   curl_version_info(CURLVERSION_NOW)->version, static_cast<int>(option), curl_multi_strerror(result));
  std::abort();
}

}  // namespace

CurlEventLoop::Descriptor::~Descriptor() { close(fd_); }

CurlEventLoop::CurlEventLoop(const Options& options)
    : epoll_(epoll_create1(EPOLL_CLOEXEC)), wakeup_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), multi_(NewMulti()) {
  epoll_event wakeup = {};
  // Edge-triggered: each write wakes once, and nothing has to be read back.
  wakeup.events = EPOLLIN | EPOLLET;
  wakeup.data.fd = wakeup_.get();
  // Only a process without descriptors or memory left fails here, and it cannot serve anyone.
  if (multi_ == nullptr || epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wakeup_.get(), &wakeup) != 0) std::abort();
  Set(multi_.get(), CURLMOPT_SOCKETFUNCTION, &CurlEventLoop::OnSocket);
  Set(multi_.get(), CURLMOPT_SOCKETDATA, this);
  Set(multi_.get(), CURLMOPT_TIMERFUNCTION, &CurlEventLoop::OnCurlTimeout);
  Set(multi_.get(), CURLMOPT_TIMERDATA, this);
  Set(multi_.get(), CURLMOPT_MAX_HOST_CONNECTIONS, options.max_connections);
  Set(multi_.get(), CURLMOPT_MAX_TOTAL_CONNECTIONS, options.max_connections);
  Set(multi_.get(), CURLMOPT_MAXCONNECTS, options.max_connections);
}

CurlEventLoop::~CurlEventLoop() {
  for (auto& [easy, done] : transfers_) curl_multi_remove_handle(multi_.get(), easy);
}

void CurlEventLoop::Run() {
  while (!stopping_.load(std::memory_order_acquire)) {
    RunPosted();
    RunDueTimers();
    RunCurlTimeout();
    FinishTransfers();
    Poll();
  }
}

void CurlEventLoop::Stop() {
  stopping_.store(true, std::memory_order_release);
  Wake();
}

void CurlEventLoop::Wake() {
  const uint64_t one = 1;
  // Fails only when the counter is full, which 64 bits never are.
  static_cast<void>(write(wakeup_.get(), &one, sizeof(one)) == sizeof(one));
}

void CurlEventLoop::Post(Callback callback) {
  bool wake = false;
  {
    absl::MutexLock lock(&mutex_);
    posted_.push_back(std::move(callback));
    wake = std::exchange(asleep_, false);
  }
  if (wake) Wake();
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
  {
    absl::MutexLock lock(&mutex_);
    asleep_ = false;
    running_.swap(posted_);
  }
  // What these post runs in the next round, so that work which posts itself again holds up neither timers nor
  // transfers.
  for (size_t i = 0; i < running_.size(); ++i) {
    if (stopping_.load(std::memory_order_acquire)) {
      absl::MutexLock lock(&mutex_);
      posted_.insert(posted_.begin(), std::make_move_iterator(running_.begin() + i),
                     std::make_move_iterator(running_.end()));
      break;
    }
    std::exchange(running_[i], nullptr)();
  }
  running_.clear();
  // A burst's memory is not kept.
  if (running_.capacity() > kMostKept) running_.shrink_to_fit();
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

void CurlEventLoop::RunCurlTimeout() {
  if (curl_due_ == absl::InfiniteDuration() || curl_due_ > MonotonicNow()) return;
  curl_due_ = absl::InfiniteDuration();
  int running = 0;
  curl_multi_socket_action(multi_.get(), CURL_SOCKET_TIMEOUT, 0, &running);
}

void CurlEventLoop::Poll() {
  absl::Duration due = curl_due_;
  if (!timers_.empty()) due = std::min(due, timers_.begin()->first.first);
  absl::Duration sleep = kLongestSleep;
  if (due != absl::InfiniteDuration()) sleep = std::clamp(due - MonotonicNow(), absl::ZeroDuration(), sleep);
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
  std::array<epoll_event, 64> events;
  const int ready = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                               static_cast<int>(absl::ToInt64Milliseconds(milliseconds)));
  for (int i = 0; i < ready; ++i) {
    const int socket = events[i].data.fd;
    if (socket == wakeup_.get()) continue;
    int mask = 0;
    if ((events[i].events & EPOLLIN) != 0) mask |= CURL_CSELECT_IN;
    if ((events[i].events & EPOLLOUT) != 0) mask |= CURL_CSELECT_OUT;
    if ((events[i].events & (EPOLLERR | EPOLLHUP)) != 0) mask |= CURL_CSELECT_ERR;
    int running = 0;
    curl_multi_socket_action(multi_.get(), socket, mask, &running);
  }
  FinishTransfers();
}

int CurlEventLoop::OnSocket(CURL*, curl_socket_t socket, int what, void* self, void* known) {
  auto* const loop = static_cast<CurlEventLoop*>(self);
  if (what == CURL_POLL_REMOVE) {
    epoll_ctl(loop->epoll_.get(), EPOLL_CTL_DEL, socket, nullptr);
    return 0;
  }
  epoll_event event = {};
  event.data.fd = socket;
  if (what != CURL_POLL_OUT) event.events |= EPOLLIN;
  if (what != CURL_POLL_IN) event.events |= EPOLLOUT;
  // libcurl hands back whatever was assigned to a socket that it has told us of before.
  epoll_ctl(loop->epoll_.get(), known == nullptr ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, socket, &event);
  if (known == nullptr) curl_multi_assign(loop->multi_.get(), socket, self);
  return 0;
}

int CurlEventLoop::OnCurlTimeout(CURLM*, long milliseconds, void* self) {
  static_cast<CurlEventLoop*>(self)->curl_due_ =
      milliseconds < 0 ? absl::InfiniteDuration() : MonotonicNow() + absl::Milliseconds(milliseconds);
  return 0;
}

}  // namespace taskwatch
