#include "service/task/task_info.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace taskwatch {
namespace {

struct StateRow {
  TaskState state;
  bool done;
  absl::string_view name;
};

constexpr std::array<StateRow, 7> kStates = {{
    {TaskState::kWaiting, false, "WAITING"},
    {TaskState::kRunning, false, "RUNNING"},
    {TaskState::kSucceeded, true, "SUCCEEDED"},
    {TaskState::kPartiallyFailed, true, "PARTIALLY_FAILED"},
    {TaskState::kAllFailed, true, "ALL_FAILED"},
    {TaskState::kFailed, true, "FAILED"},
    {TaskState::kUnrecognized, false, "UNRECOGNIZED"},
}};

const StateRow& RowOf(TaskState state) { return kStates[static_cast<size_t>(state)]; }

// FNV-1a with a final avalanche. Its result is part of the contract with callers, so it cannot be a hash that may
// change with the process or the library, as absl::Hash does.
class StableHash {
 public:
  void Add(absl::string_view bytes) {
    for (const char byte : bytes) {
      value_ = (value_ ^ static_cast<unsigned char>(byte)) * 0x100000001b3u;
    }
  }
  uint64_t Finish() const {
    uint64_t value = value_;
    value = (value ^ (value >> 33)) * 0xff51afd7ed558ccdu;
    value = (value ^ (value >> 33)) * 0xc4ceb9fe1a85ec53u;
    return value ^ (value >> 33);
  }

 private:
  uint64_t value_ = 0xcbf29ce484222325u;
};

template <typename Number>
std::string NumberOrDash(const std::optional<Number>& number) {
  return number.has_value() ? absl::StrCat(*number) : "-";
}

}  // namespace

bool IsDone(TaskState state) { return RowOf(state).done; }

absl::string_view TaskStateName(TaskState state) { return RowOf(state).name; }

bool operator==(const TaskInfo& a, const TaskInfo& b) {
  const auto content = [](const TaskInfo& info) {
    return std::tie(info.task_id, info.state, info.upstream_status, info.total_count, info.succeeded_count,
                    info.failed_count);
  };
  return content(a) == content(b);
}

std::string EtagOf(const TaskInfo& info) {
  // The state follows from the upstream status except where there is none, so both are part of the content.
  StableHash hash;
  hash.Add(absl::StrCat(info.task_id, "/", TaskStateName(info.state), "/", NumberOrDash(info.upstream_status), "/",
                        NumberOrDash(info.total_count), "/", NumberOrDash(info.succeeded_count), "/",
                        NumberOrDash(info.failed_count)));
  return absl::StrCat(absl::Hex(hash.Finish(), absl::kZeroPad16));
}

bool IsValidTaskId(absl::string_view task_id) {
  return !task_id.empty() && task_id.size() <= kMaxTaskIdLength &&
         std::all_of(task_id.begin(), task_id.end(),
                     [](char c) { return absl::ascii_isalnum(c) || c == '_' || c == '-'; });
}

}  // namespace taskwatch
