#include "client/cli/commands.h"

#include <grpcpp/channel.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "taskwatch/client/channel.h"
#include "taskwatch/client/rpc_status.h"
#include "taskwatch/client/task_client.h"

#include "client/cli/console.h"
#include "client/cli/exit_code.h"
#include "client/cli/explain.h"
#include "client/cli/json_line.h"
#include "client/cli/outcome.h"
#include "client/cli/token_file.h"
#include "client/cli/wait_command.h"
#include "client/cli/watch_command.h"

namespace taskwatch::client {
namespace {

// The deadline of get and health where --deadline is longer: they are answered at once or not at all.
constexpr absl::Duration kMaxUnaryDeadline = absl::Minutes(1);
// A restart is no reason to give up, an address at which nothing has ever listened is.
constexpr absl::Duration kFirstContactLimit = absl::Seconds(3);

// The results of calls that run at the same time, in the order of their tasks. Thread-safe.
class Results {
 public:
  explicit Results(size_t count) : results_(count, absl::UnknownError("")), open_(count) {}

  TaskClient::Done Slot(size_t i) {
    return [this, i](TaskClient::Result result) {
      const absl::MutexLock lock(&mutex_);
      results_[i] = std::move(result);
      --open_;
    };
  }

  std::vector<TaskClient::Result> Await() {
    const absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(
        +[](size_t* open) { return *open == 0; }, &open_));
    return results_;
  }

 private:
  absl::Mutex mutex_;
  std::vector<TaskClient::Result> results_ ABSL_GUARDED_BY(mutex_);
  size_t open_ ABSL_GUARDED_BY(mutex_);
};

Outcome Get(const Command& command, const Console& console, TaskClient& client) {
  GetOptions options;
  options.resume = true;
  options.call.deadline = absl::Now() + std::min(command.deadline, kMaxUnaryDeadline);
  Results results(command.task_ids.size());
  for (size_t i = 0; i < command.task_ids.size(); ++i) client.GetAsync(command.task_ids[i], options, results.Slot(i));
  Outcome outcome;
  size_t i = 0;
  for (const TaskClient::Result& result : results.Await()) {
    const std::string& task_id = command.task_ids[i++];
    if (result.ok()) {
      console.Show(*result);
    } else {
      console.Complain(absl::StrCat(task_id, ": ", Explain(result.status(), command.channel.server)));
      outcome.AddError(task_id, result.status());
    }
  }
  return outcome;
}

ExitCode Health(const Command& command, const Console& console, const std::shared_ptr<grpc::Channel>& channel) {
  const auto stub = grpc::health::v1::Health::NewStub(channel);
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + std::min(command.deadline, kMaxUnaryDeadline)));
  grpc::health::v1::HealthCheckResponse response;
  const absl::Status status = FromGrpcStatus(stub->Check(&context, {}, &response));
  if (!status.ok()) {
    console.Complain(Explain(status, command.channel.server));
    return ExitCode::kServiceTrouble;
  }
  const bool serving = response.status() == grpc::health::v1::HealthCheckResponse::SERVING;
  console.Line(console.json() ? JsonLine(response)
                              : absl::StrCat(command.channel.server, serving ? " is serving" : " is not serving"));
  return serving ? ExitCode::kSuccess : ExitCode::kServiceTrouble;
}

TaskClient::Options ClientOptions(const Command& command) {
  TaskClient::Options options;
  const bool waits_for_news = command.name != Command::Name::kGet;
  options.resume.first_contact_limit = waits_for_news ? kFirstContactLimit : absl::ZeroDuration();
  if (!command.token_file.empty()) options.credentials = [path = command.token_file] { return BearerFromFile(path); };
  return options;
}

}  // namespace

ExitCode Run(const Command& command, const std::vector<std::string>& arguments) {
  const Console console(command.json);
  if (!command.token_file.empty()) {
    if (const auto token = BearerFromFile(command.token_file); !token.ok()) {
      console.Complain(token.status().message());
      return ExitCode::kUsage;
    }
  }
  const absl::StatusOr<std::shared_ptr<grpc::Channel>> channel = NewChannel(command.channel);
  if (!channel.ok()) {
    console.Complain(channel.status().message());
    return ExitCode::kUsage;
  }
  if (command.name == Command::Name::kHealth) return Health(command, console, *channel);

  TaskClient client(*channel, ClientOptions(command));
  if (command.name == Command::Name::kGet) return Get(command, console, client).exit_code();
  const Outcome outcome =
      command.name == Command::Name::kWatch ? Watch(command, console, client) : Wait(command, console, client);
  if (outcome.may_go_on()) {
    console.Complain(absl::StrCat("to go on: ", ResumeCommand(arguments, outcome.over())));
  }
  return outcome.exit_code();
}

}  // namespace taskwatch::client
