// Where a channel's name leads, as far as the name tells.
#ifndef TASKWATCH_CLIENT_INTERNAL_SERVER_ADDRESS_H_
#define TASKWATCH_CLIENT_INTERNAL_SERVER_ADDRESS_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace taskwatch::client {

enum class Reach {
  // An address of 127.0.0.0/8, [::1], or "localhost", which must resolve to one of them: the channel makes sure of that
  // when it connects. Names that only look like such ("127.example.com") lead elsewhere.
  kLoopback,
  kUnixSocket,
  kElsewhere,
};

// `server` is "host:port" or what else gRPC resolves. Fails with INVALID_ARGUMENT, and a message that says what to
// write, if it is a URL or has no port, which gRPC would take to be 443.
absl::StatusOr<Reach> ReachOf(absl::string_view server);

}  // namespace taskwatch::client

#endif  // TASKWATCH_CLIENT_INTERNAL_SERVER_ADDRESS_H_
