// An HTTP/1.1 server for tests that does to an answer whatever its Transport says, down to the TCP reset.
#ifndef TASKWATCH_TESTS_DINGTALK_STANDIN_HTTP_SERVER_H_
#define TASKWATCH_TESTS_DINGTALK_STANDIN_HTTP_SERVER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

#include "tests/dingtalk_standin/http_message.h"

namespace taskwatch::standin {

// cpp-httplib parses requests and writes answers; the connections are this class's own, because httplib neither resets
// one nor notices that a client has gone, and waits for idle ones when it stops. Takes what clients send: bodies with a
// length or in chunks, none at all, keep-alive, paths of any form. Answers are never compressed.
class HttpServer {
 public:
  struct Options {
    // An address or a name to listen on.
    std::string host = "127.0.0.1";
    // 0: a free one.
    int port = 0;
    // PEM files; both or none. Set: TLS.
    std::string tls_cert_file;
    std::string tls_key_file;
    // An open connection occupies one, busy or not.
    int threads = 128;
  };

  // Called on any thread, several at a time.
  using Handler = std::function<Answer(const Request&)>;

  // Listens when it returns. InvalidArgument for TLS files that do not serve, Unavailable if the port cannot be had.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const Options& options, Handler handler);

  virtual ~HttpServer() = default;

  // Ends every connection, also those that hang or drip, and returns when no handler runs any more. May be called
  // again. The destructor calls it.
  virtual void Stop() = 0;

  virtual int port() const = 0;
};

}  // namespace taskwatch::standin

#endif  // TASKWATCH_TESTS_DINGTALK_STANDIN_HTTP_SERVER_H_
