#include "tests/dingtalk_standin/fault.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace taskwatch::standin {
namespace {

constexpr absl::string_view kBanPage =
    "<!DOCTYPE html><html><head><meta charset=\"utf-8\"><title>403</title></head><body>"
    "<h1>Sorry, your request has been blocked.</h1></body></html>\n";
constexpr absl::string_view kBadGatewayPage =
    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n"
    "<hr><center>Tengine</center>\r\n</body>\r\n</html>\r\n";
// Note the `status`: a reader that is not careful takes it for a task's.
constexpr absl::string_view kPunishBody =
    R"({"status":1111,"wait":5,"source":"x5","punish":"deny","uuid":"5f2b7f0c6f3a4f6db2d6f3c1f9a7e0aa"})";

struct ErrorRow {
  absl::string_view name;
  int http_status;
  absl::string_view code;
  absl::string_view message;
};

constexpr ErrorRow kErrors[] = {
    {"system_error", 500, "systemError", "system error"},
    {"unknown_error", 500, "unknownError", "unknown error"},
    {"operation_timeout", 503, "operationTimeout", "operation timeout"},
    {"param_error", 400, "paramError", "param error"},
    {"system_busy", 429, "system.busy", "system busy, please try again later"},
    {"qps_limit", 403, "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi", "the app exceeds its QPS limit for this API"},
    {"qpm_limit", 403, "Forbidden.AccessDenied.QpmLimitForAppkeyAndApi", "the app exceeds its QPM limit for this API"},
    {"monthly_limit", 403, "Forbidden.AccessDenied.ApiCountLimitForOrg",
     "the organisation has used up its calls of this month"},
    {"ip_not_in_white_list", 403, "Forbidden.AccessDenied.IpNotInWhiteList", "the IP is not in the app's allow-list"},
    {"permission_denied", 403, "Forbidden.AccessDenied.AccessTokenPermissionDenied",
     "the app lacks the permission for this API"},
};

struct BodyRow {
  absl::string_view name;
  int http_status;
  absl::string_view body;
  absl::string_view content_type;
};

constexpr absl::string_view kJson = "application/json;charset=utf-8";
constexpr absl::string_view kHtml = "text/html; charset=utf-8";

constexpr BodyRow kBodies[] = {
    {"ip_ban_html", 200, kBanPage, kHtml},
    {"punish", 200, kPunishBody, kJson},
    {"html_502", 502, kBadGatewayPage, kHtml},
    {"malformed_null", 200, "null", kJson},
    {"malformed_array", 200, "[]", kJson},
    {"malformed_empty", 200, "{}", kJson},
    {"redirect", 302, "", kHtml},
    {"malformed_result", 200, R"({"result":{}})", kJson},
};

struct TransportRow {
  absl::string_view name;
  Transport transport;
};

constexpr TransportRow kTransports[] = {
    {"hang", Transport::kHang},   {"drip", Transport::kDrip}, {"close", Transport::kClose},
    {"reset", Transport::kReset}, {"huge", Transport::kHuge},
};

}  // namespace

absl::StatusOr<Fault> CannedFault(absl::string_view name) {
  Fault fault;
  for (const ErrorRow& row : kErrors) {
    if (row.name != name) continue;
    fault.http_status = row.http_status;
    fault.code = std::string(row.code);
    fault.message = std::string(row.message);
    if (name == "permission_denied") fault.required_scopes = {"SNS.Document.WorkspaceDocument.Read"};
    return fault;
  }
  for (const BodyRow& row : kBodies) {
    if (row.name != name) continue;
    fault.http_status = row.http_status;
    fault.body = std::string(row.body);
    fault.content_type = std::string(row.content_type);
    return fault;
  }
  for (const TransportRow& row : kTransports) {
    if (row.name != name) continue;
    fault.transport = row.transport;
    if (row.transport == Transport::kHuge) fault.huge_bytes = size_t{64} << 20;
    return fault;
  }
  if (name == "invalid_token") {
    fault.drop_tokens = true;
    return fault;
  }
  if (name == "stale") {
    fault.age = absl::Seconds(10);
    return fault;
  }
  if (name == "shrink") {
    fault.edit = Fault::Edit::kShrink;
    return fault;
  }
  if (name == "slow") {
    fault.delay = absl::Seconds(4);
    return fault;
  }
  if (name == "malformed_truncated") {
    fault.edit = Fault::Edit::kTruncate;
    return fault;
  }
  if (name == "malformed_other_task") {
    fault.edit = Fault::Edit::kOtherTask;
    return fault;
  }
  return absl::NotFoundError(absl::StrCat("no fault is called \"", name, "\""));
}

}  // namespace taskwatch::standin
