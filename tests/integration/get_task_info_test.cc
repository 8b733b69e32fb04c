// GetTaskInfo from a gRPC client to an HTTP server and back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

#include "service/config.h"
#include "tests/dingtalk_standin/api.h"
#include "tests/dingtalk_standin/dingtalk_model.h"
#include "tests/dingtalk_standin/dingtalk_server.h"
#include "tests/dingtalk_standin/fault.h"
#include "tests/integration/calls.h"
#include "tests/integration/scripted_gateway.h"
#include "tests/integration/service_under_test.h"

namespace taskwatch {
namespace {

using standin::Api;
using standin::DingTalkModel;
using standin::DingTalkServer;
using standin::Fault;

// A gateway without limits that knows the test's token and the task of DingTalk's API page.
DingTalkServer::Options GatewayOptions() {
  DingTalkServer::Options options;
  options.model.static_tokens = {kTestToken};
  options.model.qps = 0;
  options.model.monthly_calls = 0;
  options.model.example_task = true;
  return options;
}

std::unique_ptr<DingTalkServer> StartGateway(const DingTalkServer::Options& options = GatewayOptions()) {
  return *DingTalkServer::Start(options);
}

void Inject(DingTalkServer& gateway, const Fault& fault) {
  gateway.WithModel([&fault](DingTalkModel& model, absl::Time) { model.InjectFault(fault); });
}

DingTalkModel::Counts CountsOf(DingTalkServer& gateway) {
  DingTalkModel::Counts counts;
  gateway.WithModel([&counts](DingTalkModel& model, absl::Time) { counts = model.counts(); });
  return counts;
}

Fault AnswerWith(const std::string& body) {
  Fault fault;
  fault.http_status = 200;
  fault.body = body;
  return fault;
}

TEST(GetTaskInfo, TellsDingTalksOwnExample) {
  const std::unique_ptr<DingTalkServer> gateway = StartGateway();
  ServiceUnderTest service(TestConfig(gateway->base_url()));

  const GetResult result = Get(service.stub(), "abcd");

  ASSERT_THAT(result.status, IsOkCall());
  EXPECT_EQ(result.task.task_id(), "abcd");
  EXPECT_EQ(result.task.state(), v1::TASK_STATE_PARTIALLY_FAILED);
  EXPECT_TRUE(result.task.done());
  EXPECT_EQ(result.task.total_count(), 1);
  EXPECT_EQ(result.task.succeeded_count(), 1);
  EXPECT_TRUE(result.task.has_failed_count());
  EXPECT_EQ(result.task.failed_count(), 0);
  EXPECT_EQ(result.task.upstream_status(), 2);
  EXPECT_NE(result.task.etag(), "");
  EXPECT_GT(result.task.observe_time().seconds(), 0);
  EXPECT_GT(result.task.change_time().seconds(), 0);
}

struct StatusRow {
  int upstream_status;
  v1::TaskState state;
  bool done;
};

class UpstreamStatus : public testing::TestWithParam<StatusRow> {};

TEST_P(UpstreamStatus, BecomesItsState) {
  const std::unique_ptr<DingTalkServer> gateway = StartGateway();
  ServiceUnderTest service(TestConfig(gateway->base_url()));
  Inject(*gateway, AnswerWith(absl::StrCat(R"({"taskId":"t1","status":)", GetParam().upstream_status, "}")));

  const GetResult result = Get(service.stub(), "t1");

  ASSERT_THAT(result.status, IsOkCall());
  EXPECT_EQ(result.task.state(), GetParam().state);
  EXPECT_EQ(result.task.done(), GetParam().done);
  EXPECT_EQ(result.task.upstream_status(), GetParam().upstream_status);
  EXPECT_FALSE(result.task.has_total_count());
}

INSTANTIATE_TEST_SUITE_P(
    GetTaskInfo, UpstreamStatus,
    testing::Values(StatusRow{-1, v1::TASK_STATE_WAITING, false}, StatusRow{0, v1::TASK_STATE_RUNNING, false},
                    StatusRow{1, v1::TASK_STATE_SUCCEEDED, true}, StatusRow{2, v1::TASK_STATE_PARTIALLY_FAILED, true},
                    StatusRow{3, v1::TASK_STATE_ALL_FAILED, true}, StatusRow{4, v1::TASK_STATE_FAILED, true},
                    StatusRow{7, v1::TASK_STATE_UNRECOGNIZED, false}),
    [](const auto& row) { return row.param.upstream_status < 0 ? "minus1" : absl::StrCat(row.param.upstream_status); });

struct MalformedRow {
  const char* name;
  const char* body;
};

class MalformedAnswer : public testing::TestWithParam<MalformedRow> {};

TEST_P(MalformedAnswer, IsAnErrorOfTheUpstreamsAndNoState) {
  const std::unique_ptr<DingTalkServer> gateway = StartGateway();
  ServiceUnderTest service(TestConfig(gateway->base_url()));
  Inject(*gateway, AnswerWith(GetParam().body));

  const CallError error = ErrorIn(Get(service.stub(), "abcd").status);

  EXPECT_EQ(error.code, grpc::StatusCode::INTERNAL) << error;
  EXPECT_EQ(error.reason, "UPSTREAM_MALFORMED_RESPONSE");
  EXPECT_EQ(error.domain, "taskwatch");
  EXPECT_EQ(error.metadata.at("http_status"), "200");
  EXPECT_EQ(CountsOf(*gateway).of(Api::kTaskInfo), 1) << "a garbled answer costs one call";
  EXPECT_THAT(Get(service.stub(), "abcd").status, IsOkCall()) << "the next call works";
}

INSTANTIATE_TEST_SUITE_P(
    GetTaskInfo, MalformedAnswer,
    testing::Values(MalformedRow{"status_above_int32", R"({"taskId":"abcd","status":2147483648})"},
                    MalformedRow{"status_below_int32", R"({"taskId":"abcd","status":-2147483649})"},
                    MalformedRow{"status_above_int64", R"({"taskId":"abcd","status":18446744073709551617})"},
                    MalformedRow{"status_wraps_to_1", R"({"taskId":"abcd","status":4294967297})"},
                    MalformedRow{"status_is_a_float", R"({"taskId":"abcd","status":1.5})"},
                    MalformedRow{"status_is_a_word", R"({"taskId":"abcd","status":"SUCCESS"})"},
                    MalformedRow{"status_is_true", R"({"taskId":"abcd","status":true})"},
                    MalformedRow{"status_is_null", R"({"taskId":"abcd","status":null})"},
                    MalformedRow{"status_is_an_array", R"({"taskId":"abcd","status":[1]})"},
                    MalformedRow{"status_is_missing", R"({"taskId":"abcd"})"},
                    MalformedRow{"other_task", R"({"taskId":"abce","status":1})"},
                    MalformedRow{"count_is_a_word", R"({"taskId":"abcd","status":1,"totalCount":"many"})"},
                    MalformedRow{"nothing", ""}, MalformedRow{"null", "null"}, MalformedRow{"array", "[]"},
                    MalformedRow{"empty_object", "{}"}, MalformedRow{"wrapped", R"({"result":{"status":1}})"},
                    MalformedRow{"truncated", R"({"taskId":"abcd","sta)"}, MalformedRow{"words", "it is done"}),
    [](const auto& row) { return row.param.name; });

struct CannedRow {
  const char* fault;
  grpc::StatusCode code;
  const char* reason;
  // The upstream calls that one GetTaskInfo makes of it.
  int64_t calls;
  bool has_retry_info;
};

class CannedUpstreamError : public testing::TestWithParam<CannedRow> {};

TEST_P(CannedUpstreamError, IsToldWithItsDetails) {
  const std::unique_ptr<DingTalkServer> gateway = StartGateway();
  ServiceUnderTest service(TestConfig(gateway->base_url()));
  Fault fault = *standin::CannedFault(GetParam().fault);
  fault.count = Fault::kUntilCleared;
  Inject(*gateway, fault);

  const CallError error = ErrorIn(Get(service.stub(), "abcd").status);

  EXPECT_EQ(error.code, GetParam().code) << error;
  EXPECT_EQ(error.reason, GetParam().reason);
  EXPECT_EQ(error.domain, "taskwatch");
  EXPECT_EQ(error.retry_after.has_value(), GetParam().has_retry_info);
  EXPECT_EQ(error.has_quota_failure, absl::string_view(GetParam().fault) == "monthly_limit");
  EXPECT_EQ(CountsOf(*gateway).of(Api::kTaskInfo), GetParam().calls);
}

INSTANTIATE_TEST_SUITE_P(
    GetTaskInfo, CannedUpstreamError,
    testing::Values(
        CannedRow{"param_error", grpc::StatusCode::INVALID_ARGUMENT, "UPSTREAM_PARAM_ERROR", 1, false},
        CannedRow{"system_error", grpc::StatusCode::INTERNAL, "UPSTREAM_SYSTEM_ERROR", 3, false},
        CannedRow{"unknown_error", grpc::StatusCode::UNKNOWN, "UPSTREAM_UNKNOWN_ERROR", 3, false},
        CannedRow{"operation_timeout", grpc::StatusCode::UNAVAILABLE, "UPSTREAM_TIMEOUT", 3, true},
        CannedRow{"html_502", grpc::StatusCode::UNAVAILABLE, "UPSTREAM_UNAVAILABLE", 3, true},
        CannedRow{"permission_denied", grpc::StatusCode::FAILED_PRECONDITION, "UPSTREAM_PERMISSION_DENIED", 1, false},
        CannedRow{"ip_not_in_white_list", grpc::StatusCode::FAILED_PRECONDITION, "UPSTREAM_PERMISSION_DENIED", 1,
                  false},
        CannedRow{"qpm_limit", grpc::StatusCode::RESOURCE_EXHAUSTED, "UPSTREAM_RATE_LIMITED", 1, true},
        CannedRow{"monthly_limit", grpc::StatusCode::RESOURCE_EXHAUSTED, "MONTHLY_QUOTA_EXHAUSTED", 1, true},
        CannedRow{"ip_ban_html", grpc::StatusCode::RESOURCE_EXHAUSTED, "UPSTREAM_IP_BANNED", 1, true},
        CannedRow{"punish", grpc::StatusCode::RESOURCE_EXHAUSTED, "UPSTREAM_IP_BANNED", 1, true}),
    [](const auto& row) { return row.param.fault; });

TEST(GetTaskInfo, TellsWhichPermissionIsMissingAndByWhichIdDingTalkKnowsTheCall) {
  const std::unique_ptr<DingTalkServer> gateway = StartGateway();
  ServiceUnderTest service(TestConfig(gateway->base_url()));
  Inject(*gateway, *standin::CannedFault("permission_denied"));
  const CallError error = ErrorIn(Get(service.stub(), "abcd").status);
  EXPECT_THAT(error.message, testing::HasSubstr("SNS.Document.WorkspaceDocument.Read"));
  EXPECT_NE(error.request_id, "");
  EXPECT_EQ(error.metadata.at("upstream_request_id"), error.request_id);
  EXPECT_EQ(error.metadata.at("upstream_code"), "Forbidden.AccessDenied.AccessTokenPermissionDenied");
  EXPECT_EQ(error.metadata.at("http_status"), "403");
}

TEST(GetTaskInfo, SaysThatDingTalkDoesNotKnowTheTask) {
  const std::unique_ptr<DingTalkServer> gateway = StartGateway();
  ServiceUnderTest service(TestConfig(gateway->base_url()));
  const CallError error = ErrorIn(Get(service.stub(), "nosuchtask").status);
  EXPECT_EQ(error.code, grpc::StatusCode::NOT_FOUND) << error;
  EXPECT_EQ(error.reason, "TASK_NOT_FOUND");
}

class BadTaskId : public testing::TestWithParam<std::string> {};

TEST_P(BadTaskId, IsRefusedWithoutAnUpstreamCall) {
  const std::unique_ptr<DingTalkServer> gateway = StartGateway();
  ServiceUnderTest service(TestConfig(gateway->base_url()));

  const CallError get = ErrorIn(Get(service.stub(), GetParam()).status);
  WatchStream watch(service.stub(), GetParam());
  const CallError watched = ErrorIn(watch.AwaitEnd());
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kLongDeadline));
  v1::WaitTaskRequest request;
  request.set_task_id(GetParam());
  v1::WaitTaskResponse response;
  const CallError waited = ErrorIn(service.stub().WaitTask(&context, request, &response));

  for (const CallError& error : {get, watched, waited}) {
    EXPECT_EQ(error.code, grpc::StatusCode::INVALID_ARGUMENT) << error;
    EXPECT_EQ(error.reason, "INVALID_TASK_ID");
    EXPECT_EQ(error.field, "task_id");
  }
  EXPECT_EQ(service.stats().tracker.fetches_started, 0u);
  EXPECT_THAT(CountsOf(*gateway).calls, testing::Each(0));
}

INSTANTIATE_TEST_SUITE_P(GetTaskInfo, BadTaskId,
                         testing::Values("", ".", "..", "../../v1.0/x", "a/b", "a%2e", "a?b", "a b", "abcd\n",
                                         "abcd\r\nx-evil: 1", std::string("ab\0cd", 5), std::string(1, '\0'),
                                         "caf\xc3\xa9", std::string(129, 'a')));

TEST(GetTaskInfo, TakesTheLongestTaskId) {
  const std::unique_ptr<DingTalkServer> gateway = StartGateway();
  ServiceUnderTest service(TestConfig(gateway->base_url()));
  const std::string task_id(128, 'a');
  gateway->WithModel([&task_id](DingTalkModel& model, absl::Time) {
    model.AddTask(task_id, standin::ExamplePlan(), absl::UnixEpoch());
  });
  EXPECT_THAT(Get(service.stub(), task_id).status, IsOkCall());
}

TEST(GetTaskInfo, MakesOneUpstreamCallForFiveHundredCallersOfARunningTask) {
  ScriptedGateway gateway;
  gateway.Hold();
  ServiceUnderTest service(TestConfig(gateway.url()));
  std::vector<std::unique_ptr<GetRequest>> requests;
  for (int i = 0; i < 500; ++i) requests.push_back(std::make_unique<GetRequest>(service.stub(), "abcd"));
  service.Await([](const TaskwatchService::Stats& stats) { return stats.tracker.waiting_gets == 500; });

  gateway.Release();

  for (const auto& request : requests) {
    ASSERT_THAT(request->Await(), IsOkCall());
    EXPECT_EQ(request->task().succeeded_count(), 1);
  }
  EXPECT_EQ(gateway.calls(), 1);
}

TEST(GetTaskInfo, AsksOnceAboutATaskThatHasEnded) {
  const std::unique_ptr<DingTalkServer> gateway = StartGateway();
  ServiceUnderTest service(TestConfig(gateway->base_url()));
  const GetResult first = Get(service.stub(), "abcd");
  GetRequest::Options fresh;
  fresh.max_staleness = absl::ZeroDuration();
  const GetResult second = Get(service.stub(), "abcd", fresh);
  ASSERT_THAT(second.status, IsOkCall());
  EXPECT_EQ(second.task.etag(), first.task.etag());
  EXPECT_EQ(CountsOf(*gateway).of(Api::kTaskInfo), 1);
}

TEST(GetTaskInfo, AsksAgainAboutARunningTaskWhenTheCallerWantsItFresh) {
  ScriptedGateway gateway;
  ServiceUnderTest service(TestConfig(gateway.url()));
  GetRequest::Options fresh;
  fresh.max_staleness = absl::ZeroDuration();
  EXPECT_EQ(Get(service.stub(), "abcd", fresh).task.succeeded_count(), 1);
  EXPECT_EQ(Get(service.stub(), "abcd", fresh).task.succeeded_count(), 2);
}

TEST(GetTaskInfo, LetsACancelledCallerGoAtOnceWhileTheFetchGoesOnForTheOther) {
  ScriptedGateway gateway;
  gateway.Hold();
  ServiceUnderTest service(TestConfig(gateway.url()));
  GetRequest leaving(service.stub(), "abcd");
  GetRequest staying(service.stub(), "abcd");
  service.Await([](const TaskwatchService::Stats& stats) { return stats.tracker.waiting_gets == 2; });

  leaving.Cancel();

  EXPECT_EQ(leaving.Await().error_code(), grpc::StatusCode::CANCELLED);
  service.Await([](const TaskwatchService::Stats& stats) {
    return stats.tracker.waiting_gets == 1 && stats.calls.finished == 1;
  });
  gateway.Release();
  EXPECT_THAT(staying.Await(), IsOkCall());
  EXPECT_EQ(gateway.calls(), 1);
}

TEST(GetTaskInfo, EndsAtTheCallersDeadlineWhileTheFetchGoesOnForTheOther) {
  ScriptedGateway gateway;
  gateway.Hold();
  ServiceUnderTest service(TestConfig(gateway.url()));
  GetRequest staying(service.stub(), "abcd");
  GetRequest::Options hurried;
  hurried.timeout = absl::Milliseconds(50);
  EXPECT_EQ(Get(service.stub(), "abcd", hurried).status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  service.Await([](const TaskwatchService::Stats& stats) { return stats.tracker.waiting_gets == 1; });
  gateway.Release();
  EXPECT_THAT(staying.Await(), IsOkCall());
  EXPECT_EQ(gateway.calls(), 1);
}

TEST(GetTaskInfo, RefusesANegativeStalenessAndNamesTheField) {
  ScriptedGateway gateway;
  ServiceUnderTest service(TestConfig(gateway.url()));
  GetRequest::Options options;
  options.max_staleness = absl::Seconds(-1);
  const CallError error = ErrorIn(Get(service.stub(), "abcd", options).status);
  EXPECT_EQ(error.code, grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(error.reason, "INVALID_REQUEST");
  EXPECT_EQ(error.field, "max_staleness");
  EXPECT_EQ(gateway.calls(), 0);
}

}  // namespace
}  // namespace taskwatch
