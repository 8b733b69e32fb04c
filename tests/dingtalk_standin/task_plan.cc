#include "tests/dingtalk_standin/task_plan.h"

#include <algorithm>

#include "nlohmann/json.hpp"

namespace taskwatch::standin {
namespace {

constexpr int kWaiting = -1;
constexpr int kRunning = 0;

struct Counts {
  int64_t succeeded = 0;
  int64_t failed = 0;
};

Counts FinalCounts(const TaskPlan& plan) {
  if (plan.failed_items.has_value()) {
    const int64_t failed = std::clamp<int64_t>(*plan.failed_items, 0, plan.items);
    return {plan.items - failed, failed};
  }
  switch (plan.outcome) {
    case 2: {
      const int64_t failed = std::min(plan.items, std::max<int64_t>(1, plan.items / 4));
      return {plan.items - failed, failed};
    }
    case 3:
      return {0, plan.items};
    case 4:
      return {0, 0};
    default:
      return {plan.items, 0};
  }
}

// The share of the work that is done after `time`, the share of the running time that has passed; both in [0, 1].
double ShareDone(ProgressShape shape, double time) {
  switch (shape) {
    case ProgressShape::kAccelerating:
      return time * time;
    case ProgressShape::kSlowing:
      return 1 - (1 - time) * (1 - time);
    case ProgressShape::kLinear:
    case ProgressShape::kNone:
      break;
  }
  return time;
}

}  // namespace

TaskPlan ExamplePlan() {
  TaskPlan plan;
  plan.waiting = absl::ZeroDuration();
  plan.running = absl::ZeroDuration();
  plan.items = 1;
  plan.outcome = 2;
  plan.failed_items = 0;
  return plan;
}

std::string TaskBody(absl::string_view task_id, const TaskPlan& plan, absl::Duration age) {
  const bool ended = age >= plan.waiting + plan.running;
  const bool waiting = !ended && age < plan.waiting;
  nlohmann::ordered_json body;
  body["taskId"] = std::string(task_id);
  body["status"] = ended ? plan.outcome : waiting ? kWaiting : kRunning;
  if (ended || plan.shape != ProgressShape::kNone) {
    Counts counts = FinalCounts(plan);
    if (!ended) {
      const double time = waiting ? 0 : absl::FDivDuration(age - plan.waiting, plan.running);
      const double share = ShareDone(plan.shape, std::clamp(time, 0.0, 1.0));
      counts.succeeded = static_cast<int64_t>(static_cast<double>(counts.succeeded) * share);
      counts.failed = static_cast<int64_t>(static_cast<double>(counts.failed) * share);
    }
    body["totalCount"] = plan.items;
    body["succCount"] = counts.succeeded;
    body["failCount"] = counts.failed;
  }
  // An id may hold any bytes, and those that are not UTF-8 must not throw.
  return body.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string WithFewerDone(const std::string& body) {
  nlohmann::ordered_json json = nlohmann::ordered_json::parse(body);
  const int status = json.at("status");
  if ((status != kWaiting && status != kRunning) || !json.contains("totalCount")) return body;
  for (const char* const key : {"succCount", "failCount"}) json[key] = json[key].get<int64_t>() / 2;
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace taskwatch::standin
