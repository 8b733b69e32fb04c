// What the client sets on the context of each attempt: the deadline and the headers.
#ifndef TASKWATCH_CLIENT_INTERNAL_CALL_CONTEXT_H_
#define TASKWATCH_CLIENT_INTERNAL_CALL_CONTEXT_H_

#include <grpcpp/client_context.h>

#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "taskwatch/client/options.h"

namespace taskwatch::client {

// A context that ends at `deadline`, with `metadata` and what `credentials` (which may be unset) gives. Fails with the
// error of `credentials`, or with INVALID_ARGUMENT for a header that HTTP/2 does not allow: gRPC would end the process.
// The error never shows a header's value.
absl::StatusOr<std::shared_ptr<grpc::ClientContext>> NewContext(absl::Time deadline, const Metadata& metadata,
                                                                const Credentials& credentials);

}  // namespace taskwatch::client

#endif  // TASKWATCH_CLIENT_INTERNAL_CALL_CONTEXT_H_
