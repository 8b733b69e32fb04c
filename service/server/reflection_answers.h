// Answers to questions of server reflection, from the descriptors that are linked into the program.
#ifndef TASKWATCH_SERVICE_SERVER_REFLECTION_ANSWERS_H_
#define TASKWATCH_SERVICE_SERVER_REFLECTION_ANSWERS_H_

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <grpcpp/support/status_code_enum.h>

#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"

namespace taskwatch {

// Adds `file` and all that it imports, serialised, to `files`, unless they are among the `seen`.
template <typename Files>
void AddFileWithImports(const google::protobuf::FileDescriptor& file,
                        absl::flat_hash_set<const google::protobuf::FileDescriptor*>& seen, Files* files) {
  if (!seen.insert(&file).second) return;
  google::protobuf::FileDescriptorProto proto;
  file.CopyTo(&proto);
  files->Add(proto.SerializeAsString());
  for (int i = 0; i < file.dependency_count(); ++i) AddFileWithImports(*file.dependency(i), seen, files);
}

// The answer to `request`; `services` are the full names of the server's services. Request and Response are the
// ServerReflectionRequest and -Response of a version of the protocol: all versions have the same fields.
template <typename Request, typename Response>
void AnswerReflection(const Request& request, const std::vector<std::string>& services, Response* response) {
  const google::protobuf::DescriptorPool& pool = *google::protobuf::DescriptorPool::generated_pool();
  response->set_valid_host(request.host());
  *response->mutable_original_request() = request;
  const auto fail = [response](grpc::StatusCode code, const char* message) {
    response->mutable_error_response()->set_error_code(code);
    response->mutable_error_response()->set_error_message(message);
  };
  const auto answer_with = [&](const google::protobuf::FileDescriptor* file, const char* otherwise) {
    if (file == nullptr) return fail(grpc::StatusCode::NOT_FOUND, otherwise);
    absl::flat_hash_set<const google::protobuf::FileDescriptor*> seen;
    AddFileWithImports(*file, seen, response->mutable_file_descriptor_response()->mutable_file_descriptor_proto());
  };
  switch (request.message_request_case()) {
    case Request::kFileByFilename:
      return answer_with(pool.FindFileByName(request.file_by_filename()), "there is no such file");
    case Request::kFileContainingSymbol:
      return answer_with(pool.FindFileContainingSymbol(request.file_containing_symbol()), "there is no such symbol");
    case Request::kFileContainingExtension: {
      const auto& wanted = request.file_containing_extension();
      const auto* const type = pool.FindMessageTypeByName(wanted.containing_type());
      if (type == nullptr) return fail(grpc::StatusCode::NOT_FOUND, "there is no such message");
      const auto* const extension = pool.FindExtensionByNumber(type, wanted.extension_number());
      return answer_with(extension == nullptr ? nullptr : extension->file(), "there is no such extension");
    }
    case Request::kAllExtensionNumbersOfType: {
      const auto* const type = pool.FindMessageTypeByName(request.all_extension_numbers_of_type());
      if (type == nullptr) return fail(grpc::StatusCode::NOT_FOUND, "there is no such message");
      std::vector<const google::protobuf::FieldDescriptor*> extensions;
      pool.FindAllExtensions(type, &extensions);
      auto* const numbers = response->mutable_all_extension_numbers_response();
      numbers->set_base_type_name(type->full_name());
      for (const auto* const extension : extensions) numbers->add_extension_number(extension->number());
      return;
    }
    case Request::kListServices:
      for (const std::string& name : services) {
        response->mutable_list_services_response()->add_service()->set_name(name);
      }
      return;
    case Request::MESSAGE_REQUEST_NOT_SET:
      break;
  }
  fail(grpc::StatusCode::UNIMPLEMENTED, "the request asks for nothing that this server knows of");
}

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_SERVER_REFLECTION_ANSWERS_H_
