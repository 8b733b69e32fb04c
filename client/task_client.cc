#include "taskwatch/client/task_client.h"

#include <grpcpp/client_context.h>

#include <algorithm>
#include <random>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "taskwatch/client/rpc_status.h"

#include "client/internal/call_control.h"
#include "client/internal/proto_time.h"
#include "client/internal/wait_run.h"

namespace taskwatch::client {
namespace {

// gRPC ends the process when it is given a header that HTTP/2 does not allow.
absl::Status ValidateHeader(const std::string& name, const std::string& value) {
  const bool name_is_legal = !name.empty() && name[0] != ':' && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-' || c == '_' || c == '.';
  });
  if (!name_is_legal) return absl::InvalidArgumentError("a header's name may hold a-z, 0-9, -, _ and . only");
  // The value may be a secret, so it is not shown.
  if (!std::all_of(value.begin(), value.end(), [](char c) { return absl::ascii_isprint(c); })) {
    return absl::InvalidArgumentError(absl::StrCat("the value of the header '", name, "' must be printable ASCII"));
  }
  return absl::OkStatus();
}

absl::Status AddHeaders(const Metadata& metadata, grpc::ClientContext& context) {
  for (const auto& [name, value] : metadata) {
    if (absl::Status status = ValidateHeader(name, value); !status.ok()) return status;
    context.AddMetadata(name, value);
  }
  return absl::OkStatus();
}

v1::GetTaskInfoRequest GetRequest(const std::string& task_id, const GetOptions& options) {
  v1::GetTaskInfoRequest request;
  request.set_task_id(task_id);
  if (options.max_staleness.has_value()) *request.mutable_max_staleness() = ToProto(*options.max_staleness);
  return request;
}

constexpr absl::string_view kDeadlinePassed = "the deadline passed before the task was done";

absl::Status Cancelled() { return absl::CancelledError("the call was cancelled"); }

absl::Status SilentFor(absl::Duration limit) {
  return absl::UnavailableError(
      absl::StrCat("no message for ", absl::FormatDuration(limit), ": the connection is taken for dead"));
}

// Whether an attempt ended because the caller's time is up. The service itself never lets it come to that.
bool IsCallersDeadline(const absl::Status& status, const CallOptions& call) {
  return absl::IsDeadlineExceeded(status) && call.deadline != absl::InfiniteFuture();
}

// Cancels what a blocking call is doing when either handle is.
class Cancelling {
 public:
  Cancelling(const std::shared_ptr<CallControl>& control, const CancelHandle& caller, const CancelHandle& client)
      : caller_(caller.OnCancel([control] { control->Cancel(); })),
        client_(client.OnCancel([control] { control->Cancel(); })) {}

 private:
  const CancelHandle::Registration caller_;
  const CancelHandle::Registration client_;
};

}  // namespace

TaskClient::TaskClient(const std::shared_ptr<grpc::ChannelInterface>& channel, Options options)
    : TaskClient(v1::TaskService::NewStub(channel), std::move(options)) {}

TaskClient::TaskClient(std::unique_ptr<v1::TaskService::StubInterface> stub, Options options)
    : stub_(std::move(stub)),
      options_(std::move(options)),
      next_seed_(options_.seed.value_or(std::random_device()())) {}

TaskClient::~TaskClient() {
  closing_.Cancel();
  const absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(
      +[](int* open_calls) { return *open_calls == 0; }, &open_calls_));
}

absl::StatusOr<std::shared_ptr<grpc::ClientContext>> TaskClient::NewContext(const CallOptions& call,
                                                                            absl::Time deadline) const {
  auto context = std::make_shared<grpc::ClientContext>();
  if (deadline != absl::InfiniteFuture()) context->set_deadline(absl::ToChronoTime(deadline));
  if (absl::Status status = AddHeaders(call.metadata, *context); !status.ok()) return status;
  if (!options_.credentials) return context;
  const absl::StatusOr<Metadata> credentials = options_.credentials();
  if (!credentials.ok()) return credentials.status();
  if (absl::Status status = AddHeaders(*credentials, *context); !status.ok()) return status;
  return context;
}

ResumePolicy TaskClient::NewPolicy() {
  const absl::MutexLock lock(&mutex_);
  return ResumePolicy(options_.resume, next_seed_++, absl::Now());
}

WatchRun TaskClient::NewWatchRun(const std::string& task_id, const WatchOptions& options, WatchObserver observer) {
  WatchRun::Options run;
  run.task_id = task_id;
  run.last_etag = options.last_etag;
  run.poll_interval = options.poll_interval;
  run.heartbeat_interval = options.heartbeat_interval;
  run.silence_limit = options_.silence_limit;
  return WatchRun(std::move(run), NewPolicy(), std::move(observer));
}

TaskClient::Result TaskClient::Get(const std::string& task_id, const GetOptions& options) {
  const auto control = std::make_shared<CallControl>();
  const Cancelling cancelling(control, options.call.cancel, closing_);
  const auto context = NewContext(options.call, options.call.deadline);
  if (!context.ok()) return context.status();
  control->SetAttempt(*context);
  v1::GetTaskInfoResponse response;
  const grpc::Status status = stub_->GetTaskInfo(context->get(), GetRequest(task_id, options), &response);
  if (!status.ok()) return FromGrpcStatus(status);
  return std::move(*response.mutable_task());
}

TaskClient::Result TaskClient::Watch(const std::string& task_id, const WatchOptions& options, WatchObserver observer) {
  const auto control = std::make_shared<CallControl>();
  const Cancelling cancelling(control, options.call.cancel, closing_);
  WatchRun run = NewWatchRun(task_id, options, std::move(observer));
  while (true) {
    if (control->cancelled()) return Cancelled();
    if (absl::Now() >= options.call.deadline) return run.DeadlineExceeded();
    const auto context = NewContext(options.call, options.call.deadline);
    if (!context.ok()) return context.status();
    control->SetAttempt(*context);
    absl::Status status;
    {
      const auto reader = stub_->WatchTask(context->get(), run.OpenStream());
      SilenceAlarm silence(control, run.silence_limit());
      v1::WatchTaskResponse message;
      while (reader->Read(&message)) {
        silence.Touch();
        run.OnMessage(message);
      }
      status = FromGrpcStatus(reader->Finish());
      if (silence.expired()) status = SilentFor(run.silence_limit());
    }
    control->SetAttempt(nullptr);
    if (control->cancelled() && absl::IsCancelled(status)) return Cancelled();
    if (IsCallersDeadline(status, options.call)) return run.DeadlineExceeded();
    const absl::Time now = absl::Now();
    const std::optional<absl::Duration> delay = run.OnStreamEnd(status, now);
    if (!delay.has_value()) return run.result();
    control->SleepUntil(std::min(now + *delay, options.call.deadline));
  }
}

TaskClient::Result TaskClient::Wait(const std::string& task_id, const WaitOptions& options) {
  const auto control = std::make_shared<CallControl>();
  const Cancelling cancelling(control, options.call.cancel, closing_);
  absl::Time now = absl::Now();
  WaitRun run(task_id, now + options.timeout, NewPolicy());
  while (true) {
    if (control->cancelled()) return Cancelled();
    now = absl::Now();
    if (now >= options.call.deadline) return absl::DeadlineExceededError(kDeadlinePassed);
    const v1::WaitTaskRequest request = run.NextRequest(now);
    const auto context = NewContext(options.call, std::min(now + run.call_timeout(), options.call.deadline));
    if (!context.ok()) return context.status();
    control->SetAttempt(*context);
    v1::WaitTaskResponse response;
    const absl::Status status = FromGrpcStatus(stub_->WaitTask(context->get(), request, &response));
    control->SetAttempt(nullptr);
    if (control->cancelled() && absl::IsCancelled(status)) return Cancelled();
    now = absl::Now();
    const std::optional<absl::Duration> pause = run.OnAnswer(status, response, now);
    if (!pause.has_value()) return run.result();
    control->SleepUntil(std::min(now + *pause, options.call.deadline));
  }
}

// A call with callbacks. It lives as long as gRPC or an alarm holds it; nothing else does.
class TaskClient::AsyncCall {
 public:
  virtual ~AsyncCall() = default;

 protected:
  AsyncCall(TaskClient* client, CallOptions options, Done done)
      : client_(client), options_(std::move(options)), done_(std::move(done)) {
    const absl::MutexLock lock(&client_->mutex_);
    ++client_->open_calls_;
  }

  // Lets cancellations reach the call and makes the first attempt on one of gRPC's threads, so that nothing is called
  // back from within the function that made the call.
  void Open(std::function<void()> attempt) {
    caller_cancels_ = options_.cancel.OnCancel([control = control_] { control->Cancel(); });
    client_cancels_ = client_->closing_.OnCancel([control = control_] { control->Cancel(); });
    control_->PauseUntil(absl::UnixEpoch(), std::move(attempt));
  }

  // The call is over. The client may be gone when this returns.
  void Close(Result result) {
    caller_cancels_ = CancelHandle::Registration();
    client_cancels_ = CancelHandle::Registration();
    std::exchange(done_, nullptr)(std::move(result));
    const absl::MutexLock lock(&client_->mutex_);
    --client_->open_calls_;
  }

  // The context of the next attempt, or nothing, after the call was closed for want of one.
  std::shared_ptr<grpc::ClientContext> BeginAttempt(absl::Time deadline) {
    auto context = client_->NewContext(options_, deadline);
    if (!context.ok()) {
      Close(context.status());
      return nullptr;
    }
    control_->SetAttempt(*context);
    return *std::move(context);
  }

  v1::TaskService::StubInterface::async_interface* stub() const { return client_->stub_->async(); }

  TaskClient* const client_;
  const CallOptions options_;
  const std::shared_ptr<CallControl> control_ = std::make_shared<CallControl>();

 private:
  Done done_;
  CancelHandle::Registration caller_cancels_;
  CancelHandle::Registration client_cancels_;
};

class TaskClient::AsyncGet final : public AsyncCall, public std::enable_shared_from_this<AsyncGet> {
 public:
  AsyncGet(TaskClient* client, const std::string& task_id, const GetOptions& options, Done done)
      : AsyncCall(client, options.call, std::move(done)), request_(GetRequest(task_id, options)) {}

  void Start() {
    Open([self = shared_from_this()] { self->Attempt(); });
  }

 private:
  void Attempt() {
    if (control_->cancelled()) return Close(Cancelled());
    context_ = BeginAttempt(options_.deadline);
    if (context_ == nullptr) return;
    stub()->GetTaskInfo(context_.get(), &request_, &response_, [self = shared_from_this()](const grpc::Status& status) {
      self->OnAnswer(FromGrpcStatus(status));
    });
  }

  void OnAnswer(const absl::Status& status) {
    control_->SetAttempt(nullptr);
    if (!status.ok()) return Close(status);
    Close(std::move(*response_.mutable_task()));
  }

  const v1::GetTaskInfoRequest request_;
  v1::GetTaskInfoResponse response_;
  std::shared_ptr<grpc::ClientContext> context_;
};

class TaskClient::AsyncWait final : public AsyncCall, public std::enable_shared_from_this<AsyncWait> {
 public:
  AsyncWait(TaskClient* client, const std::string& task_id, const WaitOptions& options, Done done)
      : AsyncCall(client, options.call, std::move(done)),
        run_(task_id, absl::Now() + options.timeout, client->NewPolicy()) {}

  void Start() {
    Open([self = shared_from_this()] { self->Attempt(); });
  }

 private:
  void Attempt() {
    if (control_->cancelled()) return Close(Cancelled());
    const absl::Time now = absl::Now();
    if (now >= options_.deadline) return Close(absl::DeadlineExceededError(kDeadlinePassed));
    request_ = run_.NextRequest(now);
    context_ = BeginAttempt(std::min(now + run_.call_timeout(), options_.deadline));
    if (context_ == nullptr) return;
    stub()->WaitTask(context_.get(), &request_, &response_, [self = shared_from_this()](const grpc::Status& status) {
      self->OnAnswer(FromGrpcStatus(status));
    });
  }

  void OnAnswer(const absl::Status& status) {
    control_->SetAttempt(nullptr);
    if (control_->cancelled() && absl::IsCancelled(status)) return Close(Cancelled());
    const absl::Time now = absl::Now();
    const std::optional<absl::Duration> pause = run_.OnAnswer(status, response_, now);
    if (!pause.has_value()) return Close(run_.result());
    control_->PauseUntil(std::min(now + *pause, options_.deadline), [self = shared_from_this()] { self->Attempt(); });
  }

  WaitRun run_;
  v1::WaitTaskRequest request_;
  v1::WaitTaskResponse response_;
  std::shared_ptr<grpc::ClientContext> context_;
};

class TaskClient::AsyncWatch final : public AsyncCall, public std::enable_shared_from_this<AsyncWatch> {
 public:
  AsyncWatch(TaskClient* client, const std::string& task_id, const WatchOptions& options, WatchObserver observer,
             Done done)
      : AsyncCall(client, options.call, std::move(done)),
        run_(client->NewWatchRun(task_id, options, std::move(observer))) {}

  void Start() {
    Open([self = shared_from_this()] { self->Attempt(); });
  }

 private:
  // One stream. Deletes itself when gRPC is done with it.
  class Stream final : public grpc::ClientReadReactor<v1::WatchTaskResponse> {
   public:
    Stream(std::shared_ptr<AsyncWatch> watch, std::shared_ptr<grpc::ClientContext> context)
        : watch_(std::move(watch)),
          context_(std::move(context)),
          request_(watch_->run_.OpenStream()),
          silence_limit_(watch_->run_.silence_limit()),
          silence_(watch_->control_, silence_limit_) {
      watch_->stub()->WatchTask(context_.get(), &request_, this);
      StartRead(&message_);
      StartCall();
    }

    void OnReadDone(bool ok) override {
      if (!ok) return;
      silence_.Touch();
      watch_->run_.OnMessage(message_);
      StartRead(&message_);
    }

    void OnDone(const grpc::Status& status) override {
      const absl::Status why = silence_.expired() ? SilentFor(silence_limit_) : FromGrpcStatus(status);
      const std::shared_ptr<AsyncWatch> watch = std::move(watch_);
      delete this;
      watch->OnStreamEnd(why);
    }

   private:
    std::shared_ptr<AsyncWatch> watch_;
    const std::shared_ptr<grpc::ClientContext> context_;
    const v1::WatchTaskRequest request_;
    const absl::Duration silence_limit_;
    SilenceAlarm silence_;
    v1::WatchTaskResponse message_;
  };

  void Attempt() {
    if (control_->cancelled()) return Close(Cancelled());
    if (absl::Now() >= options_.deadline) return Close(run_.DeadlineExceeded());
    std::shared_ptr<grpc::ClientContext> context = BeginAttempt(options_.deadline);
    if (context == nullptr) return;
    new Stream(shared_from_this(), std::move(context));
  }

  void OnStreamEnd(const absl::Status& status) {
    control_->SetAttempt(nullptr);
    if (control_->cancelled() && absl::IsCancelled(status)) return Close(Cancelled());
    if (IsCallersDeadline(status, options_)) return Close(run_.DeadlineExceeded());
    const absl::Time now = absl::Now();
    const std::optional<absl::Duration> delay = run_.OnStreamEnd(status, now);
    if (!delay.has_value()) return Close(run_.result());
    control_->PauseUntil(std::min(now + *delay, options_.deadline), [self = shared_from_this()] { self->Attempt(); });
  }

  WatchRun run_;
};

void TaskClient::GetAsync(const std::string& task_id, const GetOptions& options, Done done) {
  std::make_shared<AsyncGet>(this, task_id, options, std::move(done))->Start();
}

void TaskClient::WatchAsync(const std::string& task_id, const WatchOptions& options, WatchObserver observer,
                            Done done) {
  std::make_shared<AsyncWatch>(this, task_id, options, std::move(observer), std::move(done))->Start();
}

void TaskClient::WaitAsync(const std::string& task_id, const WaitOptions& options, Done done) {
  std::make_shared<AsyncWait>(this, task_id, options, std::move(done))->Start();
}

}  // namespace taskwatch::client
