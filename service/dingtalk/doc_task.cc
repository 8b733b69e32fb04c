#include "service/dingtalk/doc_task.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "service/dingtalk/ban_page.h"
#include "service/task/task_error.h"
#include "service/text/json_value.h"
#include "service/text/printable_text.h"

namespace taskwatch {
namespace {

constexpr size_t kMaxExcerpt = 40;

absl::Status Malformed(absl::string_view what) {
  ErrorDetails details;
  details.reason = ErrorReason::kUpstreamMalformedResponse;
  details.persistence = Persistence::kTransient;
  return MakeError(details, absl::StrCat("DingTalk's answer is not this task's info: ", what));
}

bool IsNullOrMissing(const JsonValue* value) { return value == nullptr || value->kind == JsonValue::Kind::kNull; }

// What `value` is, for a message.
std::string Describe(const JsonValue& value, absl::string_view secret) {
  switch (value.kind) {
    case JsonValue::Kind::kArray:
      return "an array";
    case JsonValue::Kind::kObject:
      return "an object";
    case JsonValue::Kind::kString:
      return absl::StrCat("\"", PrintableExcerpt(value.text, kMaxExcerpt, secret), "\"");
    case JsonValue::Kind::kNull:
    case JsonValue::Kind::kBool:
    case JsonValue::Kind::kNumber:
      break;
  }
  return PrintableExcerpt(value.text, kMaxExcerpt, secret);
}

// Whether the answer may be about `task_id`: a numeric id counts as its digits.
absl::Status CheckTaskId(const JsonValue* answered, absl::string_view task_id) {
  if (IsNullOrMissing(answered)) return absl::OkStatus();
  if (answered->kind != JsonValue::Kind::kString && answered->kind != JsonValue::Kind::kNumber) {
    return Malformed("taskId is neither a string nor a number");
  }
  if (answered->text != task_id) return Malformed("taskId is another task's");
  return absl::OkStatus();
}

absl::StatusOr<int32_t> ParseStatus(const JsonValue* status, absl::string_view secret) {
  if (IsNullOrMissing(status)) return Malformed("it has no status");
  const std::optional<int64_t> value = status->AsInteger();
  if (!value.has_value() || *value < std::numeric_limits<int32_t>::min() ||
      *value > std::numeric_limits<int32_t>::max()) {
    return Malformed(absl::StrCat("status is ", Describe(*status, secret), ", not an int32"));
  }
  return static_cast<int32_t>(*value);
}

absl::StatusOr<std::optional<int64_t>> ParseCount(const JsonValue& answer, absl::string_view name,
                                                  absl::string_view secret) {
  const JsonValue* count = answer.Find(name);
  if (IsNullOrMissing(count)) return std::optional<int64_t>();
  const std::optional<int64_t> value = count->AsInteger();
  if (!value.has_value() || *value < 0) {
    return Malformed(absl::StrCat(name, " is ", Describe(*count, secret), ", not a count"));
  }
  return value;
}

}  // namespace

TaskState TaskStateFromUpstream(int32_t upstream_status) {
  switch (upstream_status) {
    case -1:
      return TaskState::kWaiting;
    case 0:
      return TaskState::kRunning;
    case 1:
      return TaskState::kSucceeded;
    case 2:
      return TaskState::kPartiallyFailed;
    case 3:
      return TaskState::kAllFailed;
    case 4:
      return TaskState::kFailed;
    default:
      return TaskState::kUnrecognized;
  }
}

absl::StatusOr<TaskInfo> ParseTaskInfo(absl::string_view task_id, absl::string_view body, absl::string_view secret) {
  const absl::StatusOr<JsonValue> answer = ParseJson(body);
  if (!answer.ok()) return Malformed(answer.status().message());
  if (answer->kind != JsonValue::Kind::kObject) return Malformed("it is not a JSON object");
  if (IsPunishment(*answer)) return Malformed("it is the refusal that a banned address gets");
  if (absl::Status checked = CheckTaskId(answer->Find("taskId"), task_id); !checked.ok()) return checked;
  const absl::StatusOr<int32_t> status = ParseStatus(answer->Find("status"), secret);
  if (!status.ok()) return status.status();

  TaskInfo info;
  info.task_id = std::string(task_id);
  info.upstream_status = *status;
  info.state = TaskStateFromUpstream(*status);
  struct CountField {
    absl::string_view name;
    std::optional<int64_t> TaskInfo::*member;
  };
  for (const CountField& field :
       {CountField{"totalCount", &TaskInfo::total_count}, CountField{"succCount", &TaskInfo::succeeded_count},
        CountField{"failCount", &TaskInfo::failed_count}}) {
    const absl::StatusOr<std::optional<int64_t>> count = ParseCount(*answer, field.name, secret);
    if (!count.ok()) return count.status();
    info.*field.member = *count;
  }
  return info;
}

}  // namespace taskwatch
