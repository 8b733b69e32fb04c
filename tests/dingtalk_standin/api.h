// DingTalk's calls that the stand-in knows.
#ifndef TASKWATCH_TESTS_DINGTALK_STANDIN_API_H_
#define TASKWATCH_TESTS_DINGTALK_STANDIN_API_H_

#include <array>
#include <cstddef>
#include <optional>

#include "absl/strings/string_view.h"

namespace taskwatch::standin {

enum class Api {
  // A: POST /v1.0/oauth2/accessToken.
  kAccessToken,
  // B: POST /v1.0/oauth2/{corpId}/token.
  kCorpToken,
  // POST /v2.0/doc/dentries/copy.
  kCopy,
  // GET /v2.0/doc/task/info/{taskId}.
  kTaskInfo,
  // Whatever else is asked of it, such as a path that a crafted task id has led astray.
  kOther,
};

inline constexpr std::array<absl::string_view, 5> kApiNames = {"access_token", "corp_token", "copy", "task_info",
                                                               "other"};
inline constexpr size_t kApiCount = kApiNames.size();

inline absl::string_view ApiName(Api api) { return kApiNames[static_cast<size_t>(api)]; }

inline std::optional<Api> ApiFromName(absl::string_view name) {
  for (size_t i = 0; i < kApiCount; ++i) {
    if (kApiNames[i] == name) return static_cast<Api>(i);
  }
  return std::nullopt;
}

}  // namespace taskwatch::standin

#endif  // TASKWATCH_TESTS_DINGTALK_STANDIN_API_H_
