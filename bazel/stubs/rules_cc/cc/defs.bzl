"""The native C++ rules under their usual names.

Debian's `bazel-rules-cc` needs a newer Bazel than Debian's own; in this Bazel the rules are built in.
"""

cc_binary = native.cc_binary
cc_import = native.cc_import
cc_library = native.cc_library
cc_proto_library = native.cc_proto_library
cc_test = native.cc_test
cc_toolchain = native.cc_toolchain
cc_toolchain_suite = native.cc_toolchain_suite
