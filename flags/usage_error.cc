#include "flags/usage_error.h"

#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <iostream>
#include <sstream>

#include "absl/base/config.h"
#include "absl/flags/commandlineflag.h"
#include "absl/flags/parse.h"
#include "absl/flags/reflection.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"

namespace taskwatch {
namespace {

// Set while ParseCommandLine runs: what Abseil says, and how we begin.
struct Parsing {
  std::ostringstream said;
  std::string prefix;
};
Parsing* parsing = nullptr;

// What values the flag takes, for people.
std::string WhatItTakes(const std::string& name) {
  const absl::CommandLineFlag* const flag = absl::FindCommandLineFlag(name);
  if (flag == nullptr) return "cannot be read";
  if (flag->IsOfType<absl::Duration>()) return "is not a duration; give one like 90s or 10m";
  if (flag->IsOfType<bool>()) return "is neither true nor false";
  if (flag->IsOfType<double>() || flag->IsOfType<float>()) return "is not a number";
  const bool integer = flag->IsOfType<int32_t>() || flag->IsOfType<int64_t>() || flag->IsOfType<uint32_t>() ||
                       flag->IsOfType<uint64_t>() || flag->IsOfType<int16_t>() || flag->IsOfType<uint16_t>();
  return integer ? "is not a whole number, or is out of range" : "cannot be read";
}

// The text between `before` and the next `after`; then `text` goes on after that. False if they do not follow.
bool Take(absl::string_view& text, absl::string_view before, absl::string_view after, std::string& taken) {
  absl::string_view rest = text;
  if (!absl::ConsumePrefix(&rest, before)) return false;
  const size_t end = rest.find(after);
  if (end == absl::string_view::npos) return false;
  taken = std::string(rest.substr(0, end));
  text = rest.substr(end + after.size());
  return true;
}

}  // namespace

std::string FlagError(absl::string_view abseil_error) {
  absl::string_view text = absl::StripSuffix(abseil_error, "\n");
  std::string name, value;
  if (Take(text, "Unknown command line flag '", "'", name)) {
    absl::ConsumePrefix(&text, ". Did you mean: ");
    const absl::string_view meant = absl::StripSuffix(text, " ?");
    return absl::StrCat("there is no flag --", absl::CHexEscape(name), "; ",
                        meant.empty() ? "see --help" : absl::StrCat("did you mean --", meant, "?"));
  }
  if (Take(text, "Illegal value '", "' specified for flag '", value) && Take(text, "", "'", name)) {
    return absl::StrCat("--", name, ": '", absl::CHexEscape(value), "' ", WhatItTakes(name));
  }
  if (Take(text, "Missing the value for the flag '", "'", name)) {
    return absl::StrCat("--", name, " needs a value, like --", name, "=VALUE");
  }
  if (Take(text, "Negative form with assignment is not valid for the boolean flag '", "'", name)) {
    return absl::StrCat("--no", name, " takes no value");
  }
  if (Take(text, "Negative form is not valid for the flag '", "'", name)) {
    return absl::StrCat("there is no flag --no", name, "; --", name, " takes a value");
  }
  return absl::CHexEscape(text);
}

std::vector<char*> ParseCommandLine(absl::string_view prefix, int argc, char** argv) {
  Parsing now;
  now.prefix = std::string(prefix);
  parsing = &now;
  // Abseil writes each error there before it reports that there was one.
  std::streambuf* const before = std::cerr.rdbuf(now.said.rdbuf());
  std::vector<char*> rest = absl::ParseCommandLine(argc, argv);
  std::cerr.rdbuf(before);
  parsing = nullptr;
  return rest;
}

}  // namespace taskwatch

// Abseil calls this after it has said what is wrong.
extern "C" void ABSL_INTERNAL_C_SYMBOL(AbslInternalReportFatalUsageError)(absl::string_view error) {
  using taskwatch::parsing;
  std::string prefix;
  std::string first(error);
  if (parsing != nullptr) {
    prefix = parsing->prefix;
    // There may be more; a value that is shown may have lines of its own.
    const std::string said = parsing->said.str();
    first = said.substr(0, said.find("\nERROR: "));
  }
  const std::string line = absl::StrCat(prefix, taskwatch::FlagError(absl::StripPrefix(first, "ERROR: ")), "\n");
  std::fputs(line.c_str(), stderr);
  std::fflush(nullptr);
  _exit(taskwatch::kUsageErrorExitCode);
}
