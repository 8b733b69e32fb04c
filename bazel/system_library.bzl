"""Libraries that the system's package manager installed, as Bazel repositories."""

_TARGET = """
cc_library(
    name = "{name}",
    defines = {defines},
    includes = {includes},
    linkopts = {linkopts},
    visibility = ["//visibility:public"],
)
"""

_PROGRAM = """
filegroup(
    name = "{name}",
    srcs = ["bin/{program}"],
    visibility = ["//visibility:public"],
)
"""

def _fail_missing(ctx, what):
    fail("@{}: {} is missing. Install the Debian packages `{}`, or run scripts/setup.".format(ctx.name, what, ctx.attr.debian))

def _pkg_config(ctx, options, module):
    result = ctx.execute(["pkg-config"] + options + [module])
    if result.return_code != 0:
        _fail_missing(ctx, "pkg-config's module {}".format(module))
    return [flag for flag in result.stdout.strip().split(" ") if flag]

# Libraries whose archives are linked: so many shared objects that loading them would be most of a program's start-up.
_ARCHIVED = ["absl_", "address_sorting", "cares", "gpr", "grpc", "jemalloc", "protobuf", "re2", "upb"]

def archived(flags):
    """Link flags with the archives of gRPC, Abseil and what they bring along in place of their shared objects.

    Args:
      flags: as pkg-config prints them.

    Returns:
      The flags to link with.
    """
    return [
        "-l:lib{}.a".format(flag[2:]) if any([flag.startswith("-l" + name) for name in _ARCHIVED]) else flag
        for flag in flags
    ]

def _link_flags(ctx, module):
    if module.startswith("-l"):
        return archived([module])
    return archived(_pkg_config(ctx, ["--static", "--libs"] if ctx.attr.static else ["--libs"], module))

def _system_libraries_impl(ctx):
    if not ctx.which("pkg-config"):
        _fail_missing(ctx, "the program pkg-config")
    for package, targets in json.decode(ctx.attr.packages).items():
        build = ""
        for name, modules in targets.items():
            defines, linkopts, includes = [], [], []
            for module in modules:
                linkopts += _link_flags(ctx, module)
                if module.startswith("-l"):
                    continue

                # Spaces in -D values would need shell quoting; none of the libraries has one.
                defines += [flag[2:] for flag in _pkg_config(ctx, ["--cflags-only-other"], module) if flag.startswith("-D")]
            build += _TARGET.format(
                name = name,
                defines = repr(defines),
                includes = repr(includes),
                linkopts = repr(linkopts),
            )
        if not package:
            for name, program in ctx.attr.programs.items():
                path = ctx.which(program)
                if not path:
                    _fail_missing(ctx, "the program {}".format(program))
                ctx.symlink(path, "bin/" + program)
                build += _PROGRAM.format(name = name, program = program)
        ctx.file((package + "/" if package else "") + "BUILD", build)

system_libraries = repository_rule(
    implementation = _system_libraries_impl,
    doc = """Asks pkg-config how to link libraries of the system; headers come from the compiler's own search path.""",
    attrs = {
        "debian": attr.string(mandatory = True, doc = "The Debian packages to name when something is missing."),
        "packages": attr.string(
            mandatory = True,
            doc = "JSON: Bazel package -> target -> pkg-config modules (or -l flags for a library that has none).",
        ),
        "programs": attr.string_dict(doc = "Target -> program found in PATH, in the root package."),
        "static": attr.bool(doc = "Whether archives are linked, which need what they depend on named as well."),
    },
    configure = True,
    environ = ["PKG_CONFIG_PATH"],
    local = True,
)
