#include "tests/dingtalk_standin/http_server.h"

#include <httplib.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

#include "tests/dingtalk_standin/connection.h"

namespace taskwatch::standin {
namespace {

constexpr absl::Duration kIdleTimeout = absl::Seconds(60);
constexpr size_t kMaxRequestBody = size_t{1} << 20;

// The only route: what matters is the path as it was sent, and httplib matches the decoded one.
constexpr char kEveryPath[] = "/";

// The sockets that are open, so that they can be ended from outside. Its lock is the standard library's because TSan
// sees nothing of those in a prebuilt Abseil.
class OpenSockets {
 public:
  // False if all are to end.
  bool Add(int socket) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!ending_) sockets_.insert(socket);
    return !ending_;
  }

  // To be called before the socket is closed: its number may then belong to somebody else.
  void Remove(int socket) {
    const std::lock_guard<std::mutex> lock(mutex_);
    sockets_.erase(socket);
  }

  void EndAll() {
    const std::lock_guard<std::mutex> lock(mutex_);
    ending_ = true;
    for (const int socket : sockets_) shutdown(socket, SHUT_RDWR);
  }

 private:
  std::mutex mutex_;
  // Guarded by mutex_, both.
  bool ending_ = false;
  std::set<int> sockets_;
};

// The connection that this thread serves. httplib's handlers are not told, but run on the thread that called
// process_request.
thread_local Connection* current_connection = nullptr;

Request FromHttplib(const httplib::Request& from) {
  Request request;
  request.method = from.method;
  request.path = from.target;
  request.headers.assign(from.headers.begin(), from.headers.end());
  request.body = from.body;
  return request;
}

void Drip(Connection& connection, std::string body, const std::string& content_type, httplib::Response& to) {
  const size_t size = body.size();
  to.set_content_provider(size, content_type,
                          [&connection, body = std::move(body)](size_t offset, size_t, httplib::DataSink& sink) {
                            if (offset > 0 && connection.AwaitDeparture(absl::Seconds(1))) return false;
                            return sink.write(&body[offset], 1);
                          });
}

void SendSpaces(size_t total, const std::string& content_type, httplib::Response& to) {
  to.set_chunked_content_provider(content_type, [total](size_t offset, httplib::DataSink& sink) {
    const std::string piece(std::min(total - offset, size_t{1} << 16), ' ');
    if (!piece.empty() && !sink.write(piece.data(), piece.size())) return false;
    if (offset + piece.size() == total) sink.done();
    return true;
  });
}

void ToHttplib(Answer answer, Connection& connection, httplib::Response& to) {
  if (answer.delay > absl::ZeroDuration() && connection.AwaitDeparture(answer.delay)) return connection.Mute();
  to.status = answer.status;
  std::string content_type;
  for (const auto& [name, value] : answer.headers) {
    if (absl::EqualsIgnoreCase(name, "content-type")) {
      content_type = value;
    } else {
      to.set_header(name, value);
    }
  }
  switch (answer.transport) {
    case Transport::kNormal:
      return to.set_content(answer.body, content_type);
    case Transport::kHang:
      connection.AwaitDeparture(absl::InfiniteDuration());
      return connection.Mute();
    case Transport::kDrip:
      if (answer.body.empty()) return to.set_content("", content_type);
      return Drip(connection, std::move(answer.body), content_type, to);
    case Transport::kClose:
      return connection.Mute();
    case Transport::kReset:
      return connection.Abort();
    case Transport::kHuge:
      return SendSpaces(answer.huge_bytes, content_type, to);
  }
}

// Makes httplib take requests as they come.
void Prepare(httplib::Request& request) {
  request.path = kEveryPath;
  // Without either, a request has no body (RFC 9112); httplib would wait for one until the client closes.
  if (!request.has_header("Content-Length") && !request.has_header("Transfer-Encoding")) {
    request.set_header("Content-Length", "0");
  }
  request.headers.erase("Accept-Encoding");
  request.ranges.clear();
}

class HttplibServer final : public HttpServer, private httplib::Server {
 public:
  HttplibServer(std::unique_ptr<SSL_CTX, SslDeleter> tls, HttpServer::Handler handler)
      : tls_(std::move(tls)), handler_(std::move(handler)) {}
  ~HttplibServer() override { Stop(); }

  absl::Status Listen(const HttpServer::Options& options) {
    const auto serve = [this](const httplib::Request& request, httplib::Response& response) {
      ToHttplib(handler_(FromHttplib(request)), *current_connection, response);
    };
    Get(kEveryPath, serve);
    Post(kEveryPath, serve);
    Put(kEveryPath, serve);
    Patch(kEveryPath, serve);
    Delete(kEveryPath, serve);
    httplib::Server::Options(kEveryPath, serve);
    set_keep_alive_max_count(1'000'000);
    set_keep_alive_timeout(absl::ToInt64Seconds(kIdleTimeout));
    set_payload_max_length(kMaxRequestBody);
    set_tcp_nodelay(true);
    // Without httplib's SO_REUSEPORT, under which two servers would share one port unnoticed.
    set_socket_options([](socket_t socket) {
      const int yes = 1;
      setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    });

    port_ = options.port;
    if (options.port == 0) port_ = bind_to_any_port(options.host);
    if (port_ <= 0 || (options.port != 0 && !bind_to_port(options.host, options.port))) {
      return absl::UnavailableError(absl::StrCat("cannot listen on ", options.host, ":", options.port));
    }
    // stop() does nothing before httplib has set itself running, which it has when it asks for its threads.
    const auto running = std::make_shared<std::promise<void>>();
    new_task_queue = [running, threads = options.threads] {
      auto* queue = new httplib::ThreadPool(threads);
      running->set_value();
      return queue;
    };
    listener_ = std::thread([this] { listen_after_bind(); });
    running->get_future().wait();
    return absl::OkStatus();
  }

  void Stop() override {
    if (!listener_.joinable()) return;
    stop();
    sockets_.EndAll();
    listener_.join();
  }

  int port() const override { return port_; }

 private:
  bool process_and_close_socket(socket_t socket) override {
    if (sockets_.Add(socket)) {
      Serve(socket);
      sockets_.Remove(socket);
    }
    close(socket);
    return true;
  }

  void Serve(int socket) {
    Connection connection(socket, tls_.get());
    if (!connection.Handshake()) return;
    current_connection = &connection;
    // httplib does not tell when it could not write.
    bool closed = false;
    while (!closed && !connection.muted() && connection.AwaitRequest(kIdleTimeout)) {
      if (!process_request(connection, false, closed, Prepare)) break;
    }
    current_connection = nullptr;
  }

  const std::unique_ptr<SSL_CTX, SslDeleter> tls_;
  const HttpServer::Handler handler_;
  OpenSockets sockets_;
  int port_ = 0;
  std::thread listener_;
};

absl::StatusOr<std::unique_ptr<SSL_CTX, SslDeleter>> LoadTls(const HttpServer::Options& options) {
  std::unique_ptr<SSL_CTX, SslDeleter> context;
  if (options.tls_cert_file.empty() && options.tls_key_file.empty()) return context;
  context.reset(SSL_CTX_new(TLS_server_method()));
  if (SSL_CTX_use_certificate_chain_file(context.get(), options.tls_cert_file.c_str()) != 1) {
    return absl::InvalidArgumentError(absl::StrCat("no PEM certificate in ", options.tls_cert_file));
  }
  if (SSL_CTX_use_PrivateKey_file(context.get(), options.tls_key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context.get()) != 1) {
    return absl::InvalidArgumentError(absl::StrCat("no PEM key of that certificate in ", options.tls_key_file));
  }
  return context;
}

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const Options& options, Handler handler) {
  absl::StatusOr<std::unique_ptr<SSL_CTX, SslDeleter>> tls = LoadTls(options);
  if (!tls.ok()) return tls.status();
  auto server = std::make_unique<HttplibServer>(*std::move(tls), std::move(handler));
  if (const absl::Status listening = server->Listen(options); !listening.ok()) return listening;
  return server;
}

}  // namespace taskwatch::standin
