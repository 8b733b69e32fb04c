// A request and an answer as the stand-in for DingTalk sees them, free of any transport.
#ifndef TASKWATCH_TESTS_DINGTALK_STANDIN_HTTP_MESSAGE_H_
#define TASKWATCH_TESTS_DINGTALK_STANDIN_HTTP_MESSAGE_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace taskwatch::standin {

using Headers = std::vector<std::pair<std::string, std::string>>;

// The value of the first header of that name, whatever its case; empty if there is none.
inline absl::string_view HeaderValue(const Headers& headers, absl::string_view name) {
  for (const auto& [key, value] : headers) {
    if (absl::EqualsIgnoreCase(key, name)) return value;
  }
  return {};
}

struct Request {
  std::string method;
  // As it stood in the request line, with the query: neither decoded nor normalised.
  std::string path;
  Headers headers;
  std::string body;
};

// What becomes of an answer on its way.
enum class Transport {
  // Sent as it is.
  kNormal,
  // Nothing is sent, and the connection stays open until the client gives up.
  kHang,
  // The headers at once, then one byte of the body a second.
  kDrip,
  // The connection ends in order (FIN), without an answer.
  kClose,
  // The connection is aborted (RST), without an answer.
  kReset,
  // Instead of the body, `huge_bytes` spaces in chunks, so that no header tells the size.
  kHuge,
};

struct Answer {
  int status = 200;
  Headers headers;
  std::string body;
  Transport transport = Transport::kNormal;
  size_t huge_bytes = 0;
  // To pass before anything of `transport` happens.
  absl::Duration delay = absl::ZeroDuration();
};

}  // namespace taskwatch::standin

#endif  // TASKWATCH_TESTS_DINGTALK_STANDIN_HTTP_MESSAGE_H_
