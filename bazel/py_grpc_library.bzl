"""Python code generation for protos and gRPC services, against Debian's python3-protobuf and python3-grpcio."""

load("@rules_proto//proto:defs.bzl", "ProtoInfo")
load("//bazel:import_path.bzl", "generated_root", "import_path")

def _generate_python_impl(ctx):
    root = generated_root(ctx)
    outputs = []
    for target in ctx.attr.protos:
        info = target[ProtoInfo]
        paths = [import_path(proto, info) for proto in info.direct_sources]
        stems = [path[:-len(".proto")] for path in paths]
        modules = [
            ctx.actions.declare_file("{}/{}{}".format(ctx.label.name, stem, suffix))
            for stem in stems
            for suffix in ["_pb2.py", "_pb2_grpc.py"]
        ]
        args = ctx.actions.args()
        args.add(ctx.executable._plugin, format = "--plugin=protoc-gen-grpc_python=%s")
        args.add("--python_out=" + root)
        args.add("--grpc_python_out=" + root)
        args.add_all(info.transitive_proto_path, format_each = "-I%s")
        args.add_all(paths)
        ctx.actions.run(
            executable = ctx.executable._protoc,
            arguments = [args],
            inputs = info.transitive_sources,
            tools = [ctx.executable._plugin],
            outputs = modules,
            mnemonic = "PythonGenerate",
            progress_message = "Generating Python code for {}".format(target.label),
        )
        outputs += modules
    return [DefaultInfo(files = depset(outputs))]

_generate_python = rule(
    implementation = _generate_python_impl,
    attrs = {
        "protos": attr.label_list(mandatory = True, providers = [ProtoInfo]),
        "_plugin": attr.label(default = "@com_github_grpc_grpc//:grpc_python_plugin", executable = True, cfg = "exec", allow_single_file = True),
        "_protoc": attr.label(default = "@com_google_protobuf//:protoc", executable = True, cfg = "exec", allow_single_file = True),
    },
)

def py_grpc_library(name, protos, testonly = False, visibility = None):
    """Messages and stubs of the protos and services in some proto_librarys.

    Who depends on it sets `legacy_create_init = False`, as google.rpc is to be found beside Debian's google.protobuf.

    Args:
      name: the py_library.
      protos: the proto_librarys; what they import, other than google/protobuf, must be among them.
      testonly: as everywhere.
      visibility: as everywhere.
    """
    generated = name + "_generated"
    _generate_python(name = generated, protos = protos, testonly = testonly, visibility = ["//visibility:private"])
    native.py_library(
        name = name,
        testonly = testonly,
        srcs = [generated],
        imports = [generated],
        srcs_version = "PY3",
        visibility = visibility,
    )
