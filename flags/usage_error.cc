#include "flags/usage_error.h"

#include <unistd.h>

#include <cstdio>

#include "absl/base/config.h"
#include "absl/strings/string_view.h"

// Abseil calls this after it has said on stderr what is wrong.
extern "C" void ABSL_INTERNAL_C_SYMBOL(AbslInternalReportFatalUsageError)(absl::string_view) {
  std::fflush(nullptr);
  _exit(taskwatch::kUsageErrorExitCode);
}
