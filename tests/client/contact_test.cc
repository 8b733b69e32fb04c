// A server that restarts before its first answer, on a socket of each kind: it was there, so it is awaited.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "taskwatch/client/channel.h"
#include "taskwatch/client/task_client.h"
#include "taskwatch/v1/task_service.grpc.pb.h"

#include "tests/client/tasks.h"
#include "tests/matchers/status_matchers.h"
#include "tests/patience/patience.h"

namespace taskwatch::client {
namespace {

using testing::HasSubstr;

// Hangs until the server is shut down.
template <typename Reactor>
class Hanging final : public Reactor {
 public:
  void OnCancel() override { this->Finish(grpc::Status::CANCELLED); }
  void OnDone() override { delete this; }
};

class HangingService final : public v1::TaskService::CallbackService {
 public:
  grpc::ServerUnaryReactor* GetTaskInfo(grpc::CallbackServerContext*, const v1::GetTaskInfoRequest*,
                                        v1::GetTaskInfoResponse*) override {
    return Hang<grpc::ServerUnaryReactor>();
  }
  grpc::ServerUnaryReactor* WaitTask(grpc::CallbackServerContext*, const v1::WaitTaskRequest*,
                                     v1::WaitTaskResponse*) override {
    return Hang<grpc::ServerUnaryReactor>();
  }
  grpc::ServerWriteReactor<v1::WatchTaskResponse>* WatchTask(grpc::CallbackServerContext*,
                                                             const v1::WatchTaskRequest*) override {
    return Hang<grpc::ServerWriteReactor<v1::WatchTaskResponse>>();
  }

  void AwaitCall() { Await(called_, "a call"); }

 private:
  template <typename Reactor>
  Reactor* Hang() {
    called_.Notify();
    return new Hanging<Reactor>();
  }

  absl::Notification called_;
};

class AnsweringService final : public v1::TaskService::Service {
 public:
  grpc::Status GetTaskInfo(grpc::ServerContext*, const v1::GetTaskInfoRequest*,
                           v1::GetTaskInfoResponse* response) override {
    *response->mutable_task() = Succeeded(1);
    return grpc::Status::OK;
  }
  grpc::Status WaitTask(grpc::ServerContext*, const v1::WaitTaskRequest*, v1::WaitTaskResponse* response) override {
    *response->mutable_task() = Succeeded(1);
    return grpc::Status::OK;
  }
  grpc::Status WatchTask(grpc::ServerContext*, const v1::WatchTaskRequest*,
                         grpc::ServerWriter<v1::WatchTaskResponse>* writer) override {
    writer->Write(Message(Succeeded(1)));
    return grpc::Status::OK;
  }
};

// A port that stays ours while no server listens on it.
class HeldPort {
 public:
  HeldPort() : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    const int on = 1;
    setsockopt(socket_, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    bind(socket_, reinterpret_cast<const sockaddr*>(&address), length);
    getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
  }
  ~HeldPort() { close(socket_); }

  int port() const { return port_; }

 private:
  const int socket_;
  int port_ = 0;
};

using Call = std::function<void(TaskClient& client, TaskClient::Done done)>;

void Get(TaskClient& client, TaskClient::Done done) {
  GetOptions options;
  options.resume = true;
  client.GetAsync("t1", options, std::move(done));
}
void Watch(TaskClient& client, TaskClient::Done done) { client.WatchAsync("t1", {}, {}, std::move(done)); }
void Wait(TaskClient& client, TaskClient::Done done) { client.WaitAsync("t1", {}, std::move(done)); }

// Where a client finds what listens there.
struct Address {
  std::string target;
  std::string listen;
};

struct Case {
  std::string name;
  Call call;
};

// With names, addresses and paths, as a channel may be made for each.
class ContactTest : public testing::TestWithParam<Case> {
 protected:
  ContactTest() {
    // A path short enough for a socket.
    char folder[] = "/tmp/contact-XXXXXX";
    folder_ = mkdtemp(folder);
    const std::string tcp = absl::StrCat("127.0.0.1:", port_.port());
    const std::string path = absl::StrCat("unix:", folder_, "/socket");
    addresses_ = {
        {tcp, tcp}, {absl::StrCat("localhost:", port_.port()), tcp}, {absl::StrCat("ipv4:", tcp), tcp}, {path, path}};
  }
  ~ContactTest() override {
    unlink(absl::StrCat(folder_, "/socket").c_str());
    rmdir(folder_.c_str());
  }

  static std::unique_ptr<grpc::Server> StartServer(const std::string& address, grpc::Service* service) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address, grpc::InsecureServerCredentials());
    builder.RegisterService(service);
    return builder.BuildAndStart();
  }

  // One that gives up at once where it finds no connection.
  static std::unique_ptr<TaskClient> ClientOf(const std::string& target) {
    ChannelOptions where;
    where.server = target;
    TaskClient::Options options;
    options.resume.first_contact_limit = absl::ZeroDuration();
    options.resume.base_delay = absl::Milliseconds(10);
    return std::make_unique<TaskClient>(*NewChannel(where), options);
  }

  HeldPort port_;
  std::string folder_;
  std::vector<Address> addresses_;
};

INSTANTIATE_TEST_SUITE_P(AllCalls, ContactTest,
                         testing::Values(Case{"Get", Get}, Case{"Watch", Watch}, Case{"Wait", Wait}),
                         [](const auto& call) { return call.param.name; });

TEST_P(ContactTest, AServerThatRestartsBeforeItsFirstAnswerIsAwaited) {
  for (const Address& address : addresses_) {
    SCOPED_TRACE(address.target);
    HangingService hanging;
    std::unique_ptr<grpc::Server> server = StartServer(address.listen, &hanging);
    const std::unique_ptr<TaskClient> client = ClientOf(address.target);
    TaskClient::Result result = absl::UnknownError("not over");
    absl::Notification over;
    GetParam().call(*client, [&](TaskClient::Result answer) {
      result = std::move(answer);
      over.Notify();
    });
    hanging.AwaitCall();
    server->Shutdown(absl::ToChronoTime(absl::UnixEpoch()));
    server = nullptr;

    AnsweringService answering;
    server = StartServer(address.listen, &answering);
    Await(over, "the answer of the server that was restarted");
    EXPECT_THAT(result, IsOk());
    server->Shutdown();
  }
}

TEST_P(ContactTest, AServerThatWasNeverThereIsNot) {
  for (const Address& address : addresses_) {
    SCOPED_TRACE(address.target);
    const std::unique_ptr<TaskClient> client = ClientOf(address.target);
    TaskClient::Result result = absl::UnknownError("not over");
    absl::Notification over;
    GetParam().call(*client, [&](TaskClient::Result answer) {
      result = std::move(answer);
      over.Notify();
    });
    Await(over, "the client to give up");
    EXPECT_THAT(result, StatusIs(absl::StatusCode::kUnavailable, HasSubstr("failed to connect")));
  }
}

}  // namespace
}  // namespace taskwatch::client
