// An event loop in virtual time whose transfers end when the test says so, or never.
#ifndef TASKWATCH_TESTS_FAKES_FAKE_TRANSFER_LOOP_H_
#define TASKWATCH_TESTS_FAKES_FAKE_TRANSFER_LOOP_H_

#include <curl/curl.h>

#include <cstddef>
#include <utility>
#include <vector>

#include "absl/time/time.h"

#include "service/http/transfer_loop.h"
#include "service/runtime/simulated_loop.h"

namespace taskwatch {

// Performs nothing: a transfer is kept until End, or until it is cancelled. Its timeout does not end it.
class FakeTransferLoop final : public TransferLoop {
 public:
  absl::Time Now() const override { return loop_.Now(); }
  void Post(Callback callback) override { loop_.Post(std::move(callback)); }
  TimerId RunAfter(absl::Duration delay, Callback callback) override {
    return loop_.RunAfter(delay, std::move(callback));
  }
  bool CancelTimer(TimerId id) override { return loop_.CancelTimer(id); }

  void StartTransfer(CURL* easy, TransferDone done) override {
    ++started_;
    transfers_.emplace_back(easy, std::move(done));
  }
  void CancelTransfer(CURL* easy) override {
    for (auto transfer = transfers_.begin(); transfer != transfers_.end(); ++transfer) {
      if (transfer->first == easy) {
        transfers_.erase(transfer);
        return;
      }
    }
  }

  // Ends the transfer that began first of those under way.
  void End(CURLcode result) {
    TransferDone done = std::move(transfers_.front().second);
    transfers_.erase(transfers_.begin());
    done(result);
    loop_.RunPosted();
  }

  // How many have begun since the start, and how many are under way.
  int started() const { return started_; }
  size_t under_way() const { return transfers_.size(); }

  SimulatedLoop& time() { return loop_; }

 private:
  SimulatedLoop loop_;
  int started_ = 0;
  std::vector<std::pair<CURL*, TransferDone>> transfers_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_TESTS_FAKES_FAKE_TRANSFER_LOOP_H_
