#include "service/server/reflection_service.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.pb.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"

#include "service/server/grpc_server.h"
#include "tests/server/imports.pb.h"

namespace taskwatch {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

struct V1 {
  using Protocol = grpc::reflection::v1::ServerReflection;
  using Request = grpc::reflection::v1::ServerReflectionRequest;
  using Response = grpc::reflection::v1::ServerReflectionResponse;
  static constexpr char kFile[] = "grpc/reflection/v1/reflection.proto";
};
struct V1alpha {
  using Protocol = grpc::reflection::v1alpha::ServerReflection;
  using Request = grpc::reflection::v1alpha::ServerReflectionRequest;
  using Response = grpc::reflection::v1alpha::ServerReflectionResponse;
  static constexpr char kFile[] = "grpc/reflection/v1alpha/reflection.proto";
};

template <typename Version>
class ReflectionServiceTest : public testing::Test {
 protected:
  using Request = typename Version::Request;
  using Response = typename Version::Response;
  using Stream = grpc::ClientReaderWriter<Request, Response>;

  void Start(GrpcServer::Options options = {}) {
    options.listen = "127.0.0.1:0";
    options.service_names = {"some.Service"};
    server_ = *GrpcServer::Start(options, {});
    stub_ = Version::Protocol::NewStub(grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials()));
  }

  // The answers to `requests`, on one stream, which ends with OK.
  std::vector<Response> Ask(const std::vector<Request>& requests) {
    grpc::ClientContext context;
    const auto stream = stub_->ServerReflectionInfo(&context);
    std::vector<Response> responses;
    for (const Request& request : requests) {
      stream->Write(request);
      stream->Read(&responses.emplace_back());
    }
    stream->WritesDone();
    Response none;
    EXPECT_FALSE(stream->Read(&none));
    const grpc::Status status = stream->Finish();
    EXPECT_TRUE(status.ok()) << status.error_message();
    return responses;
  }
  Response Ask(const Request& request) { return Ask(std::vector<Request>{request}).at(0); }

  static std::vector<std::string> FilesIn(const Response& response) {
    std::vector<std::string> names;
    for (const std::string& bytes : response.file_descriptor_response().file_descriptor_proto()) {
      google::protobuf::FileDescriptorProto file;
      EXPECT_TRUE(file.ParseFromString(bytes));
      names.push_back(file.name());
    }
    return names;
  }

  std::unique_ptr<GrpcServer> server_;
  std::unique_ptr<typename Version::Protocol::Stub> stub_;
};

using Versions = testing::Types<V1, V1alpha>;
TYPED_TEST_SUITE(ReflectionServiceTest, Versions);

TYPED_TEST(ReflectionServiceTest, ListsTheServices) {
  this->Start();
  typename TypeParam::Request request;
  request.set_host("a");
  request.set_list_services("*");
  const auto response = this->Ask(request);
  std::vector<std::string> names;
  for (const auto& service : response.list_services_response().service()) names.push_back(service.name());
  EXPECT_THAT(names, ElementsAre("grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
                                 "grpc.reflection.v1alpha.ServerReflection", "some.Service"));
  EXPECT_EQ(response.valid_host(), "a");
  EXPECT_EQ(response.original_request().list_services(), "*");
}

TYPED_TEST(ReflectionServiceTest, SendsTheFileThatIsAskedForWithItsImports) {
  this->Start();
  typename TypeParam::Request by_name;
  by_name.set_file_by_filename(TypeParam::kFile);
  typename TypeParam::Request by_service;
  by_service.set_file_containing_symbol(TypeParam::Protocol::service_full_name());
  typename TypeParam::Request by_method;
  by_method.set_file_containing_symbol(std::string(TypeParam::Protocol::service_full_name()) + ".ServerReflectionInfo");
  typename TypeParam::Request by_message;
  by_message.set_file_containing_symbol(TypeParam::Request::descriptor()->full_name());
  for (const auto& response : this->Ask({by_name, by_service, by_method, by_message})) {
    EXPECT_THAT(this->FilesIn(response), ElementsAre(TypeParam::kFile));
  }

  typename TypeParam::Request with_imports;
  with_imports.set_file_by_filename(imports::Lasting::descriptor()->file()->name());
  EXPECT_THAT(this->FilesIn(this->Ask(with_imports)),
              UnorderedElementsAre("tests/server/imports.proto", "google/protobuf/duration.proto",
                                   "google/protobuf/descriptor.proto"));
}

TYPED_TEST(ReflectionServiceTest, KnowsExtensions) {
  this->Start();
  typename TypeParam::Request numbers;
  numbers.set_all_extension_numbers_of_type("google.protobuf.MessageOptions");
  typename TypeParam::Request file;
  file.mutable_file_containing_extension()->set_containing_type("google.protobuf.MessageOptions");
  file.mutable_file_containing_extension()->set_extension_number(50'123);
  const auto responses = this->Ask({numbers, file});
  EXPECT_EQ(responses[0].all_extension_numbers_response().base_type_name(), "google.protobuf.MessageOptions");
  EXPECT_THAT(responses[0].all_extension_numbers_response().extension_number(), ElementsAre(50'123));
  EXPECT_THAT(this->FilesIn(responses[1]), testing::Contains("tests/server/imports.proto"));
}

TYPED_TEST(ReflectionServiceTest, SaysWhatItDoesNotKnowAndGoesOn) {
  this->Start();
  std::vector<typename TypeParam::Request> requests(6);
  requests[0].set_file_by_filename("no.proto");
  requests[1].set_file_containing_symbol("no.Symbol");
  requests[2].set_all_extension_numbers_of_type("no.Message");
  requests[3].mutable_file_containing_extension()->set_containing_type("no.Message");
  requests[4].mutable_file_containing_extension()->set_containing_type("google.protobuf.MessageOptions");
  requests[4].mutable_file_containing_extension()->set_extension_number(50'124);
  std::vector<int> codes;
  for (const auto& response : this->Ask(requests)) codes.push_back(response.error_response().error_code());
  EXPECT_EQ(codes.back(), grpc::StatusCode::UNIMPLEMENTED) << "a request without a question";
  codes.pop_back();
  EXPECT_THAT(codes, Each(grpc::StatusCode::NOT_FOUND));
}

TYPED_TEST(ReflectionServiceTest, EndsAStreamOnWhichNothingIsAsked) {
  GrpcServer::Options options;
  options.reflection_idle_timeout = absl::Milliseconds(20);
  this->Start(options);
  grpc::ClientContext context;
  const auto stream = this->stub_->ServerReflectionInfo(&context);
  typename TypeParam::Response response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TYPED_TEST(ReflectionServiceTest, OutlivesAStreamThatIsCancelled) {
  this->Start();
  {
    grpc::ClientContext context;
    const auto stream = this->stub_->ServerReflectionInfo(&context);
    typename TypeParam::Request request;
    request.set_list_services("*");
    stream->Write(request);
    typename TypeParam::Response response;
    ASSERT_TRUE(stream->Read(&response));
    context.TryCancel();
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  typename TypeParam::Request request;
  request.set_file_by_filename(TypeParam::kFile);
  EXPECT_THAT(this->FilesIn(this->Ask(request)), Not(IsEmpty()));
}

}  // namespace
}  // namespace taskwatch
