// The whole service in the test's own process, put together as taskwatchd does it.
#ifndef TASKWATCH_TESTS_INTEGRATION_SERVICE_UNDER_TEST_H_
#define TASKWATCH_TESTS_INTEGRATION_SERVICE_UNDER_TEST_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "taskwatch/v1/task_service.grpc.pb.h"

#include "service/config.h"
#include "service/taskwatch_service.h"

namespace taskwatch {

// What `ServiceUnderTest` serves with unless a test says else: a token that is always the same, patient time-outs, and
// polls as fast as a watcher wishes.
inline constexpr char kTestToken[] = "integration-test-token";
Config TestConfig(const std::string& upstream_url);

class ServiceUnderTest {
 public:
  // Aborts the test program if the service does not start.
  explicit ServiceUnderTest(const Config& config);

  TaskwatchService& service() { return *service_; }
  const std::string& address() const { return service_->address(); }
  // On a connection that is shared by all who use it.
  v1::TaskService::Stub& stub() { return *stub_; }

  TaskwatchService::Stats stats();

  // Waits until the statistics are as wished; looks again every millisecond.
  void Await(absl::FunctionRef<bool(const TaskwatchService::Stats&)> wish);

 private:
  std::unique_ptr<TaskwatchService> service_;
  std::unique_ptr<v1::TaskService::Stub> stub_;
};

// The memory that this process occupies now, in bytes.
size_t ResidentBytes();

// How much more memory may be in use after many rounds than before, in bytes. Where the allocator keeps what was freed
// on purpose (AddressSanitizer), nothing can be said and the bound is endless.
size_t MemoryBound(size_t bytes);

// The file descriptors that this process has open now.
size_t OpenFileDescriptors();

}  // namespace taskwatch

#endif  // TASKWATCH_TESTS_INTEGRATION_SERVICE_UNDER_TEST_H_
