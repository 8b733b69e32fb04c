#include "tests/benchmarks/task_trace.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

#include "tests/benchmarks/trace_generator.h"

namespace taskwatch {
namespace {

std::string Csv(absl::string_view lines) {
  return absl::StrCat("family,task_id,second,state,done_items,total_items\n", lines);
}

std::string ErrorOf(absl::string_view csv) {
  const absl::StatusOr<std::vector<TaskTrace>> traces = ParseTraces(csv);
  return traces.ok() ? "none" : std::string(traces.status().message());
}

TEST(ParseTraces, ReadsWhatChangedAndWhen) {
  const auto traces =
      ParseTraces(Csv("linear,a,100.5,-1,,\nlinear,b,7,0,0,3\nlinear,a,102,0,1,2\n"
                      "linear,a,104.5,2,2,2\nlinear,b,9,1,3,3\n"));
  ASSERT_TRUE(traces.ok()) << traces.status();
  ASSERT_EQ(traces->size(), 2u);
  const TaskTrace& a = (*traces)[0];
  EXPECT_EQ(a.task_id, "a");
  ASSERT_EQ(a.changes.size(), 3u);
  EXPECT_EQ(a.changes[0].upstream_status, -1);
  EXPECT_EQ(a.changes[0].done_items, std::nullopt);
  EXPECT_EQ(a.changes[1].age, absl::Seconds(1.5)) << "since its first line";
  EXPECT_EQ(a.changes[1].done_items, 1);
  EXPECT_EQ(a.changes[1].total_items, 2);
  EXPECT_EQ(a.Length(), absl::Seconds(4));
}

TEST(ParseTraces, TellsTasksApartByFamilyAndId) {
  const auto traces = ParseTraces(Csv("x,1,0,1,,\ny,1,0,1,,\n"));
  ASSERT_TRUE(traces.ok()) << traces.status();
  EXPECT_EQ(traces->size(), 2u);
}

TEST(ParseTraces, ReadsFilesOfWindowsAsWell) {
  EXPECT_EQ(ErrorOf("\xEF\xBB\xBF"
                    "family,task_id,second,state,done_items,total_items\r\nx,1,0,1,,\r\n"),
            "none");
}

TEST(ParseTraces, NamesTheLineAndWhatIsWrongWithIt) {
  EXPECT_EQ(ErrorOf(""), "line 1: the header must be \"family,task_id,second,state,done_items,total_items\"");
  EXPECT_EQ(ErrorOf(Csv("")), "there is no task in it");
  EXPECT_EQ(ErrorOf(Csv("x,1,0,0,\n")), "line 2: has 5 fields instead of 6");
  EXPECT_EQ(ErrorOf(Csv(",1,0,0,,\n")), "line 2: family is empty");
  EXPECT_EQ(ErrorOf(Csv("x,,0,0,,\n")), "line 2: task_id is empty");
  EXPECT_EQ(ErrorOf(Csv("x,1,soon,0,,\n")), "line 2: second is \"soon\"; it must be a number");
  EXPECT_EQ(ErrorOf(Csv("x,1,nan,0,,\n")), "line 2: second is \"nan\"; it must be a number");
  EXPECT_EQ(ErrorOf(Csv("x,1,1e300,0,,\n")), "line 2: second is \"1e300\"; it must be a number");
  EXPECT_EQ(ErrorOf(Csv("x,1,0,5,,\n")), "line 2: state is \"5\"; it must be -1 (waiting) to 4 (failed)");
  EXPECT_EQ(ErrorOf(Csv("x,1,0,0,1.5,\n")), "line 2: done_items is \"1.5\"; it must be a whole number or empty");
  EXPECT_EQ(ErrorOf(Csv("x,1,0,0,,many\n")), "line 2: total_items is \"many\"; it must be a whole number or empty");
  EXPECT_EQ(ErrorOf(Csv("x,1,5,0,,\nx,1,4,1,,\n")), "line 3: second 4 lies before the task's line 2");
  EXPECT_EQ(ErrorOf(Csv("x,1,0,1,,\nx,1,1,0,,\n")), "line 3: task 1 has ended in line 2");
  EXPECT_EQ(ErrorOf(Csv("x,1,0,0,,\nx,2,1,1,,\n")), "line 2: task 1 never ends (state 1 to 4)");
}

TEST(FormatTraces, WritesWhatParseTracesReads) {
  TraceOptions options;
  options.tasks_per_family = 3;
  const std::string csv = FormatTraces(GenerateTraces(options));
  const auto traces = ParseTraces(csv);
  ASSERT_TRUE(traces.ok()) << traces.status();
  EXPECT_EQ(FormatTraces(*traces), csv);
}

TEST(GenerateTraces, GivesTheSameForTheSameSeedOnly) {
  TraceOptions options;
  options.tasks_per_family = 3;
  const std::string csv = FormatTraces(GenerateTraces(options));
  EXPECT_EQ(FormatTraces(GenerateTraces(options)), csv);
  options.seed = 2;
  EXPECT_NE(FormatTraces(GenerateTraces(options)), csv);
}

TEST(GenerateTraces, KeepsToTheLengthsThatAreAskedFor) {
  TraceOptions options;
  options.tasks_per_family = 20;
  for (const TaskTrace& trace : GenerateTraces(options)) {
    EXPECT_GE(trace.Length(), absl::Seconds(2)) << trace.task_id;
    EXPECT_LE(trace.Length(), absl::Hours(2)) << trace.task_id;
  }
}

TEST(ShowsProgress, IsFalseForCountsThatComeWithTheEnd) {
  const auto traces = ParseTraces(Csv("x,1,0,0,0,9\nx,1,5,1,9,9\ny,1,0,0,0,9\ny,1,2,0,1,9\ny,1,5,1,9,9\n"));
  ASSERT_TRUE(traces.ok()) << traces.status();
  EXPECT_FALSE(ShowsProgress((*traces)[0]));
  EXPECT_TRUE(ShowsProgress((*traces)[1]));
}

}  // namespace
}  // namespace taskwatch
