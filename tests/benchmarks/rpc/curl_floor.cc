// The least that it takes to ask DingTalk's API many times: bare libcurl and the JSON parse, nothing else. What
// taskwatchd spends beyond this and a null server is its own.
#include <curl/curl.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "nlohmann/json.hpp"

ABSL_FLAG(std::string, url, "", "the upstream: http://host:port");
ABSL_FLAG(int, calls, 10'000, "how many in all");
ABSL_FLAG(int, concurrency, 32, "how many at a time");

namespace {

struct Transfer {
  CURL* easy = curl_easy_init();
  std::string body;
  std::string task_id;
  absl::Time start;
};

size_t OnBody(const char* bytes, size_t, size_t count, void* body) {
  static_cast<std::string*>(body)->append(bytes, count);
  return count;
}

double CpuSeconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return absl::ToDoubleSeconds(absl::DurationFromTimeval(usage.ru_utime) + absl::DurationFromTimeval(usage.ru_stime));
}

}  // namespace

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  const int calls = absl::GetFlag(FLAGS_calls);
  const int concurrency = std::min(absl::GetFlag(FLAGS_concurrency), calls);
  CURLM* const multi = curl_multi_init();
  curl_slist* const headers = curl_slist_append(nullptr, "x-acs-dingtalk-access-token: token");
  std::vector<Transfer> transfers(concurrency);
  std::vector<double> latencies;
  latencies.reserve(calls);
  int begun = 0;
  int failed = 0;
  const auto begin = [&](Transfer& transfer) {
    transfer.body.clear();
    transfer.task_id = absl::StrCat("floor-", begun++);
    curl_easy_setopt(transfer.easy, CURLOPT_URL,
                     absl::StrCat(absl::GetFlag(FLAGS_url), "/v2.0/doc/task/info/", transfer.task_id).c_str());
    transfer.start = absl::Now();
    curl_multi_add_handle(multi, transfer.easy);
  };
  const double cpu_before = CpuSeconds();
  const absl::Time start = absl::Now();
  for (Transfer& transfer : transfers) {
    curl_easy_setopt(transfer.easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(transfer.easy, CURLOPT_WRITEFUNCTION, OnBody);
    curl_easy_setopt(transfer.easy, CURLOPT_WRITEDATA, &transfer.body);
    curl_easy_setopt(transfer.easy, CURLOPT_PRIVATE, &transfer);
    begin(transfer);
  }
  while (latencies.size() < static_cast<size_t>(calls)) {
    int running = 0;
    curl_multi_perform(multi, &running);
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi, &left)) {
      Transfer* transfer = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
      const CURLcode result = message->data.result;
      curl_multi_remove_handle(multi, transfer->easy);
      const nlohmann::json task = nlohmann::json::parse(transfer->body, nullptr, false);
      const bool good = result == CURLE_OK && task.is_object() && task.value("taskId", "") == transfer->task_id &&
                        task.contains("status");
      if (!good) ++failed;
      latencies.push_back(absl::ToDoubleMicroseconds(absl::Now() - transfer->start));
      if (begun < calls) begin(*transfer);
    }
    if (latencies.size() < static_cast<size_t>(calls)) curl_multi_poll(multi, nullptr, 0, 1000, nullptr);
  }
  const double seconds = absl::ToDoubleSeconds(absl::Now() - start);
  const double cpu = CpuSeconds() - cpu_before;
  std::nth_element(latencies.begin(), latencies.begin() + calls / 2, latencies.end());
  std::printf(
      "{\"calls\": %d, \"failed\": %d, \"calls_per_second\": %.1f, \"p50_us\": %.1f, \"cpu_us_per_call\": %.2f}\n",
      calls, failed, calls / seconds, latencies[calls / 2], cpu * 1e6 / calls);
  for (const Transfer& transfer : transfers) curl_easy_cleanup(transfer.easy);
  curl_multi_cleanup(multi);
  curl_slist_free_all(headers);
  return failed == 0 ? 0 : 1;
}
