// What callers are told for whom there is no room.
#ifndef TASKWATCH_SERVICE_RPC_TOO_MANY_H_
#define TASKWATCH_SERVICE_RPC_TOO_MANY_H_

#include <grpcpp/support/status.h>

#include <cstddef>

namespace taskwatch {

// RESOURCE_EXHAUSTED with the reason TOO_MANY_WATCHERS and a RetryInfo, of a server that may have `max` watches and
// waits open.
grpc::Status TooManyWatchers(size_t max);

// The same with TOO_MANY_CALLS, of a server that may have `max` other calls open.
grpc::Status TooManyCalls(size_t max);

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_RPC_TOO_MANY_H_
