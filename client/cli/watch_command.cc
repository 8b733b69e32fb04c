#include "client/cli/watch_command.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "taskwatch/client/rpc_status.h"

#include "client/cli/explain.h"
#include "client/cli/live_screen.h"
#include "client/cli/task_line.h"
#include "client/internal/proto_time.h"

namespace taskwatch::client {
namespace {

// How soon a screen that was resized is put in order.
constexpr absl::Duration kScreenCheck = absl::Milliseconds(100);
constexpr size_t kLongestShownId = 20;

// All watches of one command. Events come from gRPC's threads, one at a time for each task; the screen is drawn by the
// thread that calls Run.
class Watches {
 public:
  Watches(const Command& command, const Console& console)
      : command_(command),
        console_(console),
        live_(console.live()),
        color_(console.color()),
        open_(command.task_ids.size()) {
    for (const std::string& task_id : command.task_ids) {
      Row row;
      row.view.task_id = task_id;
      rows_.push_back(std::move(row));
    }
  }

  Outcome Run(TaskClient& client) {
    WatchOptions options;
    options.call.deadline = absl::Now() + command_.deadline;
    for (size_t i = 0; i < command_.task_ids.size(); ++i) {
      WatchObserver observer;
      observer.on_task = [this, i](const v1::TaskInfo& task) { OnTask(i, task); };
      observer.on_heartbeat = [this, i](const v1::Heartbeat& heartbeat) { OnHeartbeat(i, heartbeat); };
      observer.on_interruption = [this, i](const absl::Status& why, absl::Duration) { OnInterruption(i, why); };
      client.WatchAsync(command_.task_ids[i], options, std::move(observer),
                        [this, i](const TaskClient::Result& result) { OnEnd(i, result); });
    }
    const absl::MutexLock lock(&mutex_);
    if (live_) {
      DrawUntilOver();
    } else {
      mutex_.Await(absl::Condition(this, &Watches::over));
    }
    return outcome_;
  }

 private:
  struct Row {
    TaskView view;
    // The last stream was lost to this, and no message has come since.
    absl::Status interruption;
    bool had_contact = false;
    // What to say on stderr when all is over.
    std::string complaint;
  };

  bool over() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return open_ == 0; }

  void OnTask(size_t i, const v1::TaskInfo& task) {
    const absl::MutexLock lock(&mutex_);
    Row& row = rows_[i];
    HaveContact(row);
    row.view.task = task;
    row.view.observe_time = FromProto(task.observe_time());
    row.view.estimate.Add(row.view.observe_time, task.succeeded_count() + task.failed_count());
    SetTrouble(row, "");
    if (!live_) console_.Show(task);
  }

  void OnHeartbeat(size_t i, const v1::Heartbeat& heartbeat) {
    const absl::MutexLock lock(&mutex_);
    Row& row = rows_[i];
    HaveContact(row);
    if (row.view.task.has_value() && row.view.task->etag() == heartbeat.etag() && heartbeat.has_observe_time()) {
      row.view.observe_time = FromProto(heartbeat.observe_time());
      row.view.estimate.Add(row.view.observe_time, row.view.task->succeeded_count() + row.view.task->failed_count());
    }
    const bool has_error = heartbeat.has_last_poll_error();
    SetTrouble(row, has_error ? Explain(FromRpcStatus(heartbeat.last_poll_error()), command_.channel.server) : "");
  }

  void OnInterruption(size_t i, const absl::Status& why) {
    const absl::MutexLock lock(&mutex_);
    Row& row = rows_[i];
    if (IsRoutine(why)) return;
    row.had_contact = row.had_contact || !NeverConnected(why);
    row.interruption = why;
    SetTrouble(row, absl::StrCat("trying again: ", Explain(why, command_.channel.server)));
  }

  void OnEnd(size_t i, const TaskClient::Result& result) {
    const absl::MutexLock lock(&mutex_);
    Row& row = rows_[i];
    row.view.over = true;
    row.view.trouble.clear();
    if (result.ok()) {
      outcome_.AddDone(*result);
    } else if (!absl::IsDeadlineExceeded(result.status())) {
      outcome_.AddError(row.view.task_id, result.status());
      row.complaint = Explain(result.status(), command_.channel.server);
    } else if (!row.interruption.ok()) {
      outcome_.AddError(row.view.task_id, row.interruption);
      outcome_.AddTimeout();
      row.complaint = absl::StrCat("gave up after ", absl::FormatDuration(command_.deadline), ": ",
                                   Explain(row.interruption, command_.channel.server));
    } else {
      outcome_.AddTimeout();
      row.complaint = absl::StrCat("not done after ", absl::FormatDuration(command_.deadline));
    }
    if (!live_) Complain(row);
    --open_;
  }

  static void HaveContact(Row& row) {
    row.had_contact = true;
    row.interruption = absl::OkStatus();
  }

  // Where no screen shows the trouble, stderr tells of it when it begins. A service that was never reached is told of
  // at the end.
  void SetTrouble(Row& row, std::string trouble) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const bool begins = row.view.trouble.empty() && !trouble.empty();
    row.view.trouble = std::move(trouble);
    if (begins && row.had_contact && !live_) {
      console_.Complain(absl::StrCat(row.view.task_id, ": ", row.view.trouble));
    }
  }

  void Complain(const Row& row) const {
    if (!row.complaint.empty()) console_.Complain(absl::StrCat(row.view.task_id, ": ", row.complaint));
  }

  void DrawUntilOver() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    LiveScreen screen;
    std::vector<std::string> drawn;
    ScreenSize drawn_size;
    while (!over()) {
      const ScreenSize size = console_.size();
      std::vector<std::string> lines = Lines(size);
      if (lines != drawn || size.columns != drawn_size.columns || size.rows != drawn_size.rows) {
        console_.Write(screen.Draw(lines, size));
        drawn = std::move(lines);
        drawn_size = size;
      }
      mutex_.AwaitWithTimeout(absl::Condition(this, &Watches::over), kScreenCheck);
    }
    const ScreenSize size = console_.size();
    console_.Write(screen.Finish(Lines(size), size));
    for (const Row& row : rows_) Complain(row);
  }

  std::vector<std::string> Lines(const ScreenSize& size) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    LineLayout layout;
    // Some terminals go to the next row as soon as the last column is filled.
    layout.width = size.columns - 1;
    layout.color = color_;
    size_t longest = 0;
    for (const Row& row : rows_) longest = std::max(longest, row.view.task_id.size());
    layout.id_width = static_cast<int>(std::min(longest, kLongestShownId));
    const absl::Time now = absl::Now();
    std::vector<std::string> lines;
    for (const Row& row : rows_) {
      for (std::string& line : LiveLines(row.view, layout, now)) lines.push_back(std::move(line));
    }
    return lines;
  }

  const Command& command_;
  const Console& console_;
  const bool live_;
  const bool color_;
  absl::Mutex mutex_;
  std::vector<Row> rows_ ABSL_GUARDED_BY(mutex_);
  size_t open_ ABSL_GUARDED_BY(mutex_);
  Outcome outcome_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

Outcome Watch(const Command& command, const Console& console, TaskClient& client) {
  return Watches(command, console).Run(client);
}

}  // namespace taskwatch::client
