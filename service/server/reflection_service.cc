#include "service/server/reflection_service.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>

#include "service/server/completion_thread.h"
#include "service/server/reflection_answers.h"

namespace taskwatch {
namespace {

// At a time. A client needs one, for some milliseconds as a rule.
constexpr size_t kMaxStreams = 100;

struct V1 {
  using Service = grpc::reflection::v1::ServerReflection::AsyncService;
  using Request = grpc::reflection::v1::ServerReflectionRequest;
  using Response = grpc::reflection::v1::ServerReflectionResponse;
};

struct V1alpha {
  using Service = grpc::reflection::v1alpha::ServerReflection::AsyncService;
  using Request = grpc::reflection::v1alpha::ServerReflectionRequest;
  using Response = grpc::reflection::v1alpha::ServerReflectionResponse;
};

}  // namespace

// Reads a request, writes its response, and so on until the client closes its side.
template <typename Version>
class ReflectionService::InfoCall final : public BidiCall<typename Version::Request, typename Version::Response> {
 public:
  InfoCall(ReflectionService* reflection, typename Version::Service* service)
      : reflection_(reflection), service_(service) {}

 private:
  void Request(Completion* arrived) override {
    service_->RequestServerReflectionInfo(&this->context(), this->stream(), this->queue(), this->queue(), arrived);
  }
  std::unique_ptr<ServerCall> Another() const override { return std::make_unique<InfoCall>(reflection_, service_); }
  CallLimit* limit() const override { return &*reflection_->streams_; }
  void OnRequest() override { AwaitRequest(); }

  void OnRead(bool ok) override {
    idle_.End();
    if (!ok) return this->Finish(grpc::Status::OK);
    response_.Clear();
    AnswerReflection(this->request(), reflection_->names_, &response_);
    this->Write(response_);
  }
  void OnWritten(bool ok) override {
    if (!ok) return this->Finish(grpc::Status::CANCELLED);
    AwaitRequest();
  }

  void AwaitRequest() {
    reflection_->idle_limit_->Begin(idle_);
    this->Read();
  }
  void OnIdle() {
    this->Finish(grpc::Status(grpc::StatusCode::UNAVAILABLE, "no request came for some time; open another stream"));
  }

  ReflectionService* const reflection_;
  typename Version::Service* const service_;
  typename Version::Response response_;
  TimeLimit::Wait idle_{[this] { OnIdle(); }};
};

ReflectionService::ReflectionService(std::vector<std::string> names) : names_(std::move(names)) {
  names_.push_back(grpc::reflection::v1::ServerReflection::service_full_name());
  names_.push_back(grpc::reflection::v1alpha::ServerReflection::service_full_name());
  std::sort(names_.begin(), names_.end());
}

void ReflectionService::Serve(const Serving* serving, absl::Duration idle_timeout) {
  streams_.emplace(kMaxStreams, serving->open_calls->refusal(), serving->open_calls);
  idle_limit_.emplace(serving->thread, idle_timeout);
  ServerCall::Await(serving, std::make_unique<InfoCall<V1>>(this, &v1_));
  ServerCall::Await(serving, std::make_unique<InfoCall<V1alpha>>(this, &v1alpha_));
}

}  // namespace taskwatch
