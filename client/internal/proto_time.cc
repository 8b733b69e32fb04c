#include "client/internal/proto_time.h"

#include <algorithm>
#include <cstdint>

namespace taskwatch::client {

absl::Time FromProto(const google::protobuf::Timestamp& timestamp) {
  return absl::FromUnixSeconds(timestamp.seconds()) + absl::Nanoseconds(timestamp.nanos());
}

google::protobuf::Duration ToProto(absl::Duration duration) {
  // 10,000 years, as duration.proto says.
  constexpr absl::Duration kLongest = absl::Seconds(315'576'000'000);
  absl::Duration rest = std::clamp(duration, -kLongest, kLongest);
  google::protobuf::Duration result;
  result.set_seconds(absl::IDivDuration(rest, absl::Seconds(1), &rest));
  result.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(rest)));
  return result;
}

}  // namespace taskwatch::client
