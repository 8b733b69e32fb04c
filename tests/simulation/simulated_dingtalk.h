// DingTalk and the way to it, in virtual time: the stand-in's model behind a network with moods.
#ifndef TASKWATCH_TESTS_SIMULATION_SIMULATED_DINGTALK_H_
#define TASKWATCH_TESTS_SIMULATION_SIMULATED_DINGTALK_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"

#include "service/http/http_client.h"
#include "service/runtime/simulated_loop.h"
#include "service/task/task_info.h"
#include "tests/dingtalk_standin/dingtalk_model.h"
#include "tests/dingtalk_standin/http_message.h"
#include "tests/dingtalk_standin/task_plan.h"
#include "tests/simulation/journal.h"
#include "tests/simulation/random.h"

namespace taskwatch::simulation {

// The gateway. It knows what the truth is: which answers are a task's state and which only look like one.
class SimulatedDingTalk {
 public:
  struct Options {
    standin::DingTalkModel::Options model;
    // How far DingTalk's clock is behind the service's.
    absl::Duration clock_lag;
  };

  struct Reply {
    standin::Answer answer;
    // The task's state, if that is what the answer tells.
    std::optional<TaskInfo> truth;
    // Whether DingTalk counts the call against the month.
    bool counts = false;
  };

  // Both must outlive it.
  SimulatedDingTalk(const SimulatedLoop* loop, Journal* journal, const Options& options);

  Reply Handle(const standin::Request& request);

  // Creates a task, or starts it anew. Its plan's times are DingTalk's.
  void StartTask(const std::string& task_id, const standin::TaskPlan& plan);
  // When a task ends; in the infinite future if it does not, or is not there.
  absl::Time EndOf(const std::string& task_id) const;

  // Strikes the next calls, in order; `count` of them.
  void InjectFault(absl::string_view name, int64_t count, std::optional<standin::Api> api,
                   std::optional<int> retry_after_seconds);
  void ClearFaults() { model_.ClearFaults(); }

  // Accepts an access token for `lifetime`.
  void AddToken(const std::string& token, absl::Duration lifetime) { model_.AddToken(token, Now() + lifetime); }

  absl::Duration clock_lag() const { return clock_lag_; }
  standin::DingTalkModel& model() { return model_; }

 private:
  struct Task {
    standin::TaskPlan plan;
    absl::Time created;
  };

  absl::Time Now() const { return loop_->SteadyNow() - clock_lag_; }

  const SimulatedLoop* const loop_;
  Journal* const journal_;
  const absl::Duration clock_lag_;
  standin::DingTalkModel model_;
  std::map<std::string, Task> tasks_;
};

// How bad the network is.
struct NetworkMood {
  // One way.
  absl::Duration min_latency = absl::Milliseconds(2);
  absl::Duration max_latency = absl::Milliseconds(80);
  // Of every call: that it cannot connect; that one of the ways takes up to ten seconds.
  double unreachable = 0;
  double slow = 0;
  // Of every refusal: that its message repeats the secret with which the call came.
  double indiscreet = 0;
  // Of every answer about a task: that it comes from a replica that lags behind; that it tells fewer items done.
  double stale = 0;
  double shrunken = 0;
  // Whether somebody unknown answers in DingTalk's place.
  bool untrusted = false;
};

// An HTTP client of one server, which keeps what that server has been told of each task.
class SimulatedHttpClient final : public HttpClient {
 public:
  struct Observation {
    TaskInfo info;
    std::string etag;
    // By a clock that nobody sets.
    absl::Time received;
    // When it was asked for.
    absl::Time sent;
    // When it came, by the server's clock.
    absl::Time observe_time;
  };
  using OnCounted = std::function<void(absl::CivilMonth month)>;

  // All must outlive it. `mood` may change meanwhile.
  SimulatedHttpClient(SimulatedLoop* loop, SimulatedDingTalk* dingtalk, Journal* journal, const NetworkMood* mood,
                      Random random)
      : loop_(loop), dingtalk_(dingtalk), journal_(journal), mood_(mood), random_(random) {}
  ~SimulatedHttpClient() override;

  void Send(HttpRequest request, Done done) override;

  // The process is dead: nothing is sent any more, and what was sent is answered to nobody.
  void Crash();

  // To be called for each call that DingTalk counts, with the month in which it was sent by the server's clock.
  void set_on_counted(OnCounted on_counted) { on_counted_ = std::move(on_counted); }
  // Whether the server may forget that a task has ended. Otherwise no later state of the task counts.
  void set_forgets(bool forgets) { forgets_ = forgets; }

  // The server has found a final state on its disk.
  void NoteRecalled(const TaskSnapshot& snapshot);

  size_t in_flight() const { return calls_.size(); }
  // Since the start.
  uint64_t sent() const { return last_id_; }

  // The states of the task as they came in, up to the final one.
  const std::vector<Observation>& ObservationsOf(const std::string& task_id) const;

  // Whether `info` is what is known last of its task; or was just before this moment, in which anything may still be on
  // its way.
  bool IsLatest(const TaskInfo& info) const;

 private:
  struct Call {
    HttpRequest request;
    std::string secret;
    Done done;
    absl::Duration sent;
    absl::Time sent_time;
    absl::CivilMonth month;
    EventLoop::TimerId timer;
  };

  absl::Duration Latency();
  void Arrive(uint64_t id);
  void EndIn(absl::Duration delay, uint64_t id, absl::StatusOr<HttpResponse> response,
             std::optional<TaskInfo> truth = std::nullopt);
  void End(uint64_t id, absl::StatusOr<HttpResponse> response, std::optional<TaskInfo> truth);

  SimulatedLoop* const loop_;
  SimulatedDingTalk* const dingtalk_;
  Journal* const journal_;
  const NetworkMood* const mood_;
  Random random_;
  uint64_t last_id_ = 0;
  std::map<uint64_t, Call> calls_;
  OnCounted on_counted_;
  bool forgets_ = false;
  bool crashed_ = false;
  std::map<std::string, std::vector<Observation>> observations_;
};

}  // namespace taskwatch::simulation

#endif  // TASKWATCH_TESTS_SIMULATION_SIMULATED_DINGTALK_H_
