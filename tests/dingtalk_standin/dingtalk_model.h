// A stand-in for DingTalk's gateway, as strict and as quirky as the real one: what it answers to each call, and when.
//
// Pure logic: no sockets, no threads, no clock. Time is an argument and randomness comes from a seed, so that the same
// model serves a real HTTP server (dingtalk_server.h) and a simulation in virtual time. What is known of DingTalk is
// from its documentation and from captured bodies; where nothing is known, it takes the less comfortable way. It cannot
// stand in for what nobody has seen: a real task's counts while it runs, or the answer to a task id that does not exist
// (hence Options::unknown_task).
//
// The order in which a call is looked at: injected faults; path and method (404 InvalidAction.NotFound); the access
// token or the app's credentials; calls a second; calls a month; and only then the call itself.
#ifndef TASKWATCH_TESTS_DINGTALK_STANDIN_DINGTALK_MODEL_H_
#define TASKWATCH_TESTS_DINGTALK_STANDIN_DINGTALK_MODEL_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "tests/dingtalk_standin/api.h"
#include "tests/dingtalk_standin/call_quota.h"
#include "tests/dingtalk_standin/fault.h"
#include "tests/dingtalk_standin/http_message.h"
#include "tests/dingtalk_standin/task_plan.h"

namespace taskwatch::standin {

// One app of one organisation. Single-threaded.
class DingTalkModel {
 public:
  enum class UnknownTask {
    // 404 taskNotExist.
    kNotFound,
    // 400 paramError.
    kParamError,
  };

  struct Options {
    // Of tokens, task ids and request ids.
    uint64_t seed = 1;

    std::string app_key = "dingdemoapp";
    std::string app_secret = "demo-app-secret";
    std::string corp_id = "dingdemocorp";
    absl::Duration token_lifetime = absl::Hours(2);
    // Accepted from the start, and until ExpireTokens.
    std::vector<std::string> static_tokens;

    // Of each API; 0 is no limit.
    int64_t qps = 20;
    // Of all APIs together but the token call A; 0 is no limit.
    int64_t monthly_calls = 5000;
    // Of these, what others have used up of the first month.
    int64_t monthly_calls_used = 0;
    // How long every answer takes, beside what a fault adds.
    absl::Duration latency = absl::ZeroDuration();

    // The life of a task that the copy call creates.
    TaskPlan copied_task;
    UnknownTask unknown_task = UnknownTask::kNotFound;
    // Whether there is the task `abcd` of DingTalk's API page.
    bool example_task = false;

    // {"Code":...,"RequestId":...} instead of {"code":...,"requestid":...}, as some pages of DingTalk's show errors.
    bool capitalised_error_keys = false;

    // Older calls leave the log; the counts still know them.
    size_t max_logged_calls = 100'000;
  };

  // One call as the log keeps it.
  struct Call {
    Api api = Api::kOther;
    absl::Time time;
    // 0 if the client gets no answer.
    int http_status = 0;
    // The error's code; empty for a success and for what is not an error body of DingTalk's.
    std::string code;
    // As it stood in the path, not decoded; for the copy call the new task's.
    std::string task_id;
    // The whole target as it stood in the request line.
    std::string path;
    // Whether the answer is a state that the task has, or had, if it gets to the client in time.
    bool tells_state = false;
  };

  struct Counts {
    // Every call, also those refused or struck by a fault.
    std::array<int64_t, kApiCount> calls = {};
    // Those struck by a fault.
    int64_t faults = 0;
    // Refused by the model itself, not by a fault.
    int64_t refused_authentication = 0;
    int64_t refused_qps = 0;
    int64_t refused_month = 0;

    int64_t of(Api api) const { return calls[static_cast<size_t>(api)]; }
  };

  explicit DingTalkModel(Options options);
  DingTalkModel(const DingTalkModel&) = delete;
  DingTalkModel& operator=(const DingTalkModel&) = delete;

  // Answers one call. `now` must not go back.
  Answer Handle(const Request& request, absl::Time now);

  // Creates a task, or starts the one of that id anew.
  void AddTask(absl::string_view task_id, const TaskPlan& plan, absl::Time now);

  // Accepts `token` until `expiry`.
  void AddToken(absl::string_view token, absl::Time expiry = absl::InfiniteFuture());

  // Makes every token invalid, the preset ones too.
  void ExpireTokens();

  // Faults strike in the order in which they were injected, one for each call.
  void InjectFault(Fault fault);
  void ClearFaults();

  const std::deque<Call>& calls() const { return calls_; }
  const Counts& counts() const { return counts_; }
  // The calls that count against this month's quota.
  int64_t monthly_calls_used() const { return monthly_limit_.used(); }
  // Forgets the log and the counts, not the quota.
  void ClearCalls();

 private:
  struct Task {
    TaskPlan plan;
    absl::Time created;
  };

  // Which API a request asks for, and the variable part of its path.
  struct Route {
    Api api = Api::kOther;
    std::string id;
  };

  static Route RouteOf(const Request& request);
  Answer Dispatch(const Request& request, const Route& route, absl::Time now, Call& call);
  Answer HandleAccessToken(const Request& request, absl::Time now, Call& call);
  Answer HandleCorpToken(const Request& request, const Route& route, absl::Time now, Call& call);
  Answer HandleCopy(const Request& request, absl::Time now, Call& call);
  // What is told of the task as it was at `time`.
  Answer HandleTaskInfo(const Route& route, absl::Time time, Call& call);

  // The refusal for what stands before the call itself, if there is one.
  std::optional<Answer> RefuseToken(const Request& request, absl::Time now, Call& call);
  std::optional<Answer> RefuseRate(absl::Time now, Call& call);

  std::optional<Fault> TakeFault(Api api);
  Answer ReplacedAnswer(const Fault& fault, absl::Time now, Call& call);
  // Changes `answer`, which is a 200.
  static void Edit(Fault::Edit edit, Answer& answer, Call& call);

  Answer Json(std::string body);
  Answer Error(Call& call, int http_status, absl::string_view code, absl::string_view message,
               const std::vector<std::string>& required_scopes = {});

  std::string NewToken(absl::Time expiry);
  std::string RandomHex(size_t length);
  std::string RandomId(size_t length);
  std::string RandomUuid();

  const Options options_;
  std::mt19937_64 random_;
  // By token.
  std::map<std::string, absl::Time, std::less<>> token_expiry_;
  // What call A hands out while it is valid.
  std::string app_token_;
  std::map<std::string, Task, std::less<>> tasks_;
  std::array<RateLimit, kApiCount> rate_limits_;
  MonthlyLimit monthly_limit_;
  std::list<Fault> faults_;
  std::deque<Call> calls_;
  Counts counts_;
};

}  // namespace taskwatch::standin

#endif  // TASKWATCH_TESTS_DINGTALK_STANDIN_DINGTALK_MODEL_H_
