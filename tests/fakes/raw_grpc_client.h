// A gRPC client on bare HTTP/2 that takes no message: its window is 0, for every stream.
#ifndef TASKWATCH_TESTS_FAKES_RAW_GRPC_CLIENT_H_
#define TASKWATCH_TESTS_FAKES_RAW_GRPC_CLIENT_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

namespace taskwatch {

// No gRPC library does this: a call of a library's client at least takes in its answer. Headers and trailers are not
// subject to windows, so a call that has nothing else to say, because it is refused, ends.
//
// Settings and pings are answered, so the server sees a client that is alive.
class RawGrpcClient {
 public:
  // Connects to `address`, "127.0.0.1:50051". Aborts the test program if it cannot.
  explicit RawGrpcClient(const std::string& address);
  // Closes the connection without a word.
  ~RawGrpcClient();

  RawGrpcClient(const RawGrpcClient&) = delete;
  RawGrpcClient& operator=(const RawGrpcClient&) = delete;

  // Begins a call of `method`, "/taskwatch.v1.TaskService/WatchTask", with the serialised `request`.
  void Call(absl::string_view method, absl::string_view request);
  // Begins a call of which the request does not come.
  void CallWithoutRequest(absl::string_view method);

  // Waits until `count` calls have ended.
  void AwaitEnds(size_t count);

  size_t ended() const;
  // Those of them whose headers or trailers contain `text`; details of errors do, without any encoding.
  size_t EndedWith(absl::string_view text) const;

 private:
  struct Stream {
    // All that came in header blocks, as it came.
    std::string headers;
    bool ended = false;
  };

  uint32_t OpenStream(absl::string_view method) ABSL_EXCLUSIVE_LOCKS_REQUIRED(sending_);
  void Send(absl::string_view bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(sending_);
  // Reads frames until the connection ends.
  void Read();
  bool Receive(size_t size, std::string* bytes);
  void OnFrame(uint8_t type, uint8_t flags, uint32_t stream, const std::string& payload);

  int socket_ = -1;
  absl::Mutex sending_;
  uint32_t next_stream_ ABSL_GUARDED_BY(sending_) = 1;
  mutable absl::Mutex mutex_;
  std::map<uint32_t, Stream> streams_ ABSL_GUARDED_BY(mutex_);
  size_t ended_ ABSL_GUARDED_BY(mutex_) = 0;
  std::thread reader_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_TESTS_FAKES_RAW_GRPC_CLIENT_H_
