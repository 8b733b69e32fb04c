#include "service/dingtalk/ban_page.h"

#include <string>

#include "gtest/gtest.h"

#include "service/text/json_value.h"

namespace taskwatch {
namespace {

struct Row {
  std::string body;
  bool banned;
};

TEST(BanPage, KnowsThePunishment) {
  const Row rows[] = {
      {R"({"status":1111,"wait":5,"source":"x5","punish":"deny","uuid":"0a1b"})", true},
      {R"({"status":1111})", true},
      {R"({"status":"1111"})", true},
      {R"({"taskId":"abcd","status":1111})", true},
      {R"({"status":0,"punish":"deny"})", true},
      {R"({"taskId":"abcd","status":1,"punish":null})", false},
      {R"({"taskId":"abcd","status":1})", false},
      {"{}", false},
      {"[1111]", false},
      {"1111", false},
  };
  for (const Row& row : rows) EXPECT_EQ(IsPunishment(*ParseJson(row.body)), row.banned) << row.body;
}

TEST(BanPage, KnowsAWebPage) {
  const Row rows[] = {
      {"<!DOCTYPE html><html><body>denied</body></html>", true},
      {"\r\n  <html>", true},
      {"\xef\xbb\xbf<!doctype HTML>", true},
      {"<h1>Forbidden</h1>", true},
      {"<!-- a --><html>", true},
      {"<script>location='/punish'</script>", true},
      {R"(<?xml version="1.0"?><HTML xmlns="x">)", true},
      {R"(<?xml version="1.0"?><Error><Code>x</Code></Error>)", false},
      {R"({"message":"<html>"})", false},
      {"", false},
      {"Forbidden", false},
  };
  for (const Row& row : rows) EXPECT_EQ(IsWebPage(row.body), row.banned) << row.body;
}

}  // namespace
}  // namespace taskwatch
