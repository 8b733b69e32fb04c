#include "tests/dingtalk_standin/dingtalk_server.h"

#include <httplib.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

#include "tests/dingtalk_standin/dingtalk_model.h"
#include "tests/dingtalk_standin/fault.h"

namespace taskwatch::standin {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kTaskPath[] = "/v2.0/doc/task/info/abcd";
constexpr char kExampleBody[] = R"({"taskId":"abcd","status":2,"totalCount":1,"succCount":1,"failCount":0})";
constexpr char kJson[] = "application/json";

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using File = std::unique_ptr<FILE, decltype(&fclose)>;

// Writes a key and a certificate that it has signed itself.
void WriteCertificate(const std::string& cert_file, const std::string& key_file) {
  const Key key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const Certificate certificate(X509_new(), X509_free);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key.get());
  X509_sign(certificate.get(), key.get(), EVP_sha256());
  const File cert(fopen(cert_file.c_str(), "w"), fclose);
  PEM_write_X509(cert.get(), certificate.get());
  const File secret(fopen(key_file.c_str(), "w"), fclose);
  PEM_write_PrivateKey(secret.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
}

class DingTalkServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    DingTalkServer::Options options;
    options.model.static_tokens = {"token"};
    options.model.example_task = true;
    auto started = DingTalkServer::Start(options);
    ASSERT_TRUE(started.ok()) << started.status();
    server_ = *std::move(started);
    client_ = NewClient();
  }

  std::unique_ptr<httplib::Client> NewClient() {
    auto client = std::make_unique<httplib::Client>(server_->base_url());
    client->set_default_headers({{"x-acs-dingtalk-access-token", "token"}});
    client->set_keep_alive(true);
    // Far beyond what any of this takes: no test is to fail because a machine is slow.
    client->set_read_timeout(300);
    return client;
  }

  void Inject(const std::string& name) {
    server_->WithModel([&](DingTalkModel& model, absl::Time) { model.InjectFault(CannedFault(name).value()); });
  }

  // Sends bytes as they are and returns all that comes back until the server ends the connection. For what a
  // well-behaved client never sends. `error` is the errno that ended it, 0 for an orderly end.
  std::string SendRaw(const std::string& bytes, int* error = nullptr) {
    const int connection = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(server_->port()));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(connection, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
    std::string received;
    char buffer[4096];
    ssize_t count;
    while ((count = recv(connection, buffer, sizeof(buffer), 0)) > 0) received.append(buffer, count);
    if (error != nullptr) *error = count < 0 ? errno : 0;
    close(connection);
    return received;
  }

  static std::string RawGet(const std::string& path) {
    return absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: x\r\nx-acs-dingtalk-access-token: token\r\n",
                        "Connection: close\r\n\r\n");
  }

  nlohmann::json Calls() { return nlohmann::json::parse(client_->Get("/control/calls")->body); }

  std::unique_ptr<DingTalkServer> server_;
  std::unique_ptr<httplib::Client> client_;
};

TEST_F(DingTalkServerTest, AnswersTheTaskCall) {
  const auto result = client_->Get(kTaskPath);

  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, 200);
  EXPECT_EQ(result->body, kExampleBody);
  EXPECT_EQ(result->get_header_value("Content-Type"), "application/json;charset=utf-8");
  EXPECT_TRUE(result->has_header("x-acs-request-id"));
}

TEST_F(DingTalkServerTest, KeepsTheConnectionBetweenCalls) {
  int connections = 0;
  client_->set_socket_options([&connections](socket_t) { ++connections; });
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(client_->Get(kTaskPath));

  EXPECT_EQ(connections, 1);
}

TEST_F(DingTalkServerTest, TakesABodyInChunks) {
  const std::string body = R"({"appKey":"dingdemoapp","appSecret":"demo-app-secret"})";
  const auto result = client_->Post(
      "/v1.0/oauth2/accessToken", httplib::Headers(),
      [&body](size_t offset, httplib::DataSink& sink) {
        if (offset < body.size()) return sink.write(&body[offset], 1);
        sink.done();
        return true;
      },
      "application/json; charset=utf-8");

  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, 200);
}

TEST_F(DingTalkServerTest, MissesTheBodyOfAForm) {
  const auto result =
      client_->Post("/v1.0/oauth2/accessToken", "appKey=dingdemoapp", "application/x-www-form-urlencoded");

  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, 400);
  EXPECT_THAT(result->body, HasSubstr("\"Missingbody\""));
}

TEST_F(DingTalkServerTest, TakesAPostWithoutABody) {
  const std::string answer = SendRaw("POST /v1.0/oauth2/accessToken HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");

  EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(answer, HasSubstr("\"Missingbody\""));
}

TEST_F(DingTalkServerTest, SeesPathsAsTheyWereSent) {
  SendRaw(RawGet("/v2.0/doc/task/info/a%2e"));
  SendRaw(RawGet("/v2.0/doc/task/info/../../v1.0/x?y=z"));

  const auto calls = Calls().at("calls");
  EXPECT_EQ(calls.at(0).at("task_id"), "a%2e");
  EXPECT_EQ(calls.at(1).at("api"), "other");
  EXPECT_EQ(calls.at(1).at("path"), "/v2.0/doc/task/info/../../v1.0/x?y=z");
}

TEST_F(DingTalkServerTest, PicksAFreePort) {
  auto other = DingTalkServer::Start({});

  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_NE((*other)->port(), server_->port());
}

TEST_F(DingTalkServerTest, SaysThatAPortIsTaken) {
  DingTalkServer::Options options;
  options.http.port = server_->port();

  EXPECT_EQ(DingTalkServer::Start(options).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(DingTalkServerTest, SpeaksTls) {
  DingTalkServer::Options options;
  options.model.static_tokens = {"token"};
  options.model.example_task = true;
  options.http.tls_cert_file = absl::StrCat(testing::TempDir(), "/cert.pem");
  options.http.tls_key_file = absl::StrCat(testing::TempDir(), "/key.pem");
  WriteCertificate(options.http.tls_cert_file, options.http.tls_key_file);
  auto started = DingTalkServer::Start(options);
  ASSERT_TRUE(started.ok()) << started.status();
  server_ = *std::move(started);
  client_ = NewClient();
  client_->enable_server_certificate_verification(false);

  EXPECT_THAT(server_->base_url(), StartsWith("https://127.0.0.1:"));
  for (int i = 0; i < 2; ++i) {
    const auto result = client_->Get(kTaskPath);
    ASSERT_TRUE(result);
    EXPECT_EQ(result->body, kExampleBody);
  }
}

TEST_F(DingTalkServerTest, RefusesTlsFilesThatDoNotServe) {
  DingTalkServer::Options options;
  options.http.tls_cert_file = "/dev/null";
  options.http.tls_key_file = "/dev/null";

  EXPECT_EQ(DingTalkServer::Start(options).status().code(), absl::StatusCode::kInvalidArgument);
}

// Transports.

TEST_F(DingTalkServerTest, AResetIsAReset) {
  Inject("reset");
  int error = 0;

  EXPECT_EQ(SendRaw(RawGet(kTaskPath), &error), "");
  EXPECT_EQ(error, ECONNRESET) << std::strerror(error);
}

TEST_F(DingTalkServerTest, AClosedConnectionEndsInOrder) {
  Inject("close");
  int error = 0;

  EXPECT_EQ(SendRaw(RawGet(kTaskPath), &error), "");
  EXPECT_EQ(error, 0) << std::strerror(error);
}

TEST_F(DingTalkServerTest, AHangEndsWhenTheServerStops) {
  Inject("hang");
  std::thread caller([this] { EXPECT_FALSE(NewClient()->Get(kTaskPath)); });
  server_->AwaitCalls(Api::kTaskInfo, 1);
  server_->Stop();
  caller.join();
}

TEST_F(DingTalkServerTest, ADelayedAnswerEndsWhenTheServerStops) {
  Fault fault;
  fault.delay = absl::Hours(1);
  server_->WithModel([&](DingTalkModel& model, absl::Time) { model.InjectFault(fault); });
  std::thread caller([this] { EXPECT_FALSE(NewClient()->Get(kTaskPath)); });
  server_->AwaitCalls(Api::kTaskInfo, 1);
  server_->Stop();
  caller.join();
}

TEST_F(DingTalkServerTest, AnIdleConnectionDoesNotHoldUpTheStop) {
  ASSERT_TRUE(client_->Get(kTaskPath));
  server_->Stop();

  EXPECT_FALSE(client_->Get(kTaskPath));
}

TEST_F(DingTalkServerTest, ADripSendsTheHeadersAndThenByteAfterByte) {
  Inject("drip");
  std::string received;
  int status = 0;
  const auto result = client_->Get(
      kTaskPath,
      [&status](const httplib::Response& response) {
        status = response.status;
        return true;
      },
      [&received](const char* data, size_t size) {
        received.append(data, size);
        return false;
      });

  EXPECT_FALSE(result);
  EXPECT_EQ(status, 200);
  EXPECT_EQ(received, "{");
}

TEST_F(DingTalkServerTest, ADripEndsWhenTheServerStops) {
  Inject("drip");
  const auto result = client_->Get(kTaskPath, [this](const char*, size_t) {
    server_->Stop();
    return true;
  });

  EXPECT_FALSE(result);
}

TEST_F(DingTalkServerTest, AHugeBodyComesWithoutALength) {
  Fault fault = CannedFault("huge").value();
  fault.huge_bytes = 100'000;
  server_->WithModel([&](DingTalkModel& model, absl::Time) { model.InjectFault(fault); });
  const auto result = client_->Get(kTaskPath);

  ASSERT_TRUE(result);
  EXPECT_EQ(result->body.size(), 100'000u);
  EXPECT_FALSE(result->has_header("Content-Length"));
}

TEST_F(DingTalkServerTest, AHugeBodyEndsWhenTheClientGoes) {
  Fault fault = CannedFault("huge").value();
  fault.huge_bytes = size_t{1} << 40;
  server_->WithModel([&](DingTalkModel& model, absl::Time) { model.InjectFault(fault); });
  const auto result = client_->Get(kTaskPath, [](const char*, size_t) { return false; });

  EXPECT_FALSE(result);
  EXPECT_TRUE(NewClient()->Get(kTaskPath)) << "it goes on";
}

// The control endpoint.

TEST_F(DingTalkServerTest, ControlInjectsAndClearsFaults) {
  const auto injected = client_->Post(
      "/control/faults",
      R"([{"api":"task_info","code":"systemError","count":-1,"headers":{"Retry-After":"3"}},{"kind":"html_502"}])",
      kJson);
  const auto struck = client_->Get(kTaskPath);
  const auto cleared = client_->Delete("/control/faults");

  ASSERT_EQ(injected->status, 200) << injected->body;
  EXPECT_EQ(struck->status, 500);
  EXPECT_EQ(struck->get_header_value("Retry-After"), "3");
  EXPECT_THAT(struck->body, HasSubstr("\"systemError\""));
  EXPECT_EQ(cleared->status, 200);
  EXPECT_EQ(client_->Get(kTaskPath)->status, 200);
}

TEST_F(DingTalkServerTest, ControlRedirects) {
  client_->Post("/control/faults", R"({"kind":"redirect","headers":{"Location":"http://127.0.0.1:1/x"}})", kJson);
  const auto result = client_->Get(kTaskPath);

  EXPECT_EQ(result->status, 302);
  EXPECT_EQ(result->get_header_value("Location"), "http://127.0.0.1:1/x");
}

TEST_F(DingTalkServerTest, ControlCreatesTasks) {
  const auto created =
      client_->Post("/control/tasks",
                    R"({"task_id":"t1","waiting_ms":0,"running_ms":0,"items":9,"outcome":2,"failed_items":4})", kJson);

  ASSERT_EQ(created->status, 200) << created->body;
  EXPECT_EQ(client_->Get("/v2.0/doc/task/info/t1")->body,
            R"({"taskId":"t1","status":2,"totalCount":9,"succCount":5,"failCount":4})");
}

TEST_F(DingTalkServerTest, ControlHidesANewTaskAndTellsStaleStates) {
  client_->Post("/control/tasks", R"({"task_id":"hidden","hidden_ms":3600000})", kJson);
  client_->Post("/control/tasks", R"({"task_id":"t1"})", kJson);
  client_->Post("/control/faults", R"({"kind":"stale","age_ms":3600000})", kJson);

  EXPECT_EQ(client_->Get("/v2.0/doc/task/info/t1")->status, 404);
  EXPECT_EQ(client_->Get("/v2.0/doc/task/info/t1")->status, 200);
  EXPECT_EQ(client_->Get("/v2.0/doc/task/info/hidden")->status, 404);
}

TEST_F(DingTalkServerTest, ControlExpiresAndAcceptsTokens) {
  client_->Post("/control/expire_tokens");
  EXPECT_EQ(client_->Get(kTaskPath)->status, 400);
  client_->Post("/control/tokens", R"({"token":"token"})", kJson);
  EXPECT_EQ(client_->Get(kTaskPath)->status, 200);
}

TEST_F(DingTalkServerTest, ControlTellsWhatWasAskedAndForgetsIt) {
  client_->Get(kTaskPath);
  const auto calls = Calls();
  client_->Delete("/control/calls");

  EXPECT_EQ(calls.at("counts").at("task_info"), 1);
  EXPECT_EQ(calls.at("counts").at("other"), 0) << "control calls are not DingTalk's";
  EXPECT_EQ(calls.at("monthly_calls_used"), 1);
  EXPECT_EQ(calls.at("calls").at(0).at("task_id"), "abcd");
  EXPECT_EQ(calls.at("calls").at(0).at("http_status"), 200);
  EXPECT_GE(calls.at("calls").at(0).at("at_ms").get<int64_t>(), 0);
  EXPECT_EQ(Calls().at("counts").at("task_info"), 0);
}

TEST_F(DingTalkServerTest, ControlSaysWhatIsWrong) {
  const auto error = [this](const char* path, const char* body) {
    const auto result = client_->Post(path, body, kJson);
    EXPECT_EQ(result->status, 400);
    return nlohmann::json::parse(result->body).at("error").get<std::string>();
  };

  EXPECT_EQ(error("/control/faults", "{"), "not JSON");
  EXPECT_EQ(error("/control/faults", "1"), "expected an object");
  EXPECT_EQ(error("/control/faults", R"({"knd":"hang"})"), "there is no key \"knd\"");
  EXPECT_EQ(error("/control/faults", R"({"kind":"x"})"), "no fault is called \"x\"");
  EXPECT_EQ(error("/control/faults", R"({"api":"x"})"), "no api is called \"x\"");
  EXPECT_EQ(error("/control/faults", R"({"headers":[]})"), "\"headers\" must be an object of strings");
  EXPECT_EQ(error("/control/faults", R"({"http_status":99})"),
            "\"http_status\" must be a whole number from 200 to 599");
  EXPECT_EQ(error("/control/tasks", "{}"), "\"task_id\" is missing");
  EXPECT_EQ(error("/control/tasks", R"({"task_id":"t","shape":"x"})"), "no shape is called \"x\"");
  EXPECT_EQ(error("/control/tokens", R"({"token":1})"), "\"token\" must be a string");
  EXPECT_EQ(client_->Get("/control/nothing")->status, 404);
}

}  // namespace
}  // namespace taskwatch::standin
