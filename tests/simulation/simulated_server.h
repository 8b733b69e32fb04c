// One Taskwatch server without its sockets: the core as main.cc puts it together, watched at its seams.
#ifndef TASKWATCH_TESTS_SIMULATION_SIMULATED_SERVER_H_
#define TASKWATCH_TESTS_SIMULATION_SIMULATED_SERVER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "service/dingtalk/dingtalk_task_source.h"
#include "service/dingtalk/tokens/access_token.h"
#include "service/dingtalk/tokens/oauth_token_call.h"
#include "service/quota/call_queue.h"
#include "service/runtime/simulated_loop.h"
#include "service/task/finished_tasks.h"
#include "service/task/task_source.h"
#include "service/tracker/snapshot_cache.h"
#include "service/tracker/task_tracker.h"
#include "tests/simulation/journal.h"
#include "tests/simulation/random.h"
#include "tests/simulation/recorded_gate.h"
#include "tests/simulation/simulated_dingtalk.h"
#include "tests/simulation/simulated_disk.h"

namespace taskwatch::simulation {

// What the tracker asks for, and what it is answered. Checks what is promised of fetches.
class RecordedTaskSource final : public TaskSource {
 public:
  struct Record {
    uint64_t started = 0;
    uint64_t finished = 0;
    // By a clock that nobody sets, and how often the server's had been set then.
    absl::Time last_success = absl::InfinitePast();
    int clock_changes = 0;
    absl::Time last_failure = absl::InfinitePast();
    absl::Status last_result;
    // The last one for which DingTalk was asked.
    absl::Status last_asked;
    // Since when only transient errors came, by the server's clock; in the infinite future if the last answer was none.
    absl::Time transient_since = absl::InfiniteFuture();
    // When an error came last that may end watches.
    absl::Time last_fatal = absl::InfinitePast();
    // The same by the server's clock.
    absl::Time last_fatal_by_clock = absl::InfinitePast();
    // Who wants to know more of the task at the moment, and when somebody wanted to last.
    int watchers = 0;
    int gets = 0;
    absl::Time wanted = absl::InfinitePast();
  };

  // `forgets` says that a task of which nobody wants to know may be forgotten at once.
  RecordedTaskSource(SimulatedLoop* loop, Journal* journal, TaskSource* source, const SimulatedHttpClient* http,
                     const TaskTracker::Options& options, bool forgets)
      : loop_(loop), journal_(journal), source_(source), http_(http), options_(options), forgets_(forgets) {}

  void Fetch(absl::string_view task_id, const FetchOptions& options, Done done) override;
  bool Join(absl::string_view task_id, const FetchOptions& options) override { return source_->Join(task_id, options); }
  bool Cancel(absl::string_view task_id) override;

  Record& RecordOf(const std::string& task_id) { return records_[task_id]; }

  // Somebody begins or ceases to want to know of the task.
  void AddWatcher(const std::string& task_id) { ++records_[task_id].watchers; }
  void RemoveWatcher(const std::string& task_id);
  void AddGet(const std::string& task_id) { ++records_[task_id].gets; }
  void RemoveGet(const std::string& task_id);
  // Whether the task was refused so short a time ago that it may be refused without asking, by either clock.
  bool RefusedLately(const std::string& task_id);
  // Whether somebody wants to know of it, or did so at this moment.
  bool IsWanted(const std::string& task_id);

  // The process is dead: nothing that its remains do counts.
  void Crash() { crashed_ = true; }
  // Whether the server could know from its beginning that a task has ended.
  void set_was_over(std::function<bool(const std::string& task_id)> was_over) { was_over_ = std::move(was_over); }

 private:
  void OnFetched(const std::string& task_id, const absl::StatusOr<TaskInfo>& result);
  void NoteFatal(Record& record);

  SimulatedLoop* const loop_;
  Journal* const journal_;
  TaskSource* const source_;
  const SimulatedHttpClient* const http_;
  const TaskTracker::Options options_;
  const bool forgets_;
  std::map<std::string, Record> records_;
  std::function<bool(const std::string& task_id)> was_over_;
  bool crashed_ = false;
};

// What the tracker finds on the disk is known from then on.
class RecordedFinishedTasks final : public FinishedTasks {
 public:
  RecordedFinishedTasks(Journal* journal, SimulatedHttpClient* http, FinishedTasks* tasks)
      : journal_(journal), http_(http), tasks_(tasks) {}

  TaskSnapshotPtr Find(absl::string_view task_id) override;
  void Put(TaskSnapshotPtr snapshot) override { tasks_->Put(std::move(snapshot)); }

 private:
  Journal* const journal_;
  SimulatedHttpClient* const http_;
  FinishedTasks* const tasks_;
};

class SimulatedServer {
 public:
  struct Options {
    TaskTracker::Options tracker;
    DingTalkTaskSource::Options source;
    OauthTokenCall::Options token;
    // Set: tokens come from this file, and not from DingTalk.
    std::string access_token_file;
    CallQueue::Options queue;
    // Watches and waits at a time.
    size_t max_watchers = 100'000;
    // As many as are kept in memory.
    size_t cache_tasks = 100'000;
  };
  // Ends an open call, as draining does.
  using EndCall = absl::AnyInvocable<void(const absl::Status&)>;
  // Tells that the server is no longer there.
  using LoseCall = absl::AnyInvocable<void()>;

  // All must outlive the server.
  SimulatedServer(SimulatedLoop* loop, SimulatedDingTalk* dingtalk, Journal* journal, const NetworkMood* mood,
                  std::shared_ptr<SimulatedDisk> disk, const DiskMood* disk_mood, Random random,
                  const Options& options);

  TaskTracker& tracker() { return tracker_; }
  const SimulatedHttpClient& http() const { return http_; }
  RecordedTaskSource& source() { return recorded_source_; }
  const TaskTracker::Options& tracker_options() const { return options_.tracker; }

  // A call is open from AddCall to RemoveCall.
  uint64_t AddCall(EndCall end, LoseCall lose);
  void RemoveCall(uint64_t id) { calls_.erase(id); }
  size_t open_calls() const { return calls_.size(); }

  // A watch or wait takes a place before anything else. TOO_MANY_WATCHERS if there is none; else it returns it at its
  // end.
  absl::Status TakeWatchPlace();
  void ReturnWatchPlace() { --watchers_; }

  // Ends all open calls, some at a time.
  void Drain();
  bool draining() const { return draining_; }

  // Dies between two events: nothing goes out any more, and whoever called is told so. To be destroyed next.
  void Crash();

  const std::shared_ptr<SimulatedDisk>& disk() const { return disk_; }

  // Whether it tells everything from memory, so that what was once known is known.
  bool forgets() const { return options_.cache_tasks < 1000; }

  // When nobody calls any more: what is still taken of anything that is limited. Empty if nothing is.
  std::string TakenSlots();

 private:
  struct OpenCall {
    EndCall end;
    LoseCall lose;
  };

  TaskTracker::Options TrackerOptions();
  std::unique_ptr<AccessTokenProvider> NewTokens();
  void DrainSlice();

  SimulatedLoop* const loop_;
  const Options options_;
  Journal* const journal_;
  const std::shared_ptr<SimulatedDisk> disk_;
  // The tasks that were on it when the server began.
  const std::set<std::string> ended_before_;
  SimulatedStore store_;
  SimulatedHttpClient http_;
  CallQueue queue_;
  RecordedGate gate_;
  const std::unique_ptr<AccessTokenProvider> tokens_;
  DingTalkTaskSource dingtalk_source_;
  RecordedTaskSource recorded_source_;
  RecordedFinishedTasks finished_tasks_;
  SnapshotCache cache_;
  TaskTracker tracker_;
  uint64_t last_call_ = 0;
  std::map<uint64_t, OpenCall> calls_;
  size_t watchers_ = 0;
  bool draining_ = false;
  std::vector<uint64_t> undrained_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace taskwatch::simulation

#endif  // TASKWATCH_TESTS_SIMULATION_SIMULATED_SERVER_H_
