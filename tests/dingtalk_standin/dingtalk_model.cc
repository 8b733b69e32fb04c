#include "tests/dingtalk_standin/dingtalk_model.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "nlohmann/json.hpp"

namespace taskwatch::standin {
namespace {

using ordered_json = nlohmann::ordered_json;

constexpr absl::string_view kAccessTokenPath = "/v1.0/oauth2/accessToken";
constexpr absl::string_view kOauth2Prefix = "/v1.0/oauth2/";
constexpr absl::string_view kTokenSuffix = "/token";
constexpr absl::string_view kCopyPath = "/v2.0/doc/dentries/copy";
constexpr absl::string_view kTaskInfoPrefix = "/v2.0/doc/task/info/";
constexpr absl::string_view kTokenHeader = "x-acs-dingtalk-access-token";

absl::string_view WithoutQuery(absl::string_view path) { return path.substr(0, path.find('?')); }

// One segment of a path, which may not be empty.
bool IsSegment(absl::string_view text) { return !text.empty() && !absl::StrContains(text, '/'); }

std::string PercentDecoded(absl::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && absl::ascii_isxdigit(text[i + 1]) &&
        absl::ascii_isxdigit(text[i + 2])) {
      decoded += absl::HexStringToBytes(text.substr(i + 1, 2));
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

// The body of a call that takes a JSON object; a discarded value for anything else, be it JSON under another content
// type.
nlohmann::json JsonObject(const Request& request) {
  const nlohmann::json discarded(nlohmann::json::value_t::discarded);
  if (!absl::StartsWithIgnoreCase(HeaderValue(request.headers, "content-type"), "application/json")) return discarded;
  nlohmann::json body = nlohmann::json::parse(request.body, nullptr, /*allow_exceptions=*/false);
  return body.is_object() ? body : discarded;
}

// The value of a key that must hold a string; empty if it does not.
std::string StringAt(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

DingTalkModel::DingTalkModel(Options options)
    : options_(std::move(options)),
      random_(options_.seed),
      rate_limits_{RateLimit(options_.qps), RateLimit(options_.qps), RateLimit(options_.qps), RateLimit(options_.qps),
                   RateLimit(0)},
      monthly_limit_(options_.monthly_calls, options_.monthly_calls_used) {
  for (const std::string& token : options_.static_tokens) AddToken(token);
  if (options_.example_task) AddTask("abcd", ExamplePlan(), absl::UnixEpoch());
}

Answer DingTalkModel::Handle(const Request& request, absl::Time now) {
  // Also for a call that a fault strikes.
  monthly_limit_.Observe(now);
  const Route route = RouteOf(request);
  Call call;
  call.api = route.api;
  call.time = now;
  call.path = request.path;
  if (route.api == Api::kTaskInfo) call.task_id = route.id;

  const std::optional<Fault> fault = TakeFault(route.api);
  if (fault.has_value() && fault->drop_tokens) ExpireTokens();
  Answer answer = fault.has_value() && fault->http_status != 0 ? ReplacedAnswer(*fault, now, call)
                                                               : Dispatch(request, route, now, call);
  answer.delay = options_.latency;
  if (fault.has_value()) {
    ++counts_.faults;
    if (call.tells_state && fault->age > absl::ZeroDuration()) answer = HandleTaskInfo(route, now - fault->age, call);
    if (answer.status == 200) Edit(fault->edit, answer, call);
    answer.headers.insert(answer.headers.end(), fault->headers.begin(), fault->headers.end());
    answer.transport = fault->transport;
    answer.huge_bytes = fault->huge_bytes;
    answer.delay = options_.latency + fault->delay;
  }

  const bool answered = answer.transport != Transport::kHang && answer.transport != Transport::kClose &&
                        answer.transport != Transport::kReset;
  call.http_status = answered ? answer.status : 0;
  ++counts_.calls[static_cast<size_t>(call.api)];
  calls_.push_back(std::move(call));
  if (calls_.size() > options_.max_logged_calls) calls_.pop_front();
  return answer;
}

void DingTalkModel::AddTask(absl::string_view task_id, const TaskPlan& plan, absl::Time now) {
  monthly_limit_.Observe(now);
  tasks_.insert_or_assign(std::string(task_id), Task{plan, now});
}

void DingTalkModel::AddToken(absl::string_view token, absl::Time expiry) {
  token_expiry_.insert_or_assign(std::string(token), expiry);
}

void DingTalkModel::ExpireTokens() {
  token_expiry_.clear();
  app_token_.clear();
}

void DingTalkModel::InjectFault(Fault fault) {
  if (fault.count != 0) faults_.push_back(std::move(fault));
}

void DingTalkModel::ClearFaults() { faults_.clear(); }

void DingTalkModel::ClearCalls() {
  calls_.clear();
  counts_ = Counts();
}

DingTalkModel::Route DingTalkModel::RouteOf(const Request& request) {
  absl::string_view path = WithoutQuery(request.path);
  if (request.method == "POST") {
    if (path == kAccessTokenPath) return {Api::kAccessToken, ""};
    if (path == kCopyPath) return {Api::kCopy, ""};
    if (absl::ConsumePrefix(&path, kOauth2Prefix) && absl::ConsumeSuffix(&path, kTokenSuffix) && IsSegment(path)) {
      return {Api::kCorpToken, std::string(path)};
    }
  } else if (request.method == "GET") {
    if (absl::ConsumePrefix(&path, kTaskInfoPrefix) && IsSegment(path)) return {Api::kTaskInfo, std::string(path)};
  }
  return {};
}

Answer DingTalkModel::Dispatch(const Request& request, const Route& route, absl::Time now, Call& call) {
  switch (route.api) {
    case Api::kAccessToken:
      return HandleAccessToken(request, now, call);
    case Api::kCorpToken:
      return HandleCorpToken(request, route, now, call);
    case Api::kCopy:
      return HandleCopy(request, now, call);
    case Api::kTaskInfo:
      if (auto refusal = RefuseToken(request, now, call)) return *std::move(refusal);
      if (auto refusal = RefuseRate(now, call)) return *std::move(refusal);
      return HandleTaskInfo(route, now, call);
    case Api::kOther:
      break;
  }
  return Error(call, 404, "InvalidAction.NotFound", "Specified api is not found, please check your url and method.");
}

Answer DingTalkModel::HandleAccessToken(const Request& request, absl::Time now, Call& call) {
  const nlohmann::json body = JsonObject(request);
  if (body.is_discarded()) return Error(call, 400, "Missingbody", "body is mandatory for this action.");
  if (StringAt(body, "appKey") != options_.app_key || StringAt(body, "appSecret") != options_.app_secret) {
    ++counts_.refused_authentication;
    return Error(call, 400, "invalidClientIdOrSecret", "invalid clientId or clientSecret");
  }
  if (auto refusal = RefuseRate(now, call)) return *std::move(refusal);

  const absl::Time expiry = now + options_.token_lifetime;
  const auto current = token_expiry_.find(app_token_);
  if (current != token_expiry_.end() && now < current->second) {
    current->second = expiry;
  } else {
    app_token_ = NewToken(expiry);
  }
  ordered_json answer;
  answer["accessToken"] = app_token_;
  answer["expireIn"] = absl::ToInt64Seconds(options_.token_lifetime);
  return Json(answer.dump());
}

Answer DingTalkModel::HandleCorpToken(const Request& request, const Route& route, absl::Time now, Call& call) {
  const nlohmann::json body = JsonObject(request);
  if (body.is_discarded()) return Error(call, 400, "Missingbody", "body is mandatory for this action.");
  if (StringAt(body, "grant_type") != "client_credentials") {
    return Error(call, 400, "unsupported.grant.type", "unsupported grant type");
  }
  if (StringAt(body, "client_id") != options_.app_key || StringAt(body, "client_secret") != options_.app_secret) {
    ++counts_.refused_authentication;
    return Error(call, 400, "invalid.client", "invalid client");
  }
  if (PercentDecoded(route.id) != options_.corp_id) {
    ++counts_.refused_authentication;
    return Error(call, 401, "unauthorized.client", "the organisation has not authorised the client");
  }
  if (auto refusal = RefuseRate(now, call)) return *std::move(refusal);

  ordered_json answer;
  answer["access_token"] = NewToken(now + options_.token_lifetime);
  answer["expires_in"] = absl::ToInt64Seconds(options_.token_lifetime);
  return Json(answer.dump());
}

Answer DingTalkModel::HandleCopy(const Request& request, absl::Time now, Call& call) {
  if (auto refusal = RefuseToken(request, now, call)) return *std::move(refusal);
  if (auto refusal = RefuseRate(now, call)) return *std::move(refusal);
  const nlohmann::json body = JsonObject(request);
  const nlohmann::json param = body.is_object() ? body.value("param", nlohmann::json()) : nlohmann::json();
  const std::string source = param.is_object() ? StringAt(param, "sourceDentryUuid") : "";
  const std::string target = param.is_object() ? StringAt(param, "targetParentDentryUuid") : "";
  if (source.empty() || target.empty()) return Error(call, 400, "paramError", "param error");
  if (absl::StartsWith(source, "missing")) return Error(call, 500, "documentNotExist", "the document does not exist");
  if (absl::StartsWith(source, "forbidden")) return Error(call, 500, "permissionDenied", "permission denied");

  ordered_json answer;
  if (absl::StartsWith(source, "small")) {
    const std::string copy = RandomId(32);
    answer["isAsync"] = false;
    answer["syncCopyResult"]["dentryUuid"] = copy;
    answer["syncCopyResult"]["name"] = "Copy";
    answer["syncCopyResult"]["url"] = absl::StrCat("https://alidocs.dingtalk.com/i/nodes/", copy);
    return Json(answer.dump());
  }
  call.task_id = RandomId(24);
  AddTask(call.task_id, options_.copied_task, now);
  answer["isAsync"] = true;
  answer["taskId"] = call.task_id;
  return Json(answer.dump());
}

Answer DingTalkModel::HandleTaskInfo(const Route& route, absl::Time time, Call& call) {
  const std::string task_id = PercentDecoded(route.id);
  const auto task = tasks_.find(task_id);
  call.tells_state = task != tasks_.end() && time - task->second.created >= task->second.plan.hidden;
  if (call.tells_state) return Json(TaskBody(task_id, task->second.plan, time - task->second.created));
  if (options_.unknown_task == UnknownTask::kParamError) return Error(call, 400, "paramError", "param error");
  return Error(call, 404, "taskNotExist", "the task does not exist");
}

void DingTalkModel::Edit(Fault::Edit edit, Answer& answer, Call& call) {
  switch (edit) {
    case Fault::Edit::kNone:
      return;
    case Fault::Edit::kTruncate:
      answer.body.resize(answer.body.size() / 2);
      break;
    case Fault::Edit::kOtherTask:
      answer.body = TaskBody(absl::StrCat(call.task_id, "x"), TaskPlan(), absl::InfiniteDuration());
      break;
    case Fault::Edit::kShrink:
      if (call.tells_state) answer.body = WithFewerDone(answer.body);
      return;
  }
  call.tells_state = false;
}

std::optional<Answer> DingTalkModel::RefuseToken(const Request& request, absl::Time now, Call& call) {
  const auto token = token_expiry_.find(HeaderValue(request.headers, kTokenHeader));
  if (token != token_expiry_.end() && now < token->second) return std::nullopt;
  ++counts_.refused_authentication;
  return Error(call, 400, "InvalidAuthentication", "不合法的access_token");
}

std::optional<Answer> DingTalkModel::RefuseRate(absl::Time now, Call& call) {
  if (!rate_limits_[static_cast<size_t>(call.api)].Take(now)) {
    ++counts_.refused_qps;
    return Error(call, 403, "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi",
                 "the app exceeds its QPS limit for this API");
  }
  if (call.api != Api::kAccessToken && !monthly_limit_.Take(now)) {
    ++counts_.refused_month;
    return Error(call, 403, "Forbidden.AccessDenied.ApiCountLimitForOrg",
                 "the organisation has used up its calls of this month");
  }
  return std::nullopt;
}

std::optional<Fault> DingTalkModel::TakeFault(Api api) {
  for (auto fault = faults_.begin(); fault != faults_.end(); ++fault) {
    if (fault->api.has_value() && fault->api != api) continue;
    Fault taken = *fault;
    if (fault->count > 0 && --fault->count == 0) faults_.erase(fault);
    return taken;
  }
  return std::nullopt;
}

Answer DingTalkModel::ReplacedAnswer(const Fault& fault, absl::Time now, Call& call) {
  const bool passed_on = fault.http_status == 200 || fault.http_status >= 500;
  if (passed_on && call.api != Api::kAccessToken && call.api != Api::kOther) monthly_limit_.Take(now);
  if (!fault.code.empty()) {
    return Error(call, fault.http_status, fault.code, fault.message, fault.required_scopes);
  }
  // A page comes from something in front of the gateway, which knows nothing of its headers.
  if (!absl::StartsWith(fault.content_type, "application/json")) {
    Answer page;
    page.status = fault.http_status;
    page.headers = {{"Content-Type", fault.content_type}};
    page.body = fault.body;
    return page;
  }
  Answer answer = Json(fault.body);
  answer.status = fault.http_status;
  return answer;
}

Answer DingTalkModel::Json(std::string body) {
  Answer answer;
  answer.headers = {{"Content-Type", "application/json;charset=utf-8"},
                    {"x-acs-request-id", RandomUuid()},
                    {"x-acs-trace-id", RandomHex(32)}};
  answer.body = std::move(body);
  return answer;
}

Answer DingTalkModel::Error(Call& call, int http_status, absl::string_view code, absl::string_view message,
                            const std::vector<std::string>& required_scopes) {
  const bool capitalised = options_.capitalised_error_keys;
  Answer answer = Json("");
  answer.status = http_status;
  ordered_json body;
  body[capitalised ? "Code" : "code"] = std::string(code);
  body[capitalised ? "RequestId" : "requestid"] = std::string(HeaderValue(answer.headers, "x-acs-request-id"));
  body[capitalised ? "Message" : "message"] = std::string(message);
  if (!required_scopes.empty()) {
    body[capitalised ? "AccessDeniedDetail" : "accessdenieddetail"]["requiredScopes"] = required_scopes;
  }
  // Codes and messages may come from outside, and bytes that are not UTF-8 must not throw.
  answer.body = body.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  call.code = std::string(code);
  return answer;
}

std::string DingTalkModel::NewToken(absl::Time expiry) {
  std::string token = RandomHex(32);
  AddToken(token, expiry);
  return token;
}

std::string DingTalkModel::RandomHex(size_t length) {
  std::string hex;
  while (hex.size() < length) absl::StrAppend(&hex, absl::Hex(random_(), absl::kZeroPad16));
  hex.resize(length);
  return hex;
}

std::string DingTalkModel::RandomId(size_t length) {
  constexpr absl::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  std::string id;
  while (id.size() < length) id += kAlphabet[random_() % kAlphabet.size()];
  return id;
}

std::string DingTalkModel::RandomUuid() {
  const std::string hex = absl::AsciiStrToUpper(RandomHex(32));
  return absl::StrCat(hex.substr(0, 8), "-", hex.substr(8, 4), "-", hex.substr(12, 4), "-", hex.substr(16, 4), "-",
                      hex.substr(20));
}

}  // namespace taskwatch::standin
