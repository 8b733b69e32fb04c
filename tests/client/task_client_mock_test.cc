// The blocking forms on a mocked stub, as callers of the library may test too.
#include <gmock/gmock.h>
#include <grpcpp/test/mock_stream.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "taskwatch/client/rpc_status.h"
#include "taskwatch/client/task_client.h"
#include "taskwatch/v1/task_service_mock.grpc.pb.h"

#include "tests/client/errors.h"
#include "tests/client/reason_matcher.h"
#include "tests/client/tasks.h"
#include "tests/matchers/status_matchers.h"

namespace taskwatch::client {
namespace {

using testing::_;
using testing::DoAll;
using testing::ElementsAre;
using testing::Property;
using testing::Return;
using testing::SetArgPointee;

using Reader = grpc::testing::MockClientReader<v1::WatchTaskResponse>;

// A stream that brings `messages` and ends with `status`. The stub's caller owns it.
Reader* StreamOf(const std::vector<v1::WatchTaskResponse>& messages, const grpc::Status& status) {
  auto* const reader = new Reader();
  testing::InSequence sequence;
  for (const auto& message : messages) {
    EXPECT_CALL(*reader, Read(_)).WillOnce(DoAll(SetArgPointee<0>(message), Return(true)));
  }
  EXPECT_CALL(*reader, Read(_)).WillOnce(Return(false));
  EXPECT_CALL(*reader, Finish()).WillOnce(Return(status));
  return reader;
}

class TaskClientMockTest : public testing::Test {
 protected:
  TaskClientMockTest() {
    auto stub = std::make_unique<testing::StrictMock<v1::MockTaskServiceStub>>();
    stub_ = stub.get();
    TaskClient::Options options;
    options.resume.base_delay = absl::ZeroDuration();
    options.seed = 1;
    client_ = std::make_unique<TaskClient>(std::move(stub), std::move(options));
    observer_.on_task = [this](const v1::TaskInfo& task) { told_.push_back(task.etag()); };
  }

  v1::MockTaskServiceStub* stub_;
  std::unique_ptr<TaskClient> client_;
  std::vector<std::string> told_;
  WatchObserver observer_;
};

TEST_F(TaskClientMockTest, GetsATask) {
  v1::GetTaskInfoResponse response;
  *response.mutable_task() = Running(3, 1);
  EXPECT_CALL(*stub_, GetTaskInfo(_, Property(&v1::GetTaskInfoRequest::task_id, "t1"), _))
      .WillOnce(DoAll(SetArgPointee<2>(response), Return(grpc::Status::OK)));
  EXPECT_EQ(client_->Get("t1")->etag(), Running(3, 1).etag());
}

TEST_F(TaskClientMockTest, ReturnsAnErrorWithItsReason) {
  EXPECT_CALL(*stub_, GetTaskInfo).WillOnce(Return(ServiceError(grpc::StatusCode::NOT_FOUND, "TASK_NOT_FOUND")));
  EXPECT_THAT(client_->Get("t1"), HasErrorReason("TASK_NOT_FOUND"));
}

TEST_F(TaskClientMockTest, AsksForTheFreshnessThatTheCallerWants) {
  EXPECT_CALL(*stub_, GetTaskInfo)
      .WillOnce([](grpc::ClientContext*, const v1::GetTaskInfoRequest& request, v1::GetTaskInfoResponse*) {
        EXPECT_TRUE(request.has_max_staleness());
        EXPECT_EQ(request.max_staleness().seconds(), 0);
        return grpc::Status::OK;
      });
  GetOptions options;
  options.max_staleness = absl::ZeroDuration();
  EXPECT_THAT(client_->Get("t1", options), IsOk());
}

TEST_F(TaskClientMockTest, WatchesThroughARestartWithoutTellingAStateTwice) {
  EXPECT_CALL(*stub_, WatchTaskRaw(_, Property(&v1::WatchTaskRequest::last_etag, "")))
      .WillOnce(Return(StreamOf({Message(Running(1, 1)), Message(Running(2, 2))},
                                grpc::Status(grpc::StatusCode::UNAVAILABLE, "socket closed"))));
  EXPECT_CALL(*stub_, WatchTaskRaw(_, Property(&v1::WatchTaskRequest::last_etag, Running(2, 2).etag())))
      .WillOnce(Return(StreamOf({Message(Running(2, 3)), Message(Succeeded(4))}, grpc::Status::OK)));
  const auto result = client_->Watch("t1", {}, observer_);
  EXPECT_EQ(result->etag(), Succeeded(4).etag());
  EXPECT_THAT(told_, ElementsAre("TASK_STATE_RUNNING-1", "TASK_STATE_RUNNING-2", "TASK_STATE_SUCCEEDED-10"));
}

TEST_F(TaskClientMockTest, StopsWatchingAtAPermanentError) {
  EXPECT_CALL(*stub_, WatchTaskRaw)
      .WillOnce(
          Return(StreamOf({}, ServiceError(grpc::StatusCode::FAILED_PRECONDITION, "UPSTREAM_PERMISSION_DENIED"))));
  EXPECT_THAT(client_->Watch("t1", {}, observer_), HasErrorReason("UPSTREAM_PERMISSION_DENIED"));
}

TEST_F(TaskClientMockTest, StopsWatchingWhenCancelledFromWithinAnEvent) {
  WatchOptions options;
  observer_.on_interruption = [&options](const absl::Status&, absl::Duration) { options.call.cancel.Cancel(); };
  EXPECT_CALL(*stub_, WatchTaskRaw)
      .WillOnce(Return(StreamOf({}, grpc::Status(grpc::StatusCode::UNAVAILABLE, "socket closed"))));
  EXPECT_THAT(client_->Watch("t1", options, observer_), StatusIs(absl::StatusCode::kCancelled));
}

TEST_F(TaskClientMockTest, MakesNoCallAfterTheDeadline) {
  WatchOptions options;
  options.call.deadline = absl::Now() - absl::Seconds(1);
  EXPECT_THAT(client_->Watch("t1", options, observer_), StatusIs(absl::StatusCode::kDeadlineExceeded));
}

TEST_F(TaskClientMockTest, RefusesAHeaderThatWouldEndTheProcess) {
  GetOptions options;
  options.call.metadata = {{"authorization", "Bearer one\ntwo"}};
  EXPECT_THAT(client_->Get("t1", options), StatusIs(absl::StatusCode::kInvalidArgument));
  options.call.metadata = {{"Authorization", "Bearer one"}};
  EXPECT_THAT(client_->Get("t1", options), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(TaskClientMockTest, IsNotToBeDestroyedByItsOwnObserver) {
  observer_.on_task = [this](const v1::TaskInfo&) { client_ = nullptr; };
  const auto watch = [this] {
    EXPECT_CALL(*stub_, WatchTaskRaw).WillOnce(Return(StreamOf({Message(Running(1, 1))}, grpc::Status::OK)));
    static_cast<void>(client_->Watch("t1", {}, observer_));
  };
  EXPECT_DEATH(watch(), "FATAL: a TaskClient is destroyed by a callback or an observer of one of its calls");
}

TEST_F(TaskClientMockTest, WaitsThroughARestart) {
  v1::WaitTaskResponse response;
  *response.mutable_task() = Succeeded(9);
  EXPECT_CALL(*stub_, WaitTask)
      .WillOnce(Return(grpc::Status(grpc::StatusCode::UNAVAILABLE, "socket closed")))
      .WillOnce(DoAll(SetArgPointee<2>(response), Return(grpc::Status::OK)));
  EXPECT_TRUE(client_->Wait("t1")->done());
}

}  // namespace
}  // namespace taskwatch::client
