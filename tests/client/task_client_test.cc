// The callback forms, and what the blocking ones share with them, against a real server that follows a script.
#include "taskwatch/client/task_client.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "taskwatch/client/rpc_status.h"
#include "taskwatch/v1/task_service.grpc.pb.h"

#include "tests/client/errors.h"
#include "tests/client/reason_matcher.h"
#include "tests/client/tasks.h"
#include "tests/matchers/status_matchers.h"
#include "tests/patience/patience.h"

namespace taskwatch::client {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

using Writer = grpc::ServerWriter<v1::WatchTaskResponse>;
using WatchScript = std::function<grpc::Status(grpc::ServerContext&, const v1::WatchTaskRequest&, Writer&)>;

// Answers the n-th WatchTask call by the n-th script, and all later ones by the last.
class ScriptedService final : public v1::TaskService::Service {
 public:
  void Watch(WatchScript script) {
    const absl::MutexLock lock(&mutex_);
    watches_.push_back(std::move(script));
  }

  // Lets go of the calls that hang.
  void Release() { released_.Notify(); }

  // For a script: does not answer.
  grpc::Status Hang() {
    {
      const absl::MutexLock lock(&mutex_);
      ++hanging_;
    }
    Await(released_, "the end of the test, which lets go of calls that hang");
    return grpc::Status(grpc::StatusCode::ABORTED, "the test is over");
  }

  // Waits until so many calls have hung.
  void AwaitHanging(int count) {
    const auto enough = [this, count] {
      mutex_.AssertHeld();
      return hanging_ >= count;
    };
    Await(mutex_, absl::Condition(&enough), "calls that hang");
  }

  grpc::Status GetTaskInfo(grpc::ServerContext*, const v1::GetTaskInfoRequest* request,
                           v1::GetTaskInfoResponse* response) override {
    if (request->task_id() == "hangs") return Hang();
    if (request->task_id() == "missing") return ServiceError(grpc::StatusCode::NOT_FOUND, "TASK_NOT_FOUND");
    *response->mutable_task() = Running(3, 1);
    return grpc::Status::OK;
  }

  grpc::Status WatchTask(grpc::ServerContext* context, const v1::WatchTaskRequest* request, Writer* writer) override {
    WatchScript script;
    {
      const absl::MutexLock lock(&mutex_);
      script = watches_.front();
      if (watches_.size() > 1) watches_.pop_front();
    }
    return script(*context, *request, *writer);
  }

  grpc::Status WaitTask(grpc::ServerContext*, const v1::WaitTaskRequest* request,
                        v1::WaitTaskResponse* response) override {
    if (request->task_id() == "hangs") return Hang();
    const absl::MutexLock lock(&mutex_);
    if (waits_++ == 0) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "restarting");
    *response->mutable_task() = Succeeded(9);
    return grpc::Status::OK;
  }

 private:
  absl::Mutex mutex_;
  std::deque<WatchScript> watches_ ABSL_GUARDED_BY(mutex_);
  int waits_ ABSL_GUARDED_BY(mutex_) = 0;
  int hanging_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Notification released_;
};

// What one call told, in order. Thread-safe.
class Story {
 public:
  WatchObserver Observer() {
    WatchObserver observer;
    observer.on_task = [this](const v1::TaskInfo& task) { Add(task.etag()); };
    observer.on_heartbeat = [this](const v1::Heartbeat&) { Add("heartbeat"); };
    observer.on_interruption = [this](const absl::Status& why, absl::Duration) {
      Add(absl::StrCat("interrupted: ", why.message()));
    };
    return observer;
  }

  TaskClient::Done Done() {
    return [this](const TaskClient::Result& result) {
      Add(result.ok() ? "done" : absl::StrCat("error ", absl::StatusCodeToString(result.status().code())));
      result_ = result;
      over_.Notify();
    };
  }

  const TaskClient::Result& Await() {
    taskwatch::Await(over_, "the end of a call");
    return result_;
  }

  std::vector<std::string> told() {
    const absl::MutexLock lock(&mutex_);
    return told_;
  }

 private:
  void Add(std::string what) {
    const absl::MutexLock lock(&mutex_);
    told_.push_back(std::move(what));
  }

  absl::Mutex mutex_;
  std::vector<std::string> told_ ABSL_GUARDED_BY(mutex_);
  TaskClient::Result result_ = absl::UnknownError("not over");
  absl::Notification over_;
};

class TaskClientTest : public testing::Test {
 protected:
  TaskClientTest() {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    channel_ = grpc::CreateChannel(absl::StrCat("127.0.0.1:", port), grpc::InsecureChannelCredentials());
    options_.resume.base_delay = absl::Milliseconds(1);
    options_.seed = 1;
  }

  ~TaskClientTest() override {
    client_.reset();
    service_.Release();
    server_->Shutdown();
  }

  TaskClient& client() {
    if (client_ == nullptr) client_ = std::make_unique<TaskClient>(channel_, options_);
    return *client_;
  }

  ScriptedService service_;
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  TaskClient::Options options_;
  std::unique_ptr<TaskClient> client_;
};

WatchScript Sends(const std::vector<v1::WatchTaskResponse>& messages, const grpc::Status& status) {
  return [messages, status](grpc::ServerContext&, const v1::WatchTaskRequest&, Writer& writer) {
    for (const auto& message : messages) writer.Write(message);
    return status;
  };
}

TEST_F(TaskClientTest, GetsATask) {
  Story story;
  client().GetAsync("t1", {}, story.Done());
  EXPECT_EQ(story.Await()->etag(), Running(3, 1).etag());
}

TEST_F(TaskClientTest, ReturnsTheServicesError) {
  Story story;
  client().GetAsync("missing", {}, story.Done());
  EXPECT_THAT(story.Await(), HasErrorReason("TASK_NOT_FOUND"));
  EXPECT_THAT(client().Get("missing"), HasErrorReason("TASK_NOT_FOUND"));
}

TEST_F(TaskClientTest, MakesNoCallWithoutItsCredentials) {
  options_.credentials = []() -> absl::StatusOr<Metadata> { return absl::NotFoundError("no token file"); };
  Story story;
  client().WatchAsync("t1", {}, story.Observer(), story.Done());
  EXPECT_THAT(story.Await(), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(TaskClientTest, WatchesToTheEnd) {
  service_.Watch(Sends({Message(Running(1, 1)), Message(HeartbeatOf("TASK_STATE_RUNNING-1", 2)), Message(Succeeded(3))},
                       grpc::Status::OK));
  Story story;
  client().WatchAsync("t1", {}, story.Observer(), story.Done());
  EXPECT_EQ(story.Await()->etag(), Succeeded(3).etag());
  EXPECT_THAT(story.told(), ElementsAre("TASK_STATE_RUNNING-1", "heartbeat", "TASK_STATE_SUCCEEDED-10", "done"));
}

TEST_F(TaskClientTest, GoesOnWhereItWasAfterAnInterruption) {
  service_.Watch(Sends({Message(Running(1, 1))}, ServiceError(grpc::StatusCode::UNAVAILABLE, "STREAM_ROTATED")));
  std::string last_etag;
  service_.Watch([&last_etag](grpc::ServerContext&, const v1::WatchTaskRequest& request, Writer& writer) {
    last_etag = request.last_etag();
    writer.Write(Message(Running(1, 2)));
    writer.Write(Message(Succeeded(3)));
    return grpc::Status::OK;
  });
  Story story;
  client().WatchAsync("t1", {}, story.Observer(), story.Done());
  story.Await();
  EXPECT_EQ(last_etag, Running(1, 1).etag());
  EXPECT_THAT(story.told(),
              ElementsAre("TASK_STATE_RUNNING-1", "interrupted: said the service", "TASK_STATE_SUCCEEDED-10", "done"));
}

TEST_F(TaskClientTest, EndsAWatchOnceAtAPermanentError) {
  service_.Watch(Sends({Message(Running(1, 1))}, ServiceError(grpc::StatusCode::NOT_FOUND, "TASK_NOT_FOUND")));
  Story story;
  client().WatchAsync("t1", {}, story.Observer(), story.Done());
  EXPECT_THAT(story.Await(), HasErrorReason("TASK_NOT_FOUND"));
  EXPECT_THAT(story.told(), ElementsAre("TASK_STATE_RUNNING-1", "error NOT_FOUND"));
}

TEST_F(TaskClientTest, TakesASilentStreamForDead) {
  options_.silence_limit = absl::Milliseconds(200);
  service_.Watch([this](grpc::ServerContext&, const v1::WatchTaskRequest&, Writer&) { return service_.Hang(); });
  service_.Watch(Sends({Message(Succeeded(1))}, grpc::Status::OK));
  Story story;
  client().WatchAsync("t1", {}, story.Observer(), story.Done());
  EXPECT_TRUE(story.Await()->done());
  EXPECT_THAT(story.told().front(), HasSubstr("no message for 200ms"));
}

TEST_F(TaskClientTest, TakesASilentStreamForDeadInTheBlockingFormToo) {
  options_.silence_limit = absl::Milliseconds(200);
  service_.Watch([this](grpc::ServerContext&, const v1::WatchTaskRequest&, Writer&) { return service_.Hang(); });
  service_.Watch(Sends({Message(Succeeded(1))}, grpc::Status::OK));
  Story story;
  EXPECT_TRUE(client().Watch("t1", {}, story.Observer())->done());
  EXPECT_THAT(story.told().front(), HasSubstr("no message for 200ms"));
}

TEST_F(TaskClientTest, EndsAWatchThatIsCancelled) {
  service_.Watch([this](grpc::ServerContext&, const v1::WatchTaskRequest&, Writer& writer) {
    writer.Write(Message(Running(1, 1)));
    return service_.Hang();
  });
  WatchOptions options;
  Story story;
  WatchObserver observer = story.Observer();
  observer.on_task = [options](const v1::TaskInfo&) { options.call.cancel.Cancel(); };
  client().WatchAsync("t1", options, observer, story.Done());
  EXPECT_THAT(story.Await(), StatusIs(absl::StatusCode::kCancelled));
}

TEST_F(TaskClientTest, EndsAWatchThatIsCancelledWhileItPauses) {
  service_.Watch(Sends({}, ServiceError(grpc::StatusCode::UNAVAILABLE, "SERVER_DRAINING", absl::Hours(1))));
  WatchOptions options;
  Story story;
  WatchObserver observer = story.Observer();
  observer.on_interruption = [options](const absl::Status&, absl::Duration) { options.call.cancel.Cancel(); };
  client().WatchAsync("t1", options, observer, story.Done());
  EXPECT_THAT(story.Await(), StatusIs(absl::StatusCode::kCancelled));
}

TEST_F(TaskClientTest, EndsAWatchAtItsDeadlineWhileItPauses) {
  service_.Watch(Sends({}, ServiceError(grpc::StatusCode::UNAVAILABLE, "SERVER_DRAINING", absl::Hours(1))));
  WatchOptions options;
  options.call.deadline = absl::Now() + absl::Milliseconds(300);
  Story story;
  client().WatchAsync("t1", options, story.Observer(), story.Done());
  EXPECT_THAT(story.Await(), StatusIs(absl::StatusCode::kDeadlineExceeded));
}

TEST_F(TaskClientTest, EndsAWatchAtItsDeadlineWhileItReads) {
  service_.Watch([this](grpc::ServerContext&, const v1::WatchTaskRequest&, Writer&) { return service_.Hang(); });
  WatchOptions options;
  options.call.deadline = absl::Now() + absl::Milliseconds(300);
  Story story;
  client().WatchAsync("t1", options, story.Observer(), story.Done());
  EXPECT_THAT(story.Await(), StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_THAT(story.told(), ElementsAre("error DEADLINE_EXCEEDED"));
}

TEST_F(TaskClientTest, CancelsABlockingGetFromAnotherCall) {
  GetOptions options;
  Story other;
  client().GetAsync("t1", {}, [&](TaskClient::Result) { options.call.cancel.Cancel(); });
  EXPECT_THAT(client().Get("hangs", options), StatusIs(absl::StatusCode::kCancelled));
}

TEST_F(TaskClientTest, EndsAllOpenCallsWhenItGoes) {
  service_.Watch([this](grpc::ServerContext&, const v1::WatchTaskRequest&, Writer&) { return service_.Hang(); });
  Story watch, get;
  client().WatchAsync("t1", {}, watch.Observer(), watch.Done());
  client().GetAsync("hangs", {}, get.Done());
  client_.reset();
  EXPECT_THAT(watch.told(), ElementsAre("error CANCELLED"));
  EXPECT_THAT(get.told(), ElementsAre("error CANCELLED"));
}

TEST_F(TaskClientTest, EndsTheCallsInWhichOtherThreadsAreWhenItGoes) {
  service_.Watch([this](grpc::ServerContext&, const v1::WatchTaskRequest&, Writer& writer) {
    writer.Write(Message(Running(1, 1)));
    return service_.Hang();
  });
  // Often, since the moment at which the threads leave the client is what matters.
  for (int i = 1; i <= 20; ++i) {
    TaskClient* const client = &this->client();
    TaskClient::Result watch = absl::UnknownError(""), get = watch, wait = watch;
    std::thread threads[] = {std::thread([&] { watch = client->Watch("t1", {}, {}); }),
                             std::thread([&] { get = client->Get("hangs"); }),
                             std::thread([&] { wait = client->Wait("hangs"); })};
    service_.AwaitHanging(3 * i);
    client_ = nullptr;
    for (std::thread& thread : threads) thread.join();
    EXPECT_THAT(watch, StatusIs(absl::StatusCode::kCancelled));
    EXPECT_THAT(get, StatusIs(absl::StatusCode::kCancelled));
    EXPECT_THAT(wait, StatusIs(absl::StatusCode::kCancelled));
  }
}

TEST_F(TaskClientTest, WaitsThroughARestart) {
  Story story;
  client().WaitAsync("t1", {}, story.Done());
  EXPECT_TRUE(story.Await()->done());
}

TEST_F(TaskClientTest, WatchesManyTasksOnOneChannel) {
  service_.Watch(Sends({Message(Succeeded(1))}, grpc::Status::OK));
  std::vector<Story> stories(100);
  for (Story& story : stories) client().WatchAsync("t1", {}, story.Observer(), story.Done());
  for (Story& story : stories) EXPECT_TRUE(story.Await()->done());
}

}  // namespace
}  // namespace taskwatch::client
