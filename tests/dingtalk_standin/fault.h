// What can go wrong with a call to DingTalk, to be injected into the stand-in.
#ifndef TASKWATCH_TESTS_DINGTALK_STANDIN_FAULT_H_
#define TASKWATCH_TESTS_DINGTALK_STANDIN_FAULT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "tests/dingtalk_standin/api.h"
#include "tests/dingtalk_standin/http_message.h"

namespace taskwatch::standin {

// Either replaces the answer (`http_status` is set) or lets the call be handled as ever and changes what comes back.
//
// A replaced answer counts against the month's quota if it is a 200 or a 5xx: then the gateway has passed the call on.
struct Fault {
  // Changes the body of a 200; errors stay as they are.
  enum class Edit {
    kNone,
    // The second half of the body is missing, under a Content-Length that agrees.
    kTruncate,
    // The body speaks of another task, which has succeeded.
    kOtherTask,
    // The counts of items done of a task that has not ended are halved: they go back.
    kShrink,
  };

  static constexpr int64_t kUntilCleared = -1;

  // Unset: every API.
  std::optional<Api> api;
  // How many of the next calls it strikes.
  int64_t count = 1;

  // 0: the answer is not replaced.
  int http_status = 0;
  // Set, the replaced answer is DingTalk's error body with this code; else it is `body`.
  std::string code;
  std::string message;
  std::vector<std::string> required_scopes;
  std::string body;
  std::string content_type = "application/json;charset=utf-8";

  Edit edit = Edit::kNone;
  // The task call tells what was so long ago, as a replica does that lags behind: an older state, or that there is no
  // such task yet.
  absl::Duration age = absl::ZeroDuration();
  // All tokens become invalid first, the preset ones too.
  bool drop_tokens = false;
  // Added to the answer.
  Headers headers;
  Transport transport = Transport::kNormal;
  size_t huge_bytes = 0;
  absl::Duration delay = absl::ZeroDuration();
};

// A fault known by name, for one call of any API. The names:
//
//   system_error, unknown_error, operation_timeout, param_error       the errors of the task call's API page
//   system_busy                                                       429
//   qps_limit, qpm_limit, monthly_limit                               refused for the rate or the quota
//   permission_denied, ip_not_in_white_list                           configuration; the first names a scope
//   invalid_token                                                     every token is invalid from now on
//   ip_ban_html, punish                                               the caller's IP is banned: a page, a JSON body
//   html_502                                                          a proxy's error page
//   malformed_null, malformed_array, malformed_empty, malformed_result, malformed_truncated, malformed_other_task
//                                                                     200 with a body that is not this task's
//   stale                                                             the task as it was 10 s ago; see `age`
//   shrink                                                            fewer items done than there are
//   slow                                                              answered as ever, 4 s late
//   redirect                                                          302; set the header `Location`
//   hang, drip, close, reset, huge                                    see Transport; huge is 64 MiB
//
// NotFound for any other name.
absl::StatusOr<Fault> CannedFault(absl::string_view name);

}  // namespace taskwatch::standin

#endif  // TASKWATCH_TESTS_DINGTALK_STANDIN_FAULT_H_
