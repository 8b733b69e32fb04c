"""What scripts/check_includes.py finds in a small tree."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = os.path.abspath("scripts/check_includes.py")

HEADER = '#include "absl/time/time.h"\n'
SOURCE = '#include "service/task/task_info.h"\n\n#include <string>\n\n#include "absl/strings/str_cat.h"\n'
TIME = "@com_google_absl//absl/time:time"
STRINGS = "@com_google_absl//absl/strings:strings"


def rule(label, srcs, hdrs=(), deps=(), copts=("-std=c++17",)):
    """A cc_library as `bazel query --output=xml` tells it; files are named as in BUILD files."""
    package = label.partition(":")[0]

    def labels(name, values):
        return '<list name="{}">{}</list>'.format(name, "".join('<label value="{}"/>'.format(v) for v in values))

    return '<rule class="cc_library" name="{}">{}{}{}<list name="copts">{}</list></rule>'.format(
        label,
        labels("srcs", ["{}:{}".format(package, file) for file in srcs]),
        labels("hdrs", ["{}:{}".format(package, file) for file in hdrs]),
        labels("deps", deps),
        "".join('<string value="{}"/>'.format(copt) for copt in copts),
    )


class CheckIncludesTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.write("service/task/task_info.h", HEADER)
        self.write("service/task/task_info.cc", SOURCE)

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def check(self, *rules):
        """The exit code and the lines about what is wrong."""
        process = subprocess.run(
            [sys.executable, SCRIPT],
            input='<query version="2">{}</query>'.format("".join(rules)),
            cwd=self.root,
            stdout=subprocess.PIPE,
            text=True,
        )
        return process.returncode, process.stdout.splitlines()[:-1]

    @staticmethod
    def task_info(deps=(STRINGS, TIME), **attributes):
        return rule("//service/task:task_info", ["task_info.cc"], ["task_info.h"], deps, **attributes)

    def test_passes_what_is_right(self):
        self.assertEqual(self.check(self.task_info()), (0, []))

    def test_finds_nothing_in_nothing_and_says_so(self):
        self.assertEqual(self.check()[0], 1)

    def test_finds_an_include_without_a_dep(self):
        code, lines = self.check(self.task_info(deps=[STRINGS]))
        self.assertEqual(code, 1)
        self.assertEqual(
            lines,
            [
                "service/task/task_info.h: absl/time/time.h is in {}, which //service/task:task_info does not name".format(
                    TIME
                )
            ],
        )

    def test_finds_a_dep_without_an_include(self):
        code, lines = self.check(self.task_info(deps=[STRINGS, TIME, "@sqlite3//:sqlite3"]))
        self.assertEqual(code, 1)
        self.assertEqual(lines, ["//service/task:task_info: includes nothing of @sqlite3//:sqlite3"])

    def test_finds_a_header_that_belongs_to_no_target(self):
        self.write("service/task/task_info.h", HEADER + '#include "service/task/lost.h"\n')
        code, lines = self.check(self.task_info())
        self.assertEqual(code, 1)
        self.assertEqual(lines, ["service/task/task_info.h: service/task/lost.h belongs to no target"])

    def test_finds_a_source_that_includes_its_own_header_late(self):
        self.write("service/task/task_info.cc", '#include <string>\n' + SOURCE)
        code, lines = self.check(self.task_info())
        self.assertEqual(code, 1)
        self.assertEqual(lines, ["service/task/task_info.cc: does not include its own header first"])

    def test_finds_an_include_of_a_room_above(self):
        self.write("service/rpc/get_call.h", "")
        self.write("service/task/task_info.h", HEADER + '#include "service/rpc/get_call.h"\n')
        code, lines = self.check(
            self.task_info(deps=[STRINGS, TIME, "//service/rpc:get_call"]),
            rule("//service/rpc:get_call", [], ["get_call.h"]),
        )
        self.assertEqual(code, 1)
        self.assertEqual(lines, ["service/task/task_info.h: service/rpc/get_call.h is in a room above"])

    def test_finds_a_room_that_nobody_knows(self):
        self.write("service/attic/old.h", "")
        code, lines = self.check(self.task_info())
        self.assertEqual(code, 1)
        self.assertEqual(
            lines, ["service/attic/old.h: the room attic is not among the rooms in scripts/check_includes.py"]
        )

    def test_finds_a_room_that_is_too_large(self):
        self.write("service/task/long.h", "\n" * 2000)
        code, lines = self.check(self.task_info())
        self.assertEqual(code, 1)
        self.assertEqual(lines, ["service/task: has 2006 lines, and a room may have 2000"])

    def test_finds_a_target_that_does_not_say_that_it_is_cxx17(self):
        code, lines = self.check(self.task_info(copts=[]))
        self.assertEqual(code, 1)
        self.assertEqual(lines, ["//service/task:task_info: load its rule from //bazel:cc.bzl"])


if __name__ == "__main__":
    unittest.main()
