#include "client/cli/task_line.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "client/cli/printable.h"

namespace taskwatch::client {
namespace {

constexpr size_t kStateWidth = 16;  // "partially failed"
// The bar's columns, on a screen that is wide enough and on one that is not.
constexpr int kBarWidth = 20;
constexpr int kShortBarWidth = 10;
constexpr int kWideScreen = 75;
constexpr absl::string_view kReset = "\x1b[0m";
constexpr absl::string_view kYellow = "\x1b[33m";

struct StateLook {
  v1::TaskState state;
  absl::string_view word;
  absl::string_view color;
};

constexpr StateLook kStates[] = {
    {v1::TASK_STATE_WAITING, "waiting", "\x1b[2m"},
    {v1::TASK_STATE_RUNNING, "running", "\x1b[36m"},
    {v1::TASK_STATE_SUCCEEDED, "succeeded", "\x1b[32m"},
    {v1::TASK_STATE_PARTIALLY_FAILED, "partially failed", "\x1b[31m"},
    {v1::TASK_STATE_ALL_FAILED, "all failed", "\x1b[31m"},
    {v1::TASK_STATE_FAILED, "failed", "\x1b[31m"},
    {v1::TASK_STATE_UNRECOGNIZED, "unrecognized", "\x1b[33m"},
};

const StateLook& LookOf(v1::TaskState state) {
  for (const StateLook& look : kStates) {
    if (look.state == state) return look;
  }
  return kStates[std::size(kStates) - 1];
}

std::string Shortened(absl::string_view text, int width) {
  const auto room = static_cast<size_t>(std::max(width, 0));
  if (VisibleWidth(text) <= room) return std::string(text);
  if (room <= 2) return std::string(FirstColumns(text, room));
  return absl::StrCat(FirstColumns(text, room - 2), "..");
}

std::string Padded(std::string text, size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text;
}

// "45s", "12m", "3h"
std::string Rough(absl::Duration duration) {
  const int64_t seconds = std::max<int64_t>(absl::ToInt64Seconds(duration), 0);
  if (seconds < 120) return absl::StrCat(seconds, "s");
  if (seconds < 120 * 60) return absl::StrCat(seconds / 60, "m");
  return absl::StrCat(seconds / 3600, "h");
}

int64_t ProcessedOf(const v1::TaskInfo& task) { return task.succeeded_count() + task.failed_count(); }

// Between 0 and 1; counts are passed on as DingTalk tells them, sensible or not.
double FractionOf(const v1::TaskInfo& task) {
  return std::clamp(static_cast<double>(ProcessedOf(task)) / static_cast<double>(task.total_count()), 0.0, 1.0);
}

std::string Bar(double fraction, int width) {
  const auto full = static_cast<size_t>(fraction * width);
  return absl::StrCat("[", std::string(full, '#'), std::string(static_cast<size_t>(width) - full, '-'), "]");
}

std::string Counts(const v1::TaskInfo& task) {
  if (task.has_total_count() && task.total_count() > 0) return absl::StrCat(ProcessedOf(task), "/", task.total_count());
  if (task.has_succeeded_count() || task.has_failed_count()) return absl::StrCat(ProcessedOf(task), " items");
  return "";
}

// One part of a line, and how soon it is left out when there is no room: the highest number first.
struct Part {
  std::string text;
  int leave_out = 0;
};

std::vector<Part> PartsOf(const TaskView& view, const v1::TaskInfo& task, int bar_width, absl::Time now) {
  const bool has_total = task.total_count() > 0;
  std::vector<Part> parts = {
      {has_total ? Bar(FractionOf(task), bar_width) : "", 4},
      {has_total ? absl::StrFormat("%3d%%", static_cast<int>(FractionOf(task) * 100)) : "", 3},
      {Counts(task), 1},
      {task.failed_count() > 0 ? absl::StrCat(task.failed_count(), " failed") : "", 2},
  };
  if (task.done()) return parts;
  if (const auto rate = view.estimate.Rate(); rate.has_value()) parts.push_back({absl::StrFormat("%.1f/s", *rate), 7});
  if (const auto finish = view.estimate.FinishTime(task.total_count()); has_total && finish.has_value()) {
    parts.push_back({absl::StrCat("~", Rough(*finish - now), " left"), 5});
  }
  parts.push_back({absl::StrCat(Rough(now - view.observe_time), " ago"), 6});
  return parts;
}

// As many of the parts, in their order, as fit into `room` with two spaces before each.
std::string Fitting(std::vector<Part> parts, int room) {
  parts.erase(std::remove_if(parts.begin(), parts.end(), [](const Part& part) { return part.text.empty(); }),
              parts.end());
  while (true) {
    std::string line;
    for (const Part& part : parts) absl::StrAppend(&line, "  ", part.text);
    if (static_cast<int>(line.size()) <= room || parts.empty()) return line;
    parts.erase(std::max_element(parts.begin(), parts.end(),
                                 [](const Part& a, const Part& b) { return a.leave_out < b.leave_out; }));
  }
}

}  // namespace

absl::string_view StateWord(v1::TaskState state) { return LookOf(state).word; }

std::string PlainLine(const v1::TaskInfo& task) {
  std::string line = absl::StrCat(task.task_id(), ": ", StateWord(task.state()));
  if (task.state() == v1::TASK_STATE_UNRECOGNIZED && task.has_upstream_status()) {
    absl::StrAppend(&line, " (DingTalk's status ", task.upstream_status(), ")");
  }
  if (task.has_total_count()) {
    absl::StrAppend(&line, ", ", ProcessedOf(task), " of ", task.total_count(), " done");
  } else if (task.has_succeeded_count() || task.has_failed_count()) {
    absl::StrAppend(&line, ", ", ProcessedOf(task), " done");
  }
  if (task.failed_count() > 0) absl::StrAppend(&line, ", ", task.failed_count(), " failed");
  return line;
}

std::vector<std::string> LiveLines(const TaskView& view, const LineLayout& layout, absl::Time now) {
  const std::string id = Padded(Shortened(view.task_id, layout.id_width), static_cast<size_t>(layout.id_width));
  const std::string word(view.task.has_value() ? StateWord(view.task->state()) : view.over ? "unknown" : "asking");
  const std::string head = absl::StrCat(id, "  ", word);
  const std::string padding(word.size() < kStateWidth ? kStateWidth - word.size() : 0, ' ');
  const int left = layout.width - static_cast<int>(head.size() + padding.size());

  std::vector<std::string> lines;
  if (static_cast<int>(head.size()) > layout.width) {
    lines.push_back(Shortened(head, layout.width));
  } else {
    std::string rest;
    const int bar_width = layout.width < kWideScreen ? kShortBarWidth : kBarWidth;
    if (view.task.has_value()) rest = Fitting(PartsOf(view, *view.task, bar_width, now), left);
    const absl::string_view color = layout.color && view.task.has_value() ? LookOf(view.task->state()).color : "";
    lines.push_back(
        absl::StrCat(id, "  ", color, word, color.empty() ? "" : kReset, rest.empty() ? "" : padding, rest));
  }
  if (!view.trouble.empty()) {
    const std::string text = Shortened(absl::StrCat("  ! ", view.trouble), layout.width);
    lines.push_back(layout.color ? absl::StrCat(kYellow, text, kReset) : text);
  }
  return lines;
}

}  // namespace taskwatch::client
