#include "taskwatch/client/task_client.h"

#include <cstdio>
#include <cstdlib>
#include <random>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"

#include "client/internal/resume_policy.h"
#include "client/internal/retrying_call.h"
#include "client/internal/task_rpcs.h"
#include "client/internal/wait_run.h"
#include "client/internal/watch_run.h"

namespace taskwatch::client {

class TaskClient::Impl {
 public:
  // Makes what a call attempts, once the client is kept from being destroyed.
  using NewRpc = std::function<std::unique_ptr<Rpc>(Impl& client)>;

  Impl(std::unique_ptr<v1::TaskService::StubInterface> stub, Options options)
      : stub_(std::move(stub)),
        options_(std::move(options)),
        next_seed_(options_.seed.value_or(std::random_device()())) {}

  ~Impl() {
    // It would wait for itself.
    if (CallbackScope::IsInOneOf(this)) {
      std::fputs("FATAL: a TaskClient is destroyed by a callback or an observer of one of its calls\n", stderr);
      std::abort();
    }
    closing_.Cancel();
    const absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(
        +[](int* open_calls) { return *open_calls == 0; }, &open_calls_));
  }

  std::unique_ptr<Rpc> NewGet(const std::string& task_id, const GetOptions& options) {
    return std::make_unique<GetRpc>(stub_.get(), task_id, options, NewPolicy());
  }

  std::unique_ptr<Rpc> NewWatch(const std::string& task_id, const WatchOptions& options, WatchObserver observer) {
    WatchRun::Options run;
    run.task_id = task_id;
    run.last_etag = options.last_etag;
    run.poll_interval = options.poll_interval;
    run.heartbeat_interval = options.heartbeat_interval;
    run.silence_limit = options_.silence_limit;
    run.deadline = options.call.deadline;
    return std::make_unique<WatchRpc>(stub_.get(), WatchRun(std::move(run), NewPolicy(), Marked(std::move(observer))));
  }

  std::unique_ptr<Rpc> NewWait(const std::string& task_id, const WaitOptions& options, WatchObserver observer) {
    return std::make_unique<WaitRpc>(
        stub_.get(), WaitRun(task_id, absl::Now() + options.timeout, NewPolicy(), Marked(std::move(observer))));
  }

  Result Run(const CallOptions& options, const NewRpc& new_rpc) {
    Open();
    // Over, with all that it holds of the client, before the client may be destroyed.
    Result result = RetryingCall(options, closing_, &options_.credentials, new_rpc(*this)).Run();
    Close();
    return result;
  }

  void Start(const CallOptions& options, const NewRpc& new_rpc, Done done) {
    Open();
    std::make_shared<RetryingCall>(options, closing_, &options_.credentials, new_rpc(*this))
        ->Start([this, done = std::move(done)](Result result) mutable {
          {
            const CallbackScope scope(this);
            // With all that it holds, too.
            std::exchange(done, nullptr)(std::move(result));
          }
          Close();
        });
  }

 private:
  // Marks that this thread runs a callback of a client's.
  class CallbackScope {
   public:
    explicit CallbackScope(const Impl* client) : client_(client), outer_(std::exchange(innermost_, this)) {}
    ~CallbackScope() { innermost_ = outer_; }
    CallbackScope(const CallbackScope&) = delete;
    CallbackScope& operator=(const CallbackScope&) = delete;

    static bool IsInOneOf(const Impl* client) {
      const CallbackScope* scope = innermost_;
      while (scope != nullptr && scope->client_ != client) scope = scope->outer_;
      return scope != nullptr;
    }

   private:
    static thread_local const CallbackScope* innermost_;
    const Impl* const client_;
    const CallbackScope* const outer_;
  };

  // `callback`, marked.
  template <typename... Args>
  std::function<void(Args...)> Marked(std::function<void(Args...)> callback) {
    if (!callback) return nullptr;
    return [this, callback = std::move(callback)](Args... args) {
      const CallbackScope scope(this);
      callback(args...);
    };
  }

  WatchObserver Marked(WatchObserver observer) {
    observer.on_task = Marked(std::move(observer.on_task));
    observer.on_heartbeat = Marked(std::move(observer.on_heartbeat));
    observer.on_interruption = Marked(std::move(observer.on_interruption));
    return observer;
  }

  void Open() {
    const absl::MutexLock lock(&mutex_);
    ++open_calls_;
  }

  void Close() {
    const absl::MutexLock lock(&mutex_);
    --open_calls_;
  }

  ResumePolicy NewPolicy() {
    const absl::MutexLock lock(&mutex_);
    return ResumePolicy(options_.resume, next_seed_++, absl::Now());
  }

  const std::unique_ptr<v1::TaskService::StubInterface> stub_;
  const Options options_;
  // Cancels what is open when the client is destroyed.
  const CancelHandle closing_;
  absl::Mutex mutex_;
  uint64_t next_seed_ ABSL_GUARDED_BY(mutex_);
  int open_calls_ ABSL_GUARDED_BY(mutex_) = 0;
};

thread_local const TaskClient::Impl::CallbackScope* TaskClient::Impl::CallbackScope::innermost_ = nullptr;

TaskClient::TaskClient(const std::shared_ptr<grpc::ChannelInterface>& channel, Options options)
    : TaskClient(v1::TaskService::NewStub(channel), std::move(options)) {}

TaskClient::TaskClient(std::unique_ptr<v1::TaskService::StubInterface> stub, Options options)
    : impl_(std::make_unique<Impl>(std::move(stub), std::move(options))) {}

TaskClient::~TaskClient() = default;

TaskClient::Result TaskClient::Get(const std::string& task_id, const GetOptions& options) {
  return impl_->Run(options.call, [&](Impl& client) { return client.NewGet(task_id, options); });
}

void TaskClient::GetAsync(const std::string& task_id, const GetOptions& options, Done done) {
  impl_->Start(
      options.call, [&](Impl& client) { return client.NewGet(task_id, options); }, std::move(done));
}

TaskClient::Result TaskClient::Watch(const std::string& task_id, const WatchOptions& options, WatchObserver observer) {
  return impl_->Run(options.call, [&](Impl& client) { return client.NewWatch(task_id, options, std::move(observer)); });
}

void TaskClient::WatchAsync(const std::string& task_id, const WatchOptions& options, WatchObserver observer,
                            Done done) {
  impl_->Start(
      options.call, [&](Impl& client) { return client.NewWatch(task_id, options, std::move(observer)); },
      std::move(done));
}

TaskClient::Result TaskClient::Wait(const std::string& task_id, const WaitOptions& options, WatchObserver observer) {
  return impl_->Run(options.call, [&](Impl& client) { return client.NewWait(task_id, options, std::move(observer)); });
}

void TaskClient::WaitAsync(const std::string& task_id, const WaitOptions& options, Done done) {
  WaitAsync(task_id, options, {}, std::move(done));
}

void TaskClient::WaitAsync(const std::string& task_id, const WaitOptions& options, WatchObserver observer, Done done) {
  impl_->Start(
      options.call, [&](Impl& client) { return client.NewWait(task_id, options, std::move(observer)); },
      std::move(done));
}

}  // namespace taskwatch::client
