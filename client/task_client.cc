#include "taskwatch/client/task_client.h"

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
  Impl(std::unique_ptr<v1::TaskService::StubInterface> stub, Options options)
      : stub_(std::move(stub)),
        options_(std::move(options)),
        next_seed_(options_.seed.value_or(std::random_device()())) {}

  ~Impl() {
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
    return std::make_unique<WatchRpc>(stub_.get(), WatchRun(std::move(run), NewPolicy(), std::move(observer)));
  }

  std::unique_ptr<Rpc> NewWait(const std::string& task_id, const WaitOptions& options, WatchObserver observer) {
    return std::make_unique<WaitRpc>(stub_.get(),
                                     WaitRun(task_id, absl::Now() + options.timeout, NewPolicy(), std::move(observer)));
  }

  Result Run(const CallOptions& options, std::unique_ptr<Rpc> rpc) {
    return RetryingCall(options, closing_, &options_.credentials, std::move(rpc)).Run();
  }

  void Start(const CallOptions& options, std::unique_ptr<Rpc> rpc, Done done) {
    {
      const absl::MutexLock lock(&mutex_);
      ++open_calls_;
    }
    std::make_shared<RetryingCall>(options, closing_, &options_.credentials, std::move(rpc))
        ->Start([this, done = std::move(done)](Result result) mutable {
          // With all that it holds, before the client may be destroyed.
          std::exchange(done, nullptr)(std::move(result));
          const absl::MutexLock lock(&mutex_);
          --open_calls_;
        });
  }

 private:
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
  // Those with callbacks.
  int open_calls_ ABSL_GUARDED_BY(mutex_) = 0;
};

TaskClient::TaskClient(const std::shared_ptr<grpc::ChannelInterface>& channel, Options options)
    : TaskClient(v1::TaskService::NewStub(channel), std::move(options)) {}

TaskClient::TaskClient(std::unique_ptr<v1::TaskService::StubInterface> stub, Options options)
    : impl_(std::make_unique<Impl>(std::move(stub), std::move(options))) {}

TaskClient::~TaskClient() = default;

TaskClient::Result TaskClient::Get(const std::string& task_id, const GetOptions& options) {
  return impl_->Run(options.call, impl_->NewGet(task_id, options));
}

void TaskClient::GetAsync(const std::string& task_id, const GetOptions& options, Done done) {
  impl_->Start(options.call, impl_->NewGet(task_id, options), std::move(done));
}

TaskClient::Result TaskClient::Watch(const std::string& task_id, const WatchOptions& options, WatchObserver observer) {
  return impl_->Run(options.call, impl_->NewWatch(task_id, options, std::move(observer)));
}

void TaskClient::WatchAsync(const std::string& task_id, const WatchOptions& options, WatchObserver observer,
                            Done done) {
  impl_->Start(options.call, impl_->NewWatch(task_id, options, std::move(observer)), std::move(done));
}

TaskClient::Result TaskClient::Wait(const std::string& task_id, const WaitOptions& options, WatchObserver observer) {
  return impl_->Run(options.call, impl_->NewWait(task_id, options, std::move(observer)));
}

void TaskClient::WaitAsync(const std::string& task_id, const WaitOptions& options, Done done) {
  WaitAsync(task_id, options, {}, std::move(done));
}

void TaskClient::WaitAsync(const std::string& task_id, const WaitOptions& options, WatchObserver observer, Done done) {
  impl_->Start(options.call, impl_->NewWait(task_id, options, std::move(observer)), std::move(done));
}

}  // namespace taskwatch::client
