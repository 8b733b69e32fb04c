#include "tests/simulation/token_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "absl/strings/str_cat.h"

namespace taskwatch::simulation {
namespace {

// A folder of this process.
std::string TempDirectory() {
  const char* const directory = getenv("TEST_TMPDIR");
  return directory != nullptr ? directory : "/tmp";
}

}  // namespace

TokenFile::TokenFile(SimulatedLoop* loop, Journal* journal, SimulatedDingTalk* dingtalk, Random random,
                     absl::Duration token_lifetime)
    : loop_(loop),
      journal_(journal),
      dingtalk_(dingtalk),
      random_(random),
      token_lifetime_(token_lifetime),
      path_(absl::StrCat(TempDirectory(), "/simulated_token_", getpid())) {
  Write();
}

TokenFile::~TokenFile() {
  loop_->CancelTimer(timer_);
  remove(path_.c_str());
}

void TokenFile::CalmDown() {
  calm_ = true;
  loop_->CancelTimer(timer_);
  Write();
}

void TokenFile::Write() {
  const std::string token = absl::StrCat("token-of-the-file-", random_.Below(1u << 30));
  journal_->Note("token file: has a new token");
  journal_->AddSecret(token);
  dingtalk_->AddToken(token, token_lifetime_);
  const std::string draft = absl::StrCat(path_, ".draft");
  std::ofstream(draft) << token << "\n";
  // By virtual time, so that each is another file to who looks, however fast they come in real time.
  const timespec time = absl::ToTimespec(loop_->SteadyNow());
  const timespec times[] = {time, time};
  utimensat(AT_FDCWD, draft.c_str(), times, 0);
  rename(draft.c_str(), path_.c_str());
  const bool late = !calm_ && random_.Chance(0.2);
  const absl::Duration next = late ? token_lifetime_ + random_.LogBetween(absl::Milliseconds(100), absl::Minutes(1))
                                   : token_lifetime_ * random_.Unit() * 0.8 + absl::Seconds(5);
  timer_ = loop_->RunAfter(next, [this] { Write(); });
}

}  // namespace taskwatch::simulation
