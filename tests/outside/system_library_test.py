"""After an upgrade of a library of the system, the next build uses it: the same Bazel, without being told."""

import os
import subprocess
import unittest

import other_workspace

WORKSPACE = """
load("@taskwatch//bazel:system_library.bzl", "system_libraries")

system_libraries(
    name = "greeting",
    debian = "libgreeting-dev",
    packages = {"": {"greeting": ["greeting"]}},
)
"""

BUILD = """
cc_binary(
    name = "greet",
    srcs = ["greet.cc"],
    deps = ["@greeting"],
)
"""

PROGRAM = """
#include <greeting.h>
#include <cstdio>

int main() { std::printf("%s, %s %d\\n", Greeting(), GREETED, NUMBER); }
"""

PC = """
Name: greeting
Description: of the test
Version: {number}
Cflags: -I{prefix}/include -DNUMBER={number}
Libs: -L{prefix}/lib -lgreeting
"""


class SystemLibraryTest(unittest.TestCase):
    def setUp(self):
        self.workspace = other_workspace.OtherWorkspace(self)
        self.prefix = self.workspace.root.parent / "installed"
        self.workspace.environment["PKG_CONFIG_PATH"] = str(self.prefix / "lib/pkgconfig")
        self.install_module(1)
        self.install_header("world")
        self.install_library("Hello")
        with open(self.workspace.root / "WORKSPACE", "a", encoding="utf-8") as file:
            file.write(WORKSPACE)
        self.workspace.write("BUILD", BUILD)
        self.workspace.write("greet.cc", PROGRAM)

    def install_module(self, number):
        text = PC.format(prefix=self.prefix, number=number)
        self.install("lib/pkgconfig/greeting.pc", text)

    def install_header(self, greeted):
        self.install("include/greeting.h", 'const char* Greeting();\n#define GREETED "{}"\n'.format(greeted))

    def install_library(self, greeting):
        source = self.install("greeting.cc", 'const char* Greeting() {{ return "{}"; }}\n'.format(greeting))
        library = self.prefix / "lib/libgreeting.a"
        subprocess.run(["g++", "-c", source, "-o", self.prefix / "greeting.o"], check=True)
        library.unlink(missing_ok=True)
        subprocess.run(["ar", "rcs", library, self.prefix / "greeting.o"], check=True)

    def install(self, path, text):
        # As package managers do it: another file takes the place.
        self.workspace.write(self.prefix / (path + ".new"), text)
        os.rename(self.prefix / (path + ".new"), self.prefix / path)
        return self.prefix / path

    def greet(self):
        self.workspace.build("//:greet")
        return subprocess.check_output([self.workspace.program("greet")], text=True)

    def test_the_next_build_takes_in_what_was_installed(self):
        self.assertEqual(self.greet(), "Hello, world 1\n")
        self.install_library("Goodbye")
        self.assertEqual(self.greet(), "Goodbye, world 1\n")
        self.install_header("moon")
        self.assertEqual(self.greet(), "Goodbye, moon 1\n")
        self.install_module(2)
        self.assertEqual(self.greet(), "Goodbye, moon 2\n")
        # And when nothing was installed, nothing is built.
        self.assertIn("1 process: 1 internal", self.workspace.build("//:greet"))


if __name__ == "__main__":
    unittest.main()
