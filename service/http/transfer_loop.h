// An event loop that also performs libcurl's transfers.
#ifndef TASKWATCH_SERVICE_HTTP_TRANSFER_LOOP_H_
#define TASKWATCH_SERVICE_HTTP_TRANSFER_LOOP_H_

#include <curl/curl.h>

#include "absl/functional/any_invocable.h"

#include "service/runtime/event_loop.h"

namespace taskwatch {

// The interface. CurlEventLoop is the real one; tests have one whose transfers end when the test says so.
class TransferLoop : public EventLoop {
 public:
  using TransferDone = absl::AnyInvocable<void(CURLcode)>;

  // Performs the transfer that `easy` describes and calls `done` with its result; never before returning. The caller
  // keeps owning `easy` and must not touch it until then, nor destroy it without CancelTransfer. Loop thread only.
  virtual void StartTransfer(CURL* easy, TransferDone done) = 0;

  // Breaks off a transfer; its `done` is destroyed without being called. Loop thread only.
  virtual void CancelTransfer(CURL* easy) = 0;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_HTTP_TRANSFER_LOOP_H_
