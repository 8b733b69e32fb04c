#include "service/taskwatch_service.h"

#include <algorithm>
#include <random>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "taskwatch/v1/task_service.grpc.pb.h"

#include "service/dingtalk/tokens/cached_access_token.h"
#include "service/dingtalk/tokens/file_access_token.h"
#include "service/dingtalk/tokens/fixed_access_token.h"
#include "service/dingtalk/tokens/oauth_token_call.h"
#include "service/quota/call_gate.h"
#include "service/rpc/too_many.h"

namespace taskwatch {
namespace {

// The time that answers get to reach their callers when all calls have ended.
constexpr absl::Duration kFarewell = absl::Milliseconds(500);

CurlHttpClient::Options HttpOptions(const Config& config) {
  CurlHttpClient::Options options;
  options.base_url = config.dingtalk_base_url;
  options.ca_file = config.dingtalk_ca_file;
  return options;
}

// Null if nothing is to be kept.
absl::StatusOr<std::unique_ptr<StateStore>> OpenStore(const Config& config) {
  if (config.state_file.empty() || config.state_file == ":memory:") return nullptr;
  StateStore::Options options;
  options.path = config.state_file;
  options.owner = {config.dingtalk_base_url, config.app_key, config.corp_id};
  options.adopt = config.adopt_state_file;
  options.max_tasks = config.store_max_tasks;
  return StateStore::Open(std::move(options));
}

CallQueue::Options QueueOptions(const Config& config) {
  CallQueue::Options options;
  options.budget.qps = config.upstream_qps;
  options.budget.monthly_calls = config.upstream_monthly_calls;
  options.budget.unary_reserve = config.unary_reserve;
  options.budget.seed = std::random_device()();
  return options;
}

absl::StatusOr<std::unique_ptr<AccessTokenProvider>> NewAccessTokens(const Config& config, EventLoop* loop,
                                                                     HttpClient* http, CallGate* gate) {
  if (!config.access_token_file.empty()) return std::make_unique<FileAccessToken>(loop, config.access_token_file);
  if (!config.access_token.empty()) return FixedAccessToken::Create(loop, config.access_token, "DINGTALK_ACCESS_TOKEN");
  OauthTokenCall::Options options;
  options.app_key = config.app_key;
  options.app_secret = config.app_secret;
  options.app_secret_file = config.app_secret_file;
  options.corp_id = config.corp_id;
  options.timeout = config.upstream_timeout;
  options.gate = gate;
  absl::StatusOr<std::unique_ptr<OauthTokenCall>> call = OauthTokenCall::Create(loop, http, std::move(options));
  if (!call.ok()) return call.status();
  return std::make_unique<CachedAccessToken>(loop, *std::move(call));
}

DingTalkTaskSource::Options SourceOptions(const Config& config) {
  DingTalkTaskSource::Options options;
  options.attempt_timeout = config.upstream_timeout;
  return options;
}

TaskTracker::Options TrackerOptions(const Config& config, CallQueue* queue, StateStore* store) {
  TaskTracker::Options options;
  options.error_budget = config.upstream_error_budget;
  options.poll_limits.min_interval = config.min_poll_interval;
  options.poll_limits.max_interval = config.max_poll_interval;
  options.lingering.duration = config.linger;
  options.seed = std::random_device()();
  options.slowdown = [queue] { return queue->Slowdown(); };
  options.finished_tasks = store;
  return options;
}

CallOptions ServiceOptions(const Config& config) {
  CallOptions options;
  options.default_max_staleness = config.default_max_staleness;
  options.default_heartbeat_interval = config.heartbeat_interval;
  options.min_heartbeat_interval = config.min_heartbeat_interval;
  options.max_stream_age = config.max_stream_age;
  options.stall_timeout = config.stall_timeout;
  options.default_get_timeout = config.default_get_timeout;
  options.max_watchers = config.max_watchers;
  return options;
}

GrpcServer::Options ServerOptions(const Config& config) {
  GrpcServer::Options options;
  options.listen = config.listen;
  options.service_names = {v1::TaskService::service_full_name()};
  options.max_open_calls = config.max_open_calls;
  options.too_many_calls = TooManyCalls(config.max_open_calls);
  options.stall_timeout = config.stall_timeout;
  return options;
}

}  // namespace

TaskwatchService::TaskwatchService(const Config& config, std::unique_ptr<StateStore> store)
    : store_(std::move(store)),
      http_(&loop_, HttpOptions(config)),
      queue_(&loop_, store_.get(), QueueOptions(config)),
      tokens_(NewAccessTokens(config, &loop_, &http_, &queue_)),
      dingtalk_(&loop_, &http_, tokens_.ok() ? tokens_->get() : nullptr, &queue_, SourceOptions(config)),
      logged_(&dingtalk_),
      cache_(config.cache_tasks),
      tracker_(&loop_, &logged_, &cache_, TrackerOptions(config, &queue_, store_.get())),
      service_(&loop_, &tracker_, &cache_, ServiceOptions(config)) {}

absl::StatusOr<std::unique_ptr<TaskwatchService>> TaskwatchService::Start(const Config& config) {
  absl::StatusOr<std::unique_ptr<StateStore>> store = OpenStore(config);
  if (!store.ok()) return store.status();
  std::unique_ptr<TaskwatchService> taskwatch(new TaskwatchService(config, *std::move(store)));
  if (!taskwatch->tokens_.ok()) return taskwatch->tokens_.status();
  absl::StatusOr<std::unique_ptr<GrpcServer>> server = GrpcServer::Start(ServerOptions(config), {&taskwatch->service_});
  if (!server.ok()) {
    return absl::Status(server.status().code(), absl::StrCat("--listen: ", server.status().message()));
  }
  taskwatch->server_ = *std::move(server);
  taskwatch->service_.Serve(taskwatch->server_->serving());
  taskwatch->loop_thread_ = std::thread([loop = &taskwatch->loop_] { loop->Run(); });
  return taskwatch;
}

TaskwatchService::~TaskwatchService() {
  if (loop_thread_.joinable()) Drain(absl::ZeroDuration());
}

TaskwatchService::Stats TaskwatchService::stats() {
  return {tracker_.stats(), service_.stats(), server_->open_calls(),
          queue_.stats(),   http_.stats(),    store_ == nullptr ? StateStore::Stats() : store_->stats()};
}

void TaskwatchService::Drain(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  server_->StopServing();
  service_.Drain();
  service_.AwaitCalls(timeout);
  // What is open now are health watches, which do not end by themselves, and answers on their way.
  server_->Shutdown(std::clamp(deadline - absl::Now(), absl::ZeroDuration(), kFarewell));
  // Their callers have been told; the calls themselves end when the loop and the completion thread have heard of it.
  service_.AwaitCalls(absl::InfiniteDuration());
  // Posted, so that it comes after all that the calls which have just ended have posted.
  loop_.Post([this] { loop_.Stop(); });
  loop_thread_.join();
}

}  // namespace taskwatch
