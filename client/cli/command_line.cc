#include "client/cli/command_line.h"

#include <algorithm>
#include <cstdlib>
#include <map>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "flags/usage_error.h"

#include "client/cli/console.h"
#include "client/internal/server_address.h"

ABSL_FLAG(std::string, server, "", "where Taskwatch is");
ABSL_FLAG(bool, tls, false, "speak TLS");
ABSL_FLAG(std::string, tls_ca_file, "", "authorities to trust");
ABSL_FLAG(std::string, tls_cert_file, "", "certificate to show");
ABSL_FLAG(std::string, tls_key_file, "", "its key");
ABSL_FLAG(std::string, tls_server_name, "", "the name in the server's certificate");
ABSL_FLAG(std::string, token_file, "", "the caller's token");
ABSL_FLAG(std::string, output, "text", "text or json");
ABSL_FLAG(absl::Duration, deadline, absl::InfiniteDuration(), "for the whole command");
ABSL_FLAG(absl::Duration, timeout, absl::InfiniteDuration(), "of wait");

namespace taskwatch::client {
namespace {

constexpr char kDefaultServer[] = "127.0.0.1:50051";
constexpr size_t kMaxTaskIdLength = 128;

constexpr char kHelp[] =
    R"(taskwatch tells how DingTalk document tasks are doing, and waits for their end.

usage: taskwatch COMMAND [TASK_ID]... [--flag=value]...

Commands:
  get ID...     shows the state of each task once
  watch ID...   shows every change of each task until all are done; goes on through restarts of the service
  wait ID...    waits until all tasks are done, and shows how they ended
  health        tells whether the service is serving

A TASK_ID is the taskId that DingTalk returned when the task was created.

Flags:
  --server=HOST:PORT       where Taskwatch is (default: the environment's TASKWATCH_SERVER, or 127.0.0.1:50051);
                           reached through the proxy that http_proxy names, as gRPC does, unless it is this machine
  --output=text|json       json: stdout holds one JSON object a line and nothing else (default: text)
  --deadline=DURATION      give up when this has passed, like 90s or 10m (default: inf)
  --timeout=DURATION       of wait: how long to wait for the tasks (default: inf)
  --tls                    speak TLS; the files and names below imply it
  --tls_ca_file=FILE       PEM file of the authorities to trust, instead of the system's
  --tls_cert_file=FILE     PEM file of the certificate to show to the service
  --tls_key_file=FILE      PEM file of its key
  --tls_server_name=NAME   the name that the service's certificate has, if not HOST
  --token_file=FILE        file with a token, sent as `authorization: Bearer TOKEN` and read again for each call;
                           with TLS, or to a loopback address or Unix socket only
  --help                   this text

On a terminal, watch draws a live line for each task, in colours unless NO_COLOR is set. Elsewhere it prints one line
for each change. Errors go to stderr, one line each. After Ctrl-C, wait tells what is known there; a second one ends it
at once.

Exit codes:
  0    all tasks succeeded (get: all were shown; health: the service is serving)
  1    a task failed, or a part of it
  2    the command line is wrong
  3    the service could not be reached, or refused
  4    the time was up before all tasks were done; the command that resumes is shown
  5    there is no such task
  6    the output could not be written
  130  Ctrl-C
)";

const std::map<std::string, Command::Name>& Names() {
  static const auto* const names = new std::map<std::string, Command::Name>{{"get", Command::Name::kGet},
                                                                            {"watch", Command::Name::kWatch},
                                                                            {"wait", Command::Name::kWait},
                                                                            {"health", Command::Name::kHealth}};
  return *names;
}

absl::Status Wrong(absl::string_view problem) { return absl::InvalidArgumentError(problem); }

bool IsTaskId(const std::string& text) {
  return !text.empty() && text.size() <= kMaxTaskIdLength &&
         std::all_of(text.begin(), text.end(), [](char c) { return absl::ascii_isalnum(c) || c == '_' || c == '-'; });
}

absl::Status ReadTaskIds(const std::vector<std::string>& arguments, Command& command) {
  if (command.name == Command::Name::kHealth) {
    return arguments.size() == 1 ? absl::OkStatus() : Wrong("health takes no task ids; leave them out");
  }
  for (auto id = arguments.begin() + 1; id != arguments.end(); ++id) {
    if (!IsTaskId(*id)) {
      return Wrong(absl::StrCat("'", absl::CHexEscape(*id), "' is not a task id; one has 1 to ", kMaxTaskIdLength,
                                " of the characters A-Z a-z 0-9 _ -, as DingTalk's taskId does"));
    }
    if (std::find(command.task_ids.begin(), command.task_ids.end(), *id) == command.task_ids.end()) {
      command.task_ids.push_back(*id);
    }
  }
  if (command.task_ids.empty()) {
    return Wrong(absl::StrCat("which task? Give its id, like: taskwatch ", arguments[0], " TASK_ID"));
  }
  return absl::OkStatus();
}

bool NeedsQuotes(const std::string& argument) {
  return argument.empty() || !std::all_of(argument.begin(), argument.end(), [](char c) {
           return absl::ascii_isalnum(c) || absl::StrContains("_-=./:,@%+", absl::string_view(&c, 1));
         });
}

}  // namespace

std::vector<std::string> ParseFlags(int argc, char** argv) {
  for (int i = 1; i < argc && absl::string_view(argv[i]) != "--"; ++i) {
    const absl::string_view argument = argv[i];
    if (argument != "--help" && argument != "-help" && argument != "-h") continue;
    Console(/*json=*/false).Write(kHelp);
    std::exit(0);
  }
  const std::vector<char*> rest = ParseCommandLine("taskwatch: ", argc, argv);
  return std::vector<std::string>(rest.begin() + 1, rest.end());
}

absl::StatusOr<Command> CommandFrom(const std::vector<std::string>& arguments) {
  Command command;
  if (arguments.empty()) return Wrong("which command? One of get, watch, wait, health; see taskwatch --help");
  const auto name = Names().find(arguments[0]);
  if (name == Names().end()) {
    return Wrong(absl::StrCat("'", absl::CHexEscape(arguments[0]),
                              "' is not a command; use get, watch, wait or health, see taskwatch --help"));
  }
  command.name = name->second;
  if (absl::Status status = ReadTaskIds(arguments, command); !status.ok()) return status;

  command.channel.server = absl::GetFlag(FLAGS_server);
  if (command.channel.server.empty()) {
    const char* const server = std::getenv("TASKWATCH_SERVER");
    command.channel.server = server == nullptr || *server == '\0' ? kDefaultServer : server;
  }
  const absl::StatusOr<Reach> reach = ReachOf(command.channel.server);
  if (!reach.ok()) return Wrong(absl::StrCat("--server: ", reach.status().message()));
  command.channel.tls_ca_file = absl::GetFlag(FLAGS_tls_ca_file);
  command.channel.tls_cert_file = absl::GetFlag(FLAGS_tls_cert_file);
  command.channel.tls_key_file = absl::GetFlag(FLAGS_tls_key_file);
  command.channel.tls_server_name = absl::GetFlag(FLAGS_tls_server_name);
  command.channel.tls = absl::GetFlag(FLAGS_tls) || !command.channel.tls_ca_file.empty() ||
                        !command.channel.tls_cert_file.empty() || !command.channel.tls_key_file.empty() ||
                        !command.channel.tls_server_name.empty();
  command.token_file = absl::GetFlag(FLAGS_token_file);
  if (!command.token_file.empty() && !command.channel.tls && *reach == Reach::kElsewhere) {
    return Wrong("--token_file would send the token unencrypted to another machine; use --tls");
  }

  const std::string output = absl::GetFlag(FLAGS_output);
  if (output != "text" && output != "json") return Wrong("--output must be text or json");
  command.json = output == "json";
  command.deadline = absl::GetFlag(FLAGS_deadline);
  if (command.deadline <= absl::ZeroDuration()) return Wrong("--deadline must be more than 0, like 90s or 10m");
  command.timeout = absl::GetFlag(FLAGS_timeout);
  if (command.timeout < absl::ZeroDuration()) return Wrong("--timeout must not be negative; give one like 90s or 10m");
  if (command.timeout != absl::InfiniteDuration() && command.name != Command::Name::kWait) {
    return Wrong("--timeout is for wait; use --deadline");
  }
  return command;
}

std::string ResumeCommand(const std::vector<std::string>& arguments, const std::vector<std::string>& done) {
  std::string command = "taskwatch";
  for (const std::string& argument : arguments) {
    if (std::find(done.begin(), done.end(), argument) != done.end()) continue;
    absl::StrAppend(
        &command, " ",
        NeedsQuotes(argument) ? absl::StrCat("'", absl::StrReplaceAll(argument, {{"'", "'\\''"}}), "'") : argument);
  }
  return command;
}

}  // namespace taskwatch::client
