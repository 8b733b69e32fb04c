// One Taskwatch server without its sockets: the core as main.cc puts it together, watched at its seams.
#ifndef TASKWATCH_TESTS_SIMULATION_SIMULATED_SERVER_H_
#define TASKWATCH_TESTS_SIMULATION_SIMULATED_SERVER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "service/dingtalk/dingtalk_task_source.h"
#include "service/dingtalk/tokens/cached_access_token.h"
#include "service/dingtalk/tokens/oauth_token_call.h"
#include "service/quota/call_queue.h"
#include "service/runtime/simulated_loop.h"
#include "service/task/task_source.h"
#include "service/tracker/snapshot_cache.h"
#include "service/tracker/task_tracker.h"
#include "tests/simulation/journal.h"
#include "tests/simulation/random.h"
#include "tests/simulation/simulated_dingtalk.h"

namespace taskwatch::simulation {

// What the tracker asks for, and what it is answered. Checks what is promised of fetches.
class RecordedTaskSource final : public TaskSource {
 public:
  struct Record {
    uint64_t started = 0;
    uint64_t finished = 0;
    absl::Time last_success = absl::InfinitePast();
    absl::Status last_result;
    // The last one for which DingTalk was asked.
    absl::Status last_asked;
    // Since when only transient errors came; in the infinite future if the last answer was none.
    absl::Time transient_since = absl::InfiniteFuture();
    // When an error came last that may end watches.
    absl::Time last_fatal = absl::InfinitePast();
    // Who wants to know more of the task at the moment.
    int watchers = 0;
    int gets = 0;
  };

  RecordedTaskSource(SimulatedLoop* loop, Journal* journal, TaskSource* source, const SimulatedHttpClient* http,
                     const TaskTracker::Options& options)
      : loop_(loop), journal_(journal), source_(source), http_(http), options_(options) {}

  void Fetch(absl::string_view task_id, const FetchOptions& options, Done done) override;
  bool Join(absl::string_view task_id, const FetchOptions& options) override { return source_->Join(task_id, options); }
  bool Cancel(absl::string_view task_id) override;

  Record& RecordOf(const std::string& task_id) { return records_[task_id]; }

 private:
  void OnFetched(const std::string& task_id, const absl::StatusOr<TaskInfo>& result);

  SimulatedLoop* const loop_;
  Journal* const journal_;
  TaskSource* const source_;
  const SimulatedHttpClient* const http_;
  const TaskTracker::Options options_;
  std::map<std::string, Record> records_;
};

class SimulatedServer {
 public:
  struct Options {
    TaskTracker::Options tracker;
    DingTalkTaskSource::Options source;
    OauthTokenCall::Options token;
    CallQueue::Options queue;
    // Watches and waits at a time.
    size_t max_watchers = 100'000;
  };
  // Ends an open call, as draining does.
  using EndCall = absl::AnyInvocable<void(const absl::Status&)>;

  // All must outlive the server.
  SimulatedServer(SimulatedLoop* loop, SimulatedDingTalk* dingtalk, Journal* journal, const NetworkMood* mood,
                  Random random, const Options& options);

  TaskTracker& tracker() { return tracker_; }
  const SimulatedHttpClient& http() const { return http_; }
  RecordedTaskSource& source() { return recorded_source_; }
  const TaskTracker::Options& tracker_options() const { return options_.tracker; }

  // A call is open from AddCall to RemoveCall.
  uint64_t AddCall(EndCall end);
  void RemoveCall(uint64_t id) { calls_.erase(id); }
  size_t open_calls() const { return calls_.size(); }

  // A watch or wait takes a place before anything else. TOO_MANY_WATCHERS if there is none; else it returns it at its
  // end.
  absl::Status TakeWatchPlace();
  void ReturnWatchPlace() { --watchers_; }

  // Ends all open calls, some at a time.
  void Drain();
  bool draining() const { return draining_; }

 private:
  void DrainSlice();

  SimulatedLoop* const loop_;
  const Options options_;
  SimulatedHttpClient http_;
  CallQueue queue_;
  CachedAccessToken tokens_;
  DingTalkTaskSource dingtalk_source_;
  RecordedTaskSource recorded_source_;
  SnapshotCache cache_;
  TaskTracker tracker_;
  uint64_t last_call_ = 0;
  std::map<uint64_t, EndCall> calls_;
  size_t watchers_ = 0;
  bool draining_ = false;
  std::vector<uint64_t> undrained_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace taskwatch::simulation

#endif  // TASKWATCH_TESTS_SIMULATION_SIMULATED_SERVER_H_
