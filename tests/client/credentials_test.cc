// Credentials leave this machine with TLS only, whatever the channel and whatever proxy the environment names.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "taskwatch/client/channel.h"
#include "taskwatch/client/task_client.h"
#include "taskwatch/v1/task_service.grpc.pb.h"

#include "tests/client/tasks.h"
#include "tests/matchers/status_matchers.h"
#include "tests/patience/patience.h"

namespace taskwatch::client {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Keeps the "authorization" of each call; "" of one that has none.
class RecordingService final : public v1::TaskService::Service {
 public:
  grpc::Status GetTaskInfo(grpc::ServerContext* context, const v1::GetTaskInfoRequest*,
                           v1::GetTaskInfoResponse* response) override {
    *response->mutable_task() = Succeeded(1);
    return Record(*context);
  }
  grpc::Status WatchTask(grpc::ServerContext* context, const v1::WatchTaskRequest*,
                         grpc::ServerWriter<v1::WatchTaskResponse>* writer) override {
    writer->Write(Message(Succeeded(1)));
    return Record(*context);
  }
  grpc::Status WaitTask(grpc::ServerContext* context, const v1::WaitTaskRequest*,
                        v1::WaitTaskResponse* response) override {
    *response->mutable_task() = Succeeded(1);
    return Record(*context);
  }

  std::vector<std::string> seen() {
    const absl::MutexLock lock(&mutex_);
    return seen_;
  }

 private:
  grpc::Status Record(const grpc::ServerContext& context) {
    const auto header = context.client_metadata().find("authorization");
    const absl::MutexLock lock(&mutex_);
    seen_.push_back(
        header == context.client_metadata().end() ? "" : std::string(header->second.data(), header->second.size()));
    return grpc::Status::OK;
  }

  absl::Mutex mutex_;
  std::vector<std::string> seen_ ABSL_GUARDED_BY(mutex_);
};

class CredentialsTest : public testing::Test {
 protected:
  CredentialsTest() {
    char folder[] = "/tmp/credentials-XXXXXX";
    path_ = absl::StrCat(mkdtemp(folder), "/socket");
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.AddListeningPort(absl::StrCat("unix:", path_), grpc::InsecureServerCredentials());
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    options_.credentials = []() -> absl::StatusOr<Metadata> { return Metadata{{"authorization", "Bearer x"}}; };
  }
  ~CredentialsTest() override {
    unsetenv("http_proxy");
    server_->Shutdown();
    unlink(path_.c_str());
    rmdir(path_.substr(0, path_.rfind('/')).c_str());
  }

  std::shared_ptr<grpc::Channel> ChannelTo(const std::string& server) const {
    ChannelOptions where;
    where.server = server;
    return *NewChannel(where);
  }

  // One that does not know where it leads.
  std::shared_ptr<grpc::Channel> InsecureChannel() const {
    return grpc::CreateChannel(absl::StrCat("127.0.0.1:", port_), grpc::InsecureChannelCredentials());
  }

  RecordingService service_;
  std::string path_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  TaskClient::Options options_;
};

TEST_F(CredentialsTest, ReachAServerOnThisMachine) {
  // If it were asked, nothing would arrive.
  setenv("http_proxy", "http://127.0.0.1:1", 1);
  for (const std::string& server : {absl::StrCat("127.0.0.1:", port_), absl::StrCat("localhost:", port_),
                                    absl::StrCat("dns:///127.0.0.1:", port_), absl::StrCat("unix:", path_)}) {
    TaskClient client(ChannelTo(server), options_);
    EXPECT_THAT(client.Get("t1"), IsOk()) << server;
  }
  EXPECT_THAT(service_.seen(), ElementsAre("Bearer x", "Bearer x", "Bearer x", "Bearer x"));
}

TEST_F(CredentialsTest, StayHereWithoutTls) {
  TaskClient client(InsecureChannel(), options_);
  const auto refused =
      StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("unencrypted to another machine; use TLS"));
  EXPECT_THAT(client.Get("t1"), refused);
  EXPECT_THAT(client.Watch("t1", {}, {}), refused);
  EXPECT_THAT(client.Wait("t1"), refused);
  TaskClient::Result result = absl::UnknownError("not over");
  absl::Notification over;
  client.WatchAsync("t1", {}, {}, [&](TaskClient::Result answer) {
    result = std::move(answer);
    over.Notify();
  });
  Await(over, "the end of the watch");
  EXPECT_THAT(result, refused);
  EXPECT_THAT(service_.seen(), IsEmpty());
}

TEST_F(CredentialsTest, AmongACallsHeadersAreTreatedAsSuch) {
  options_.credentials = nullptr;
  GetOptions options;
  options.call.metadata = {{"authorization", "Bearer y"}, {"x-request-id", "7"}};
  TaskClient insecure(InsecureChannel(), options_);
  EXPECT_THAT(insecure.Get("t1", options), StatusIs(absl::StatusCode::kFailedPrecondition));
  TaskClient local(ChannelTo(absl::StrCat("127.0.0.1:", port_)), options_);
  EXPECT_THAT(local.Get("t1", options), IsOk());
  EXPECT_THAT(service_.seen(), ElementsAre("Bearer y"));
}

TEST_F(CredentialsTest, AreNeededByNoCall) {
  options_.credentials = nullptr;
  TaskClient client(InsecureChannel(), options_);
  EXPECT_THAT(client.Get("t1"), IsOk());
  EXPECT_THAT(service_.seen(), ElementsAre(""));
}

TEST(NewChannel, NeedsAPort) {
  ChannelOptions where;
  where.server = "localhost";
  EXPECT_THAT(NewChannel(where), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("like localhost:50051")));
}

}  // namespace
}  // namespace taskwatch::client
