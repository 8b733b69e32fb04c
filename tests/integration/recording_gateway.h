// DingTalk's gateway with an ear on the line: keeps everything that was said to it and by it.
#ifndef TASKWATCH_TESTS_INTEGRATION_RECORDING_GATEWAY_H_
#define TASKWATCH_TESTS_INTEGRATION_RECORDING_GATEWAY_H_

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

#include "tests/dingtalk_standin/dingtalk_model.h"
#include "tests/dingtalk_standin/http_message.h"
#include "tests/dingtalk_standin/http_server.h"

namespace taskwatch {

// Thread-safe.
class RecordingGateway {
 public:
  explicit RecordingGateway(const standin::DingTalkModel::Options& options)
      : model_(options),
        http_(*standin::HttpServer::Start({}, [this](const standin::Request& request) { return Handle(request); })) {}

  std::string url() const { return absl::StrCat("http://127.0.0.1:", http_->port()); }

  void WithModel(absl::FunctionRef<void(standin::DingTalkModel&, absl::Time)> use) {
    absl::MutexLock lock(&mutex_);
    use(model_, absl::Now());
  }

  // Requests and answers, with all headers and bodies.
  std::string record() const {
    absl::MutexLock lock(&mutex_);
    return record_;
  }

 private:
  standin::Answer Handle(const standin::Request& request) {
    absl::MutexLock lock(&mutex_);
    Write(absl::StrCat(request.method, " ", request.path), request.headers, request.body);
    standin::Answer answer = model_.Handle(request, absl::Now());
    Write(absl::StrCat("answer ", answer.status), answer.headers, answer.body);
    return answer;
  }

  void Write(const std::string& line, const standin::Headers& headers, const std::string& body)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    absl::StrAppend(&record_, line, "\n");
    for (const auto& [name, value] : headers) absl::StrAppend(&record_, name, ": ", value, "\n");
    absl::StrAppend(&record_, body, "\n");
  }

  mutable absl::Mutex mutex_;
  standin::DingTalkModel model_ ABSL_GUARDED_BY(mutex_);
  std::string record_ ABSL_GUARDED_BY(mutex_);
  // Last, so that its threads end before what they use.
  std::unique_ptr<standin::HttpServer> http_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_TESTS_INTEGRATION_RECORDING_GATEWAY_H_
