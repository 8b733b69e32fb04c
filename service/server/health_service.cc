#include "service/server/health_service.h"

#include <grpcpp/support/status.h>

#include <cstddef>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"

#include "service/text/printable_text.h"

namespace taskwatch {
namespace {

// A caller may send a name of many kilobytes. A status travels in the trailers, for which clients accept 8 KB: a longer
// one reaches its caller as RESOURCE_EXHAUSTED.
constexpr size_t kMaxShownName = 200;

// Checks at a time.
constexpr size_t kMaxChecks = 1000;

}  // namespace

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

class HealthService::CheckCall final : public UnaryCall<HealthCheckRequest, HealthCheckResponse> {
 public:
  explicit CheckCall(HealthService* service) : service_(service) {}

 private:
  void Request(Completion* arrived) override {
    service_->RequestCheck(&context(), request_slot(), writer(), queue(), queue(), arrived);
  }
  std::unique_ptr<ServerCall> Another() const override { return std::make_unique<CheckCall>(service_); }
  CallLimit* limit() const override { return &*service_->checks_; }
  void OnRequest() override {
    const ServingStatus status = service_->StatusOf(request().service());
    if (status == HealthCheckResponse::SERVICE_UNKNOWN) {
      return Finish(grpc::Status(
          grpc::StatusCode::NOT_FOUND,
          absl::StrCat("there is no service \"", PrintableExcerpt(request().service(), kMaxShownName), "\" here")));
    }
    response().set_status(status);
    Finish(grpc::Status::OK);
  }

  HealthService* const service_;
};

// Goes on until its caller or the server breaks it off.
class HealthService::WatchCall final : public StreamCall<HealthCheckRequest, HealthCheckResponse> {
 public:
  explicit WatchCall(HealthService* service) : service_(service) {}

  // Tells the status unless it was told last.
  void Update() {
    const ServingStatus status = service_->StatusOf(request().service());
    if (writing_ || told_ == status) return;
    told_ = status;
    writing_ = true;
    response_.set_status(status);
    Write(response_);
  }

 private:
  void Request(Completion* arrived) override {
    service_->RequestWatch(&context(), request_slot(), writer(), queue(), queue(), arrived);
  }
  std::unique_ptr<ServerCall> Another() const override { return std::make_unique<WatchCall>(service_); }
  void OnRequest() override {
    service_->watches_.insert(this);
    Update();
  }
  void OnWritten(bool) override {
    writing_ = false;
    if (cancelled_) return Finish(grpc::Status::CANCELLED);
    Update();
  }
  void OnCancel() override {
    service_->watches_.erase(this);
    cancelled_ = true;
    if (!writing_) Finish(grpc::Status::CANCELLED);
  }

  HealthService* const service_;
  HealthCheckResponse response_;
  std::optional<ServingStatus> told_;
  bool writing_ = false;
  bool cancelled_ = false;
};

void HealthService::Serve(const Serving* serving) {
  checks_.emplace(kMaxChecks, serving->open_calls->refusal());
  ServerCall::Await(serving, std::make_unique<CheckCall>(this));
  ServerCall::Await(serving, std::make_unique<WatchCall>(this));
}

void HealthService::StopServing() {
  serving_ = false;
  for (WatchCall* const watch : watches_) watch->Update();
}

HealthService::ServingStatus HealthService::StatusOf(const std::string& name) const {
  if (!names_.contains(name)) return HealthCheckResponse::SERVICE_UNKNOWN;
  return serving_ ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING;
}

}  // namespace taskwatch
