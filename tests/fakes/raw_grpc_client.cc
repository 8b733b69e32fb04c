#include "tests/fakes/raw_grpc_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "tests/patience/patience.h"

namespace taskwatch {
namespace {

// Of RFC 9113.
constexpr uint8_t kData = 0;
constexpr uint8_t kHeaders = 1;
constexpr uint8_t kResetStream = 3;
constexpr uint8_t kSettings = 4;
constexpr uint8_t kPing = 6;
constexpr uint8_t kAck = 1;
constexpr uint8_t kEndStream = 1;
constexpr uint8_t kEndHeaders = 4;
constexpr uint16_t kHeaderTableSize = 1;
constexpr uint16_t kInitialWindowSize = 4;
// Of gRPC: binary headers come as they are, not in base64.
constexpr uint16_t kAllowTrueBinaryMetadata = 0xfe03;
constexpr size_t kFrameHeaderSize = 9;

// `value` in network order.
std::string BigEndian(uint32_t value, int bytes) {
  std::string text;
  while (bytes-- > 0) text.push_back(static_cast<char>(value >> (8 * bytes)));
  return text;
}

uint32_t Number(absl::string_view bytes) {
  uint32_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<uint8_t>(byte);
  return value;
}

std::string Frame(uint8_t type, uint8_t flags, uint32_t stream, absl::string_view payload) {
  return absl::StrCat(BigEndian(static_cast<uint32_t>(payload.size()), 3), BigEndian(type, 1), BigEndian(flags, 1),
                      BigEndian(stream, 4), payload);
}

std::string Setting(uint16_t id, uint32_t value) { return BigEndian(id, 2) + BigEndian(value, 4); }

// Of HPACK the simplest form: no table, no compression. Both texts are shorter than 127 bytes.
std::string Header(absl::string_view name, absl::string_view value) {
  return absl::StrCat(BigEndian(0, 1), BigEndian(static_cast<uint32_t>(name.size()), 1), name,
                      BigEndian(static_cast<uint32_t>(value.size()), 1), value);
}

}  // namespace

RawGrpcClient::RawGrpcClient(const std::string& address) {
  const size_t colon = address.rfind(':');
  sockaddr_in peer = {};
  peer.sin_family = AF_INET;
  int port = 0;
  if (!absl::SimpleAtoi(address.substr(colon + 1), &port)) std::abort();
  peer.sin_port = htons(static_cast<uint16_t>(port));
  if (inet_pton(AF_INET, address.substr(0, colon).c_str(), &peer.sin_addr) != 1) std::abort();
  socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(socket_, reinterpret_cast<sockaddr*>(&peer), sizeof(peer)) != 0) std::abort();
  {
    absl::MutexLock lock(&sending_);
    Send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    // Without a table, headers come as they are.
    Send(Frame(kSettings, 0, 0,
               Setting(kInitialWindowSize, 0) + Setting(kHeaderTableSize, 0) + Setting(kAllowTrueBinaryMetadata, 1)));
  }
  reader_ = std::thread([this] { Read(); });
}

RawGrpcClient::~RawGrpcClient() {
  shutdown(socket_, SHUT_RDWR);
  reader_.join();
  close(socket_);
}

void RawGrpcClient::Call(absl::string_view method, absl::string_view request) {
  absl::MutexLock lock(&sending_);
  const uint32_t stream = OpenStream(method);
  // A message begins with a flag, not compressed, and its length.
  Send(Frame(kData, kEndStream, stream,
             absl::StrCat(BigEndian(0, 1), BigEndian(static_cast<uint32_t>(request.size()), 4), request)));
}

void RawGrpcClient::CallWithoutRequest(absl::string_view method) {
  absl::MutexLock lock(&sending_);
  OpenStream(method);
}

uint32_t RawGrpcClient::OpenStream(absl::string_view method) {
  const uint32_t stream = next_stream_;
  next_stream_ += 2;
  {
    absl::MutexLock lock(&mutex_);
    streams_[stream] = {};
  }
  Send(Frame(kHeaders, kEndHeaders, stream,
             absl::StrCat(Header(":method", "POST"), Header(":scheme", "http"), Header(":path", method),
                          Header(":authority", "localhost"), Header("te", "trailers"),
                          Header("content-type", "application/grpc"))));
  return stream;
}

void RawGrpcClient::AwaitEnds(size_t count) {
  const auto reached = [this, count]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return ended_ >= count; };
  const Witness so_far([this] { return absl::StrCat(ended(), " calls of the raw client have ended"); });
  Await(mutex_, absl::Condition(&reached), absl::StrCat("the end of ", count, " calls"));
}

size_t RawGrpcClient::ended() const {
  absl::MutexLock lock(&mutex_);
  return ended_;
}

size_t RawGrpcClient::EndedWith(absl::string_view text) const {
  absl::MutexLock lock(&mutex_);
  size_t count = 0;
  for (const auto& [id, stream] : streams_) {
    if (stream.ended && stream.headers.find(std::string(text)) != std::string::npos) ++count;
  }
  return count;
}

void RawGrpcClient::Send(absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes.remove_prefix(sent);
  }
}

bool RawGrpcClient::Receive(size_t size, std::string* bytes) {
  bytes->resize(size);
  return size == 0 || recv(socket_, bytes->data(), size, MSG_WAITALL) == static_cast<ssize_t>(size);
}

void RawGrpcClient::Read() {
  std::string head;
  std::string payload;
  while (Receive(kFrameHeaderSize, &head)) {
    if (!Receive(Number(head.substr(0, 3)), &payload)) return;
    OnFrame(static_cast<uint8_t>(head[3]), static_cast<uint8_t>(head[4]), Number(head.substr(5)), payload);
  }
}

void RawGrpcClient::OnFrame(uint8_t type, uint8_t flags, uint32_t stream, const std::string& payload) {
  if (type == kSettings || type == kPing) {
    absl::MutexLock lock(&sending_);
    if ((flags & kAck) == 0) Send(Frame(type, kAck, 0, type == kPing ? payload : ""));
    return;
  }
  absl::MutexLock lock(&mutex_);
  const auto found = streams_.find(stream);
  if (found == streams_.end()) return;
  if (type == kHeaders) found->second.headers += payload;
  const bool ends = type == kResetStream || ((type == kHeaders || type == kData) && (flags & kEndStream) != 0);
  if (!ends || found->second.ended) return;
  found->second.ended = true;
  ++ended_;
}

}  // namespace taskwatch
