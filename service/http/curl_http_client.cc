#include "service/http/curl_http_client.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <string>
#include <utility>

#include "absl/status/status.h"

#include "service/runtime/post_answer.h"

namespace taskwatch {
namespace {

// With less time than this left, an answer cannot come in time.
constexpr absl::Duration kTooLate = absl::Milliseconds(5);

constexpr absl::Duration kWatchdogInterval = absl::Seconds(1);
// How long after its timeout a transfer is broken off: longer than a busy loop or a blocked resolver holds libcurl up.
constexpr absl::Duration kWatchdogMargin = absl::Seconds(5);
constexpr absl::Duration kLogInterval = absl::Minutes(1);

// The watchdog's rounds until a transfer is broken off. Rounds are counted and not the time, so that a machine which
// has slept lets libcurl go first; the next round may come at once, so it does not count.
int RoundsFor(absl::Duration timeout) {
  const absl::Duration bounded = std::clamp(timeout, absl::ZeroDuration(), absl::Hours(24));
  return static_cast<int>(absl::ToInt64Seconds(absl::Ceil(bounded + kWatchdogMargin, kWatchdogInterval))) + 1;
}

}  // namespace

CurlHttpClient::CurlHttpClient(TransferLoop* loop, Options options) : loop_(loop), options_(std::move(options)) {}

CurlHttpClient::~CurlHttpClient() {
  loop_->CancelTimer(watchdog_);
  for (const auto& [transfer, active] : active_) loop_->CancelTransfer(transfer->easy());
}

void CurlHttpClient::Send(HttpRequest request, Done done) {
  if (active_.size() < options_.max_active) return Begin(std::move(request), std::move(done));
  waiting_.push_back({std::move(request), std::move(done), loop_->Now()});
}

void CurlHttpClient::BeginWaiting() {
  while (!waiting_.empty() && active_.size() < options_.max_active) {
    Waiting next = std::move(waiting_.front());
    waiting_.pop_front();
    // A clock that was set back tells nothing of how long it has waited.
    next.request.timeout -= std::max(loop_->Now() - next.since, absl::ZeroDuration());
    if (next.request.timeout >= kTooLate) {
      Begin(std::move(next.request), std::move(next.done));
    } else {
      PostAnswer(loop_, lifetime_, std::move(next.done), NoAnswerInTime("too many requests are under way"));
    }
  }
}

void CurlHttpClient::Begin(HttpRequest request, Done done) {
  std::unique_ptr<CurlTransfer> owner;
  if (idle_.empty()) {
    owner = std::make_unique<CurlTransfer>(options_);
  } else {
    owner = std::move(idle_.back());
    idle_.pop_back();
  }
  CurlTransfer* const transfer = owner.get();
  if (const absl::Status setup = transfer->Prepare(std::move(request), std::move(done)); !setup.ok()) {
    if (!std::exchange(setup_error_logged_, true)) spdlog::error("http: {}", std::string(setup.message()));
    return PostAnswer(loop_, lifetime_, transfer->TakeDone(), setup);
  }
  active_[transfer] = {std::move(owner), RoundsFor(transfer->timeout())};
  if (!watchdog_) ArmWatchdog();
  loop_->StartTransfer(transfer->easy(), [this, transfer](CURLcode result) { Finish(transfer, result); });
}

void CurlHttpClient::Finish(CurlTransfer* transfer, CURLcode result) {
  absl::StatusOr<HttpResponse> response = transfer->TakeResult(result);
  Done done = transfer->TakeDone();
  auto active = active_.extract(transfer);
  idle_.push_back(std::move(active.mapped().transfer));
  // Posted, because `done` comes first and may destroy this client.
  if (!waiting_.empty()) loop_->Post(lifetime_.Guard([this] { BeginWaiting(); }));
  done(std::move(response));
}

void CurlHttpClient::ArmWatchdog() {
  watchdog_ = loop_->RunAfter(kWatchdogInterval, [this] { MakeRound(); });
}

void CurlHttpClient::MakeRound() {
  watchdog_ = {};
  std::vector<CurlTransfer*> overdue;
  for (auto& [transfer, active] : active_) {
    if (--active.rounds_left <= 0) overdue.push_back(transfer);
  }
  for (CurlTransfer* const transfer : overdue) {
    loop_->CancelTransfer(transfer->easy());
    PostAnswer(loop_, lifetime_, transfer->TakeDone(), NoAnswerInTime("libcurl let the timeout pass"));
    // Its handle is not used again.
    active_.erase(transfer);
  }
  broken_off_ += overdue.size();
  if (broken_off_ > broken_off_logged_ && absl::AbsDuration(loop_->Now() - last_logged_) >= kLogInterval) {
    spdlog::error("http: libcurl let the timeout of {} calls pass; they were broken off {} later",
                  broken_off_ - broken_off_logged_, absl::FormatDuration(kWatchdogMargin));
    broken_off_logged_ = broken_off_;
    last_logged_ = loop_->Now();
  }
  BeginWaiting();
  if (!active_.empty() && !watchdog_) ArmWatchdog();
}

}  // namespace taskwatch
