"""C++ code generation for gRPC services."""

load("@rules_proto//proto:defs.bzl", "ProtoInfo")
load("//bazel:cc.bzl", "cc_library")
load("//bazel:import_path.bzl", "generated_root", "import_path")

def _generate_grpc_impl(ctx):
    info = ctx.attr.proto[ProtoInfo]
    suffixes = [".grpc.pb.h", ".grpc.pb.cc"] + (["_mock.grpc.pb.h"] if ctx.attr.mocks else [])
    outputs = []
    for proto in info.direct_sources:
        stem = import_path(proto, info)[:-len(".proto")]
        outputs += [ctx.actions.declare_file("{}/{}{}".format(ctx.label.name, stem, suffix)) for suffix in suffixes]

    args = ctx.actions.args()
    args.add(ctx.executable._plugin, format = "--plugin=protoc-gen-grpc=%s")
    args.add("--grpc_out={}{}".format(
        "generate_mock_code=true:" if ctx.attr.mocks else "",
        generated_root(ctx),
    ))
    args.add_all(info.transitive_proto_path, format_each = "-I%s")
    args.add_all([import_path(proto, info) for proto in info.direct_sources])
    ctx.actions.run(
        executable = ctx.executable._protoc,
        arguments = [args],
        inputs = info.transitive_sources,
        tools = [ctx.executable._plugin],
        outputs = outputs,
        mnemonic = "GrpcGenerate",
        progress_message = "Generating gRPC code for {}".format(ctx.attr.proto.label),
    )
    return [DefaultInfo(files = depset(outputs))]

_generate_grpc = rule(
    implementation = _generate_grpc_impl,
    attrs = {
        "mocks": attr.bool(),
        "proto": attr.label(mandatory = True, providers = [ProtoInfo]),
        "_plugin": attr.label(default = "@com_github_grpc_grpc//:grpc_cpp_plugin", executable = True, cfg = "exec", allow_single_file = True),
        "_protoc": attr.label(default = "@com_google_protobuf//:protoc", executable = True, cfg = "exec", allow_single_file = True),
    },
)

def cc_grpc_library(name, proto, cc_proto, mocks = False, testonly = False, visibility = None):
    """Stubs and services of the gRPC services in one proto_library.

    Args:
      name: the cc_library.
      proto: the proto_library with the services.
      cc_proto: its cc_proto_library.
      mocks: whether to generate gMock stubs (`*_mock.grpc.pb.h`) too.
      testonly: as everywhere.
      visibility: as everywhere.
    """
    generated = name + "_generated"
    _generate_grpc(name = generated, proto = proto, mocks = mocks, testonly = testonly, visibility = ["//visibility:private"])
    cc_library(
        name = name,
        srcs = [generated],
        hdrs = [generated],
        features = ["-layering_check"],
        includes = [generated],
        testonly = testonly,
        visibility = visibility,
        deps = [cc_proto, "@com_github_grpc_grpc//:grpc++"],
    )
