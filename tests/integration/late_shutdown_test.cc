// The service ends with calls of every kind open, while its completion thread is late.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "taskwatch/v1/task_service.grpc.pb.h"

#include "service/server/completion_thread.h"
#include "service/taskwatch_service.h"
#include "tests/fakes/raw_grpc_client.h"
#include "tests/integration/calls.h"
#include "tests/integration/scripted_gateway.h"
#include "tests/integration/service_under_test.h"

namespace taskwatch {
namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckResponse;
using grpc::reflection::v1alpha::ServerReflection;
using grpc::reflection::v1alpha::ServerReflectionRequest;
using grpc::reflection::v1alpha::ServerReflectionResponse;

// All rounds together; a shard takes some of the parts.
constexpr int kRounds = 1'000;
constexpr int kParts = 20;

// One health watch and one reflection stream, both in the middle.
class OtherStreams {
 public:
  explicit OtherStreams(const std::shared_ptr<grpc::Channel>& channel)
      : watch_(Health::NewStub(channel)->Watch(&watch_context_, {})),
        reflection_(ServerReflection::NewStub(channel)->ServerReflectionInfo(&reflection_context_)) {
    HealthCheckResponse health;
    EXPECT_TRUE(watch_->Read(&health));
    ServerReflectionRequest request;
    request.set_list_services("*");
    EXPECT_TRUE(reflection_->Write(request));
    ServerReflectionResponse response;
    EXPECT_TRUE(reflection_->Read(&response));
  }

  void ExpectEnds() {
    HealthCheckResponse health;
    while (watch_->Read(&health)) {
    }
    EXPECT_FALSE(watch_->Finish().ok());
    ServerReflectionResponse response;
    EXPECT_FALSE(reflection_->Read(&response));
    EXPECT_FALSE(reflection_->Finish().ok());
  }

 private:
  grpc::ClientContext watch_context_;
  std::unique_ptr<grpc::ClientReader<HealthCheckResponse>> watch_;
  grpc::ClientContext reflection_context_;
  std::unique_ptr<grpc::ClientReaderWriter<ServerReflectionRequest, ServerReflectionResponse>> reflection_;
};

// Holds the completion thread up for some milliseconds: events pile up behind, the last ones of cancelled calls too.
void MakeLate(CompletionThread* completions) {
  std::vector<CompletionThread::Operation> late;
  late.push_back([] { absl::SleepFor(absl::Milliseconds(5)); });
  completions->Run(std::move(late));
}

// What waits for DingTalk holds the end of the service up until the completion thread has caught up; so it is there in
// some rounds only.
void EndWithCallsOpen(bool asking) {
  ScriptedGateway gateway;
  gateway.FinishWithCall(1);
  auto service = std::make_unique<ServiceUnderTest>(TestConfig(gateway.url()));
  ASSERT_TRUE(Get(service->stub(), "ended").task.done());
  gateway.Hold();
  OtherStreams streams(NewChannel(service->address()));
  RawGrpcClient unread(service->address());
  v1::GetTaskInfoRequest ended;
  ended.set_task_id("ended");
  for (int i = 0; i < 3; ++i) unread.Call("/taskwatch.v1.TaskService/GetTaskInfo", ended.SerializeAsString());
  const auto stub = v1::TaskService::NewStub(NewChannel(service->address()));
  std::optional<GetRequest> get;
  std::optional<WatchStream> watch;
  if (asking) {
    get.emplace(*stub, "unknown");
    watch.emplace(*stub, "unknown");
  }
  // Three gets that are not read, a health watch and a reflection stream; and the get and the watch.
  service->Await([asking](const TaskwatchService::Stats& stats) {
    return asking ? stats.open_calls == 6 && stats.calls.watchers == 1 && stats.tracker.waiting_gets == 1
                  : stats.open_calls == 5;
  });

  MakeLate(service->service().completions());
  service.reset();

  streams.ExpectEnds();
  unread.AwaitEnds(3);
  if (!asking) return;
  EXPECT_FALSE(get->Await().ok());
  EXPECT_FALSE(watch->AwaitEnd().ok());
}

class LateShutdown : public testing::TestWithParam<int> {};

TEST_P(LateShutdown, WaitsForTheLastEventOfEachCall) {
  for (int round = 0; round < kRounds / kParts; ++round) EndWithCallsOpen(round % 2 == 0);
}

INSTANTIATE_TEST_SUITE_P(Rounds, LateShutdown, testing::Range(0, kParts));

}  // namespace
}  // namespace taskwatch
