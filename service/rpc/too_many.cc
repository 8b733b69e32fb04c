#include "service/rpc/too_many.h"

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

#include "service/rpc/status_conversion.h"
#include "service/task/task_error.h"

namespace taskwatch {
namespace {

grpc::Status TooMany(ErrorReason reason, absl::Duration retry_after, absl::string_view message) {
  ErrorDetails details;
  details.reason = reason;
  details.persistence = Persistence::kTransient;
  details.retry_after = retry_after;
  return ToGrpcStatus(MakeError(details, message));
}

}  // namespace

grpc::Status TooManyWatchers(size_t max) {
  return TooMany(ErrorReason::kTooManyWatchers, absl::Seconds(5),
                 absl::StrCat("this server watches and waits for ", max,
                              " callers already, which is all that it may; try another one, or later"));
}

grpc::Status TooManyCalls(size_t max) {
  return TooMany(ErrorReason::kTooManyCalls, absl::Seconds(1),
                 absl::StrCat("this server may have ", max, " calls open and has as many; try another one, or later"));
}

}  // namespace taskwatch
