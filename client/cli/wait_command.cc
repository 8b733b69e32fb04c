#include "client/cli/wait_command.h"

#include <signal.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "taskwatch/v1/task_service.pb.h"

#include "client/cli/explain.h"
#include "client/cli/task_line.h"

namespace taskwatch::client {
namespace {

// How soon a Ctrl-C is noticed.
constexpr absl::Duration kInterruptCheck = absl::Milliseconds(100);
constexpr absl::Duration kDeadlineMargin = absl::Seconds(1);

volatile sig_atomic_t interrupted = 0;

// From here on the first Ctrl-C is noted, and the second ends the process.
void NoteInterrupt() {
  struct sigaction action = {};
  action.sa_handler = [](int) { interrupted = 1; };
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  sigaction(SIGINT, &action, nullptr);
}

// All waits of one command. Events come from gRPC's threads.
class Waits {
 public:
  Waits(const Command& command, const Console& console)
      : command_(command),
        console_(console),
        timeout_(std::min(command.timeout, command.deadline)),
        rows_(command.task_ids.size()),
        open_(rows_.size()) {}

  Outcome Run(TaskClient& client) {
    NoteInterrupt();
    console_.Note(absl::StrCat("waiting for ", absl::StrJoin(command_.task_ids, ", "), "; Ctrl-C tells what is known"));
    WaitOptions options;
    // At its timeout a wait still tells the state, or the trouble; at its deadline only that it has passed.
    options.timeout = timeout_;
    options.call.deadline = absl::Now() + command_.deadline + kDeadlineMargin;
    GetOptions first_look;
    first_look.call = options.call;
    {
      const absl::MutexLock lock(&mutex_);
      calls_ = 2 * rows_.size();
    }
    for (size_t i = 0; i < command_.task_ids.size(); ++i) {
      WatchObserver observer;
      observer.on_task = [this, i](const v1::TaskInfo& task) { OnState(i, task); };
      observer.on_interruption = [this, i](const absl::Status& why, absl::Duration) { OnInterruption(i, why); };
      client.WaitAsync(command_.task_ids[i], options, std::move(observer),
                       [this, i](const TaskClient::Result& result) { OnEnd(i, result); });
      // The wait itself is answered after a minute, if not by the end. It costs no call to DingTalk: the two share one.
      client.GetAsync(command_.task_ids[i], first_look,
                      [this, i](const TaskClient::Result& result) { OnFirstLook(i, result); });
    }
    AwaitEndOrInterrupt();
    options.call.cancel.Cancel();
    const absl::MutexLock lock(&mutex_);
    mutex_.Await(Zero(&calls_));
    return outcome_;
  }

 private:
  struct Row {
    std::optional<v1::TaskInfo> known;
    // The wait was interrupted by this, and no answer has come since; or empty.
    std::string trouble;
    bool over = false;
  };

  static absl::Condition Zero(size_t* count) {
    return absl::Condition(
        +[](size_t* n) { return *n == 0; }, count);
  }

  void AwaitEndOrInterrupt() {
    const absl::MutexLock lock(&mutex_);
    while (open_ > 0 && interrupted == 0) mutex_.AwaitWithTimeout(Zero(&open_), kInterruptCheck);
    if (open_ > 0) TellInterrupt();
    // What still comes is of calls that are cancelled.
    silent_ = true;
  }

  void OnFirstLook(size_t i, const TaskClient::Result& result) {
    if (result.ok() && !result->done()) OnState(i, *result);
    const absl::MutexLock lock(&mutex_);
    --calls_;
  }

  void OnState(size_t i, const v1::TaskInfo& task) {
    const absl::MutexLock lock(&mutex_);
    Row& row = rows_[i];
    if (row.over || silent_) return;
    row.trouble.clear();
    const bool news = !row.known.has_value() || row.known->etag() != task.etag();
    row.known = task;
    if (news) console_.Note(PlainLine(task));
  }

  void OnInterruption(size_t i, const absl::Status& why) {
    const absl::MutexLock lock(&mutex_);
    Row& row = rows_[i];
    // One that was never reached is told of at the end, which is near.
    if (IsRoutine(why) || NeverConnected(why) || silent_) return;
    const bool begins = row.trouble.empty();
    row.trouble = absl::StrCat("trying again: ", Explain(why, command_.channel.server));
    if (begins) Complain(i, row.trouble);
  }

  void OnEnd(size_t i, const TaskClient::Result& result) {
    const absl::MutexLock lock(&mutex_);
    --calls_;
    if (silent_) return;
    --open_;
    rows_[i].over = true;
    if (result.ok()) console_.Show(*result);
    if (result.ok() && result->done()) return outcome_.AddDone(*result);
    if (result.ok() || absl::IsDeadlineExceeded(result.status())) {
      Complain(i, absl::StrCat("not done after ", absl::FormatDuration(timeout_)));
      return outcome_.AddTimeout();
    }
    Complain(i, Explain(result.status(), command_.channel.server));
    outcome_.AddError(command_.task_ids[i], result.status());
    if (absl::IsUnavailable(result.status())) outcome_.AddTimeout();
  }

  void TellInterrupt() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    outcome_.AddInterrupt();
    for (size_t i = 0; i < rows_.size(); ++i) {
      const Row& row = rows_[i];
      if (row.over) continue;
      // PlainLine begins with the id.
      console_.Complain(row.known.has_value() ? PlainLine(*row.known)
                                              : absl::StrCat(command_.task_ids[i], ": nothing is known yet"));
      if (!row.trouble.empty()) Complain(i, row.trouble);
    }
  }

  void Complain(size_t i, const std::string& what) const {
    console_.Complain(absl::StrCat(command_.task_ids[i], ": ", what));
  }

  const Command& command_;
  const Console& console_;
  const absl::Duration timeout_;
  absl::Mutex mutex_;
  std::vector<Row> rows_ ABSL_GUARDED_BY(mutex_);
  // Tasks that have not ended, and calls to the service that are under way.
  size_t open_ ABSL_GUARDED_BY(mutex_);
  size_t calls_ ABSL_GUARDED_BY(mutex_) = 0;
  // Nothing more is to be said.
  bool silent_ ABSL_GUARDED_BY(mutex_) = false;
  Outcome outcome_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

Outcome Wait(const Command& command, const Console& console, TaskClient& client) {
  return Waits(command, console).Run(client);
}

}  // namespace taskwatch::client
