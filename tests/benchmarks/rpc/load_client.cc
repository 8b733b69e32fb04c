// An asynchronous client that makes load and believes nothing: every status and every message is checked, and one that
// is wrong makes the run fail. Prints one JSON object with what it measured.
#include <arpa/inet.h>
#include <grpcpp/grpcpp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "taskwatch/v1/task_service.grpc.pb.h"

ABSL_FLAG(std::string, server, "", "host:port");
ABSL_FLAG(std::string, mode, "unary",
          "unary: calls of GetTaskInfo; watch: streams and the changes that they deliver; "
          "first: the time from starting a server (the arguments) to its first answer");
ABSL_FLAG(int, calls, 10'000, "unary: how many in all");
ABSL_FLAG(int, concurrency, 32, "unary: how many at a time");
ABSL_FLAG(bool, distinct, false, "each call or stream asks for a task of its own");
ABSL_FLAG(std::string, task, "task", "the task id, or what distinct ones begin with");
ABSL_FLAG(int, connections, 1, "over which calls and streams are spread");
ABSL_FLAG(int, streams, 1000, "watch: how many");
ABSL_FLAG(int, changes, 0, "watch: how many changes to bring about, one after the other");
ABSL_FLAG(bool, hold, false, "watch: when all streams are open, say so and keep them until standard input ends");

namespace taskwatch {
namespace {

using Stub = v1::TaskService::Stub;

struct Connections {
  std::vector<std::unique_ptr<Stub>> stubs;
  Stub& operator[](size_t i) const { return *stubs[i % stubs.size()]; }
};

Connections Connect(const std::string& server) {
  Connections connections;
  for (int i = 0; i < absl::GetFlag(FLAGS_connections); ++i) {
    grpc::ChannelArguments arguments;
    // Channels with the same arguments would share one connection.
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 5);
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 10'000);
    connections.stubs.push_back(
        v1::TaskService::NewStub(grpc::CreateCustomChannel(server, grpc::InsecureChannelCredentials(), arguments)));
  }
  return connections;
}

std::string TaskId(int number) {
  const std::string task = absl::GetFlag(FLAGS_task);
  return absl::GetFlag(FLAGS_distinct) ? absl::StrCat(task, "-", number) : task;
}

double Microseconds(absl::Duration duration) { return absl::ToDoubleMicroseconds(duration); }

double Percentile(std::vector<double>& values, double share) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

double OwnCpuSeconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return absl::ToDoubleSeconds(absl::DurationFromTimeval(usage.ru_utime) + absl::DurationFromTimeval(usage.ru_stime));
}

// Counts what went wrong and keeps the first case for the report.
class Failures {
 public:
  void Add(std::string what) {
    const absl::MutexLock lock(&mutex_);
    if (count_++ == 0) first_ = std::move(what);
  }
  int count() const {
    const absl::MutexLock lock(&mutex_);
    return count_;
  }
  // Says what went wrong; the exit code of the run.
  int Report() const {
    const absl::MutexLock lock(&mutex_);
    if (count_ > 0) std::fprintf(stderr, "load_client: %d failures; the first: %s\n", count_, first_.c_str());
    return count_ == 0 ? 0 : 1;
  }

 private:
  mutable absl::Mutex mutex_;
  int count_ = 0;
  std::string first_;
};

// A fixed number of callers, each with one call at a time.
class UnaryLoad {
 public:
  explicit UnaryLoad(const Connections* connections) : connections_(connections) {}

  int Run() {
    const int calls = absl::GetFlag(FLAGS_calls);
    const int callers = std::min(absl::GetFlag(FLAGS_concurrency), calls);
    latencies_.resize(calls);
    {
      const absl::MutexLock lock(&mutex_);
      left_ = callers;
    }
    const double cpu_before = OwnCpuSeconds();
    const absl::Time start = absl::Now();
    std::vector<Caller> slots(callers);
    for (int i = 0; i < callers; ++i) Next(slots[i], i);
    mutex_.LockWhen(absl::Condition(this, &UnaryLoad::Finished));
    mutex_.Unlock();
    const absl::Duration took = absl::Now() - start;
    std::printf(
        "{\"calls\": %d, \"failed\": %d, \"seconds\": %.6f, \"calls_per_second\": %.1f, \"p50_us\": %.1f, "
        "\"p99_us\": %.1f, \"client_cpu_us_per_call\": %.2f}\n",
        calls, failures_.count(), absl::ToDoubleSeconds(took), calls / absl::ToDoubleSeconds(took),
        Percentile(latencies_, 0.5), Percentile(latencies_, 0.99), (OwnCpuSeconds() - cpu_before) * 1e6 / calls);
    return failures_.Report();
  }

 private:
  struct Caller {
    std::unique_ptr<grpc::ClientContext> context;
    v1::GetTaskInfoRequest request;
    v1::GetTaskInfoResponse response;
    absl::Time start;
    int number = 0;
  };

  bool Finished() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return left_ == 0; }

  void Next(Caller& caller, size_t slot) {
    caller.number = next_.fetch_add(1);
    if (caller.number >= absl::GetFlag(FLAGS_calls)) {
      const absl::MutexLock lock(&mutex_);
      --left_;
      return;
    }
    caller.context = std::make_unique<grpc::ClientContext>();
    caller.request.set_task_id(TaskId(caller.number));
    caller.response.Clear();
    caller.start = absl::Now();
    (*connections_)[slot].async()->GetTaskInfo(caller.context.get(), &caller.request, &caller.response,
                                               [this, &caller, slot](grpc::Status status) {
                                                 Check(caller, status);
                                                 Next(caller, slot);
                                               });
  }

  void Check(Caller& caller, const grpc::Status& status) {
    latencies_[caller.number] = Microseconds(absl::Now() - caller.start);
    if (!status.ok()) {
      failures_.Add(absl::StrCat("code ", status.error_code(), ": ", status.error_message()));
    } else if (caller.response.task().task_id() != caller.request.task_id() || caller.response.task().etag().empty()) {
      failures_.Add(absl::StrCat("wrong task: ", caller.response.ShortDebugString()));
    }
  }

  const Connections* const connections_;
  std::atomic<int> next_{0};
  std::vector<double> latencies_;
  Failures failures_;
  absl::Mutex mutex_;
  int left_ ABSL_GUARDED_BY(mutex_) = 0;
};

// Many streams, and changes brought about by a GetTaskInfo that insists on a new answer.
class WatchLoad {
 public:
  explicit WatchLoad(const Connections* connections) : connections_(connections) {}

  int Run() {
    const int streams = absl::GetFlag(FLAGS_streams);
    const absl::Time start = absl::Now();
    for (int i = 0; i < streams; ++i) {
      streams_.push_back(std::make_unique<Stream>(this, TaskId(i)));
      streams_.back()->Start((*connections_)[i]);
    }
    AwaitReceived(streams);
    const absl::Duration opening = absl::Now() - start;
    if (absl::GetFlag(FLAGS_hold)) {
      std::printf("{\"open\": %d}\n", streams);
      std::fflush(stdout);
      while (std::getchar() != EOF) {
      }
    }

    std::vector<double> last;
    for (int change = 0; change < absl::GetFlag(FLAGS_changes) && failures_.count() == 0; ++change) {
      Expect(BringAboutAChange());
      AwaitReceived(streams);
      const absl::MutexLock lock(&mutex_);
      last.push_back(Microseconds(last_received_ - first_received_));
    }
    closing_ = true;
    for (const auto& stream : streams_) stream->Cancel();
    for (const auto& stream : streams_) stream->AwaitDone();
    std::printf(
        "{\"streams\": %d, \"failed\": %d, \"changes\": %zu, \"open_seconds\": %.3f, \"spread_p50_us\": %.1f, "
        "\"spread_max_us\": %.1f}\n",
        streams, failures_.count(), last.size(), absl::ToDoubleSeconds(opening), Percentile(last, 0.5),
        last.empty() ? 0 : *std::max_element(last.begin(), last.end()));
    return failures_.Report();
  }

 private:
  class Stream final : public grpc::ClientReadReactor<v1::WatchTaskResponse> {
   public:
    Stream(WatchLoad* load, std::string task_id) : load_(load) { request_.set_task_id(std::move(task_id)); }
    void Start(Stub& stub) {
      request_.mutable_heartbeat_interval()->set_seconds(60);
      stub.async()->WatchTask(&context_, &request_, this);
      StartRead(&response_);
      StartCall();
    }
    void OnReadDone(bool ok) override {
      if (!ok) return;
      if (response_.has_task()) load_->OnTask(request_.task_id(), response_.task());
      StartRead(&response_);
    }
    void OnDone(const grpc::Status& status) override {
      if (!load_->closing_) load_->failures_.Add(absl::StrCat("a stream ended: ", status.error_message()));
      const absl::MutexLock lock(&mutex_);
      done_ = true;
    }
    void Cancel() { context_.TryCancel(); }
    void AwaitDone() {
      mutex_.LockWhen(absl::Condition(&done_));
      mutex_.Unlock();
    }

   private:
    WatchLoad* const load_;
    grpc::ClientContext context_;
    v1::WatchTaskRequest request_;
    v1::WatchTaskResponse response_;
    absl::Mutex mutex_;
    bool done_ ABSL_GUARDED_BY(mutex_) = false;
  };

  // Begins to count the streams that have received `etag`.
  void Expect(const std::string& etag) {
    const absl::MutexLock lock(&mutex_);
    expected_ = etag;
    for (const auto& [seen, times] : early_) {
      if (seen != etag) continue;
      received_ += times.count;
      first_received_ = times.first;
      last_received_ = times.last;
    }
    early_.clear();
  }

  void OnTask(const std::string& task_id, const v1::TaskInfo& task) {
    const absl::Time now = absl::Now();
    if (task.task_id() != task_id) return failures_.Add("another stream's task");
    const absl::MutexLock lock(&mutex_);
    if (!expected_.has_value() || task.etag() == *expected_) {
      if (received_++ == 0) first_received_ = now;
      last_received_ = now;
      return;
    }
    // The call that brought the change about has not returned yet.
    if (early_.empty() || early_.back().first != task.etag()) early_.push_back({task.etag(), {0, now, now}});
    ++early_.back().second.count;
    early_.back().second.last = now;
  }

  void AwaitReceived(int count) {
    wanted_ = count;
    mutex_.LockWhen(absl::Condition(this, &WatchLoad::ReceivedOrFailed));
    received_ = 0;
    mutex_.Unlock();
  }
  bool ReceivedOrFailed() const ABSL_NO_THREAD_SAFETY_ANALYSIS { return received_ >= wanted_ || failures_.count() > 0; }

  std::string BringAboutAChange() {
    grpc::ClientContext context;
    v1::GetTaskInfoRequest request;
    request.set_task_id(TaskId(0));
    request.mutable_max_staleness()->set_seconds(0);
    v1::GetTaskInfoResponse response;
    const grpc::Status status = (*connections_)[0].GetTaskInfo(&context, request, &response);
    if (!status.ok()) failures_.Add(absl::StrCat("no change: ", status.error_message()));
    // The null server counts in the etag; taskwatchd's states carry one of their own.
    return response.task().etag();
  }

  struct Times {
    int count;
    absl::Time first;
    absl::Time last;
  };

  const Connections* const connections_;
  std::vector<std::unique_ptr<Stream>> streams_;
  std::atomic<bool> closing_{false};
  Failures failures_;
  absl::Mutex mutex_;
  std::optional<std::string> expected_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::pair<std::string, Times>> early_ ABSL_GUARDED_BY(mutex_);
  int received_ ABSL_GUARDED_BY(mutex_) = 0;
  int wanted_ = 0;
  absl::Time first_received_ ABSL_GUARDED_BY(mutex_);
  absl::Time last_received_ ABSL_GUARDED_BY(mutex_);
};

bool AcceptsConnections(const std::string& server) {
  const std::pair<std::string, std::string> host_port = absl::StrSplit(server, ':');
  int port = 0;
  if (!absl::SimpleAtoi(host_port.second, &port)) return false;
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  inet_pton(AF_INET, host_port.first.c_str(), &address.sin_addr);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool connected = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  close(fd);
  return connected;
}

// Starts the server that `command` names and measures until it has answered one call.
int MeasureFirstAnswer(const std::vector<char*>& command) {
  const std::string server = absl::GetFlag(FLAGS_server);
  std::vector<char*> arguments(command.begin() + 1, command.end());
  arguments.push_back(nullptr);
  const absl::Time start = absl::Now();
  const pid_t child = fork();
  if (child == 0) {
    execv(arguments[0], arguments.data());
    _exit(127);
  }
  bool exited = false;
  while (!AcceptsConnections(server) && !exited) exited = waitpid(child, nullptr, WNOHANG) == child;
  grpc::Status status(grpc::StatusCode::UNAVAILABLE, "the server did not start");
  if (!exited) {
    const Connections connections = Connect(server);
    grpc::ClientContext context;
    v1::GetTaskInfoRequest request;
    request.set_task_id(absl::GetFlag(FLAGS_task));
    v1::GetTaskInfoResponse response;
    status = connections[0].GetTaskInfo(&context, request, &response);
  }
  const absl::Duration took = absl::Now() - start;
  if (!exited) {
    kill(child, SIGTERM);
    waitpid(child, nullptr, 0);
  }
  if (!status.ok()) {
    std::fprintf(stderr, "load_client: no answer: %s\n", status.error_message().c_str());
    return 1;
  }
  std::printf("{\"first_answer_ms\": %.2f}\n", absl::ToDoubleMilliseconds(took));
  return 0;
}

int Main(int argc, char** argv) {
  const std::vector<char*> rest = absl::ParseCommandLine(argc, argv);
  const std::string mode = absl::GetFlag(FLAGS_mode);
  if (mode == "first" && rest.size() > 1) return MeasureFirstAnswer(rest);
  const Connections connections = Connect(absl::GetFlag(FLAGS_server));
  if (mode == "unary") return UnaryLoad(&connections).Run();
  if (mode == "watch") return WatchLoad(&connections).Run();
  std::fprintf(stderr, "load_client: --mode is unary, watch or first (with a command)\n");
  return 2;
}

}  // namespace
}  // namespace taskwatch

int main(int argc, char** argv) { return taskwatch::Main(argc, argv); }
