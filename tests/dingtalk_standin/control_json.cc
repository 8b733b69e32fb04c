#include "tests/dingtalk_standin/control_json.h"

#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

#include "tests/dingtalk_standin/api.h"

namespace taskwatch::standin {
namespace {

using nlohmann::json;

// Reads the members of one object and remembers what was wrong with it.
class ObjectReader {
 public:
  explicit ObjectReader(const json& object) : object_(object) {
    if (!object.is_object()) Fail("expected an object");
  }

  std::optional<std::string> String(const std::string& key) {
    const json* value = Find(key);
    if (value == nullptr) return std::nullopt;
    if (value->is_string()) return value->get<std::string>();
    Fail(absl::StrCat("\"", key, "\" must be a string"));
    return std::nullopt;
  }

  std::optional<int64_t> Integer(const std::string& key, int64_t min, int64_t max) {
    const json* value = Find(key);
    if (value == nullptr) return std::nullopt;
    if (value->is_number_integer()) {
      const auto number = value->get<int64_t>();
      if (number >= min && number <= max) return number;
    }
    Fail(absl::StrCat("\"", key, "\" must be a whole number from ", min, " to ", max));
    return std::nullopt;
  }

  std::optional<absl::Duration> Milliseconds(const std::string& key) {
    const std::optional<int64_t> number = Integer(key, 0, int64_t{1} << 40);
    if (!number.has_value()) return std::nullopt;
    return absl::Milliseconds(*number);
  }

  std::vector<std::string> Strings(const std::string& key) {
    const json* value = Find(key);
    if (value == nullptr) return {};
    std::vector<std::string> strings;
    if (!value->is_array()) Fail(absl::StrCat("\"", key, "\" must be an array of strings"));
    for (const json& element : *value) {
      if (element.is_string()) {
        strings.push_back(element.get<std::string>());
      } else {
        Fail(absl::StrCat("\"", key, "\" must be an array of strings"));
      }
    }
    return strings;
  }

  Headers StringMap(const std::string& key) {
    const json* value = Find(key);
    if (value == nullptr) return {};
    Headers map;
    if (!value->is_object()) Fail(absl::StrCat("\"", key, "\" must be an object of strings"));
    for (const auto& [name, element] : value->items()) {
      if (element.is_string()) {
        map.emplace_back(name, element.get<std::string>());
      } else {
        Fail(absl::StrCat("\"", key, "\" must be an object of strings"));
      }
    }
    return map;
  }

  void Fail(absl::string_view message) {
    if (status_.ok()) status_ = absl::InvalidArgumentError(message);
  }

  // The first thing that was wrong; at the end, that is also a key that nobody has asked for.
  absl::Status Finish() {
    if (object_.is_object()) {
      for (const auto& [key, value] : object_.items()) {
        if (known_.count(key) == 0) Fail(absl::StrCat("there is no key \"", key, "\""));
      }
    }
    return status_;
  }

 private:
  const json* Find(const std::string& key) {
    known_.insert(key);
    if (!object_.is_object()) return nullptr;
    const auto found = object_.find(key);
    return found == object_.end() ? nullptr : &*found;
  }

  const json& object_;
  std::set<std::string> known_;
  absl::Status status_;
};

// Reads one object, or each of an array, with `read`.
template <typename T>
absl::StatusOr<std::vector<T>> ReadAll(absl::string_view text, T (*read)(ObjectReader&)) {
  json document = json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (document.is_discarded()) return absl::InvalidArgumentError("not JSON");
  if (!document.is_array()) document = json::array({std::move(document)});
  std::vector<T> all;
  for (const json& object : document) {
    ObjectReader reader(object);
    all.push_back(read(reader));
    if (const absl::Status status = reader.Finish(); !status.ok()) return status;
  }
  return all;
}

Fault ReadFault(ObjectReader& reader) {
  Fault fault;
  if (const auto kind = reader.String("kind")) {
    absl::StatusOr<Fault> canned = CannedFault(*kind);
    if (canned.ok()) {
      fault = *std::move(canned);
    } else {
      reader.Fail(canned.status().message());
    }
  }
  if (const auto name = reader.String("api")) {
    fault.api = ApiFromName(*name);
    if (!fault.api.has_value()) reader.Fail(absl::StrCat("no api is called \"", *name, "\""));
  }
  fault.count = reader.Integer("count", Fault::kUntilCleared, std::numeric_limits<int64_t>::max()).value_or(1);
  if (auto body = reader.String("body")) {
    fault.body = *std::move(body);
    fault.code.clear();
    if (fault.http_status == 0) fault.http_status = 200;
  }
  if (auto code = reader.String("code")) {
    fault.code = *std::move(code);
    if (fault.http_status == 0) fault.http_status = 500;
  }
  if (const auto status = reader.Integer("http_status", 200, 599)) fault.http_status = static_cast<int>(*status);
  if (auto message = reader.String("message")) fault.message = *std::move(message);
  if (auto scopes = reader.Strings("required_scopes"); !scopes.empty()) fault.required_scopes = std::move(scopes);
  if (auto type = reader.String("content_type")) fault.content_type = *std::move(type);
  fault.headers = reader.StringMap("headers");
  if (const auto bytes = reader.Integer("bytes", 0, int64_t{1} << 40)) fault.huge_bytes = *bytes;
  fault.age = reader.Milliseconds("age_ms").value_or(fault.age);
  fault.delay = reader.Milliseconds("delay_ms").value_or(fault.delay);
  return fault;
}

std::optional<ProgressShape> ShapeFromName(absl::string_view name) {
  if (name == "linear") return ProgressShape::kLinear;
  if (name == "accelerating") return ProgressShape::kAccelerating;
  if (name == "slowing") return ProgressShape::kSlowing;
  if (name == "none") return ProgressShape::kNone;
  return std::nullopt;
}

NamedTask ReadTask(ObjectReader& reader) {
  constexpr int64_t kMaxItems = int64_t{1} << 53;
  NamedTask task;
  task.task_id = reader.String("task_id").value_or("");
  if (task.task_id.empty()) reader.Fail("\"task_id\" is missing");
  TaskPlan& plan = task.plan;
  plan.hidden = reader.Milliseconds("hidden_ms").value_or(plan.hidden);
  plan.waiting = reader.Milliseconds("waiting_ms").value_or(plan.waiting);
  plan.running = reader.Milliseconds("running_ms").value_or(plan.running);
  plan.items = reader.Integer("items", 0, kMaxItems).value_or(plan.items);
  plan.outcome = static_cast<int>(
      reader.Integer("outcome", std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max())
          .value_or(plan.outcome));
  plan.failed_items = reader.Integer("failed_items", 0, kMaxItems);
  if (const auto name = reader.String("shape")) {
    const auto shape = ShapeFromName(*name);
    if (!shape.has_value()) reader.Fail(absl::StrCat("no shape is called \"", *name, "\""));
    plan.shape = shape.value_or(plan.shape);
  }
  return task;
}

NewToken ReadToken(ObjectReader& reader) {
  NewToken token;
  token.token = reader.String("token").value_or("");
  if (token.token.empty()) reader.Fail("\"token\" is missing");
  token.lifetime = reader.Milliseconds("lifetime_ms").value_or(token.lifetime);
  return token;
}

}  // namespace

absl::StatusOr<std::vector<Fault>> FaultsFromJson(absl::string_view json) { return ReadAll(json, ReadFault); }

absl::StatusOr<std::vector<NamedTask>> TasksFromJson(absl::string_view json) { return ReadAll(json, ReadTask); }

absl::StatusOr<std::vector<NewToken>> TokensFromJson(absl::string_view json) { return ReadAll(json, ReadToken); }

std::string CallsToJson(const DingTalkModel& model, absl::Time start) {
  using nlohmann::ordered_json;
  const DingTalkModel::Counts& counts = model.counts();
  ordered_json document;
  for (size_t i = 0; i < kApiCount; ++i) document["counts"][std::string(kApiNames[i])] = counts.calls[i];
  document["refused"]["authentication"] = counts.refused_authentication;
  document["refused"]["qps"] = counts.refused_qps;
  document["refused"]["month"] = counts.refused_month;
  document["faults"] = counts.faults;
  document["monthly_calls_used"] = model.monthly_calls_used();
  document["calls"] = ordered_json::array();
  for (const DingTalkModel::Call& call : model.calls()) {
    ordered_json entry;
    entry["api"] = std::string(ApiName(call.api));
    entry["at_ms"] = absl::ToInt64Milliseconds(call.time - start);
    entry["http_status"] = call.http_status;
    entry["code"] = call.code;
    entry["task_id"] = call.task_id;
    entry["path"] = call.path;
    document["calls"].push_back(std::move(entry));
  }
  // Paths may hold any bytes, and those that are not UTF-8 must not throw.
  return document.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace taskwatch::standin
