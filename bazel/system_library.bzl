"""Libraries that the system's package manager installed, as Bazel repositories."""

_HEAD = """
load("{rules}", "system_cc_library")

package(default_visibility = ["//visibility:public"])

config_setting(
    name = "tsan",
    values = {{"copt": "-fsanitize=thread"}},
)
"""

# With ThreadSanitizer shared objects are linked: it can leave out what is in one, and
# tests/sanitizers/foreign_synchronization.cc can take the place of some of their functions.
#
# `malloc` of cc_binary takes no other rule than cc_library.
_TARGET = """
cc_library(
    name = "{name}",
    deps = [":{name}_system"],
)

system_cc_library(
    name = "{name}_system",
    defines = {defines},
    hdrs = glob({headers}),
    includes = {includes},
    inputs = ["//:inputs"],
    linkopts = select({{
        ":tsan": {shared_linkopts},
        "//conditions:default": {linkopts},
    }}),
)
"""

_INPUTS = """
filegroup(
    name = "inputs",
    srcs = {inputs},
)
"""

_PROGRAM = """
filegroup(
    name = "{name}",
    srcs = ["bin/{program}"],
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

def _archived(flags):
    return [
        "-l:lib{}.a".format(flag[2:]) if any([flag.startswith("-l" + name) for name in _ARCHIVED]) else flag
        for flag in flags
    ]

def _link_flags(ctx, module, static):
    if module.startswith("-l"):
        return [module]
    return _pkg_config(ctx, ["--static", "--libs"] if static else ["--libs"], module)

def _input_links(ctx, link_flags):
    """Links to the files that change when the libraries do; Bazel looks at what they lead to before each build."""
    modules = [str(ctx.path(module).realpath) for module in ctx.attr.modules]
    flags = {flag: None for flag in link_flags if flag.startswith("-l") or flag.startswith("-L")}.keys()
    result = ctx.execute(["sh", ctx.path(Label("//bazel:library_inputs.sh"))] + modules + flags)
    if result.return_code != 0:
        fail("@{}: bazel/library_inputs.sh failed: {}".format(ctx.name, result.stderr))
    links = []
    for path in result.stdout.splitlines():
        links.append("inputs" + path.replace(":", "_"))
        ctx.symlink(path, links[-1])
    return links

def _header_folders(ctx, package, modules):
    """Links to folders of headers outside of the compiler's search path; Bazel lets in none from outside its own tree."""
    links = {}
    for module in modules:
        for flag in _pkg_config(ctx, ["--cflags-only-I"], module):
            folder = flag[2:]
            if folder != "/usr/include" and not folder.startswith("/usr/include/"):
                links["include" + folder] = folder
    for link, folder in links.items():
        ctx.symlink(folder, (package + "/" if package else "") + link)
    return links.keys()

def write_build_files(ctx, packages, also = ""):
    """Writes the BUILD files of a repository of libraries.

    Args:
      ctx: the repository_ctx, with the attributes SYSTEM_LIBRARY_ATTRS.
      packages: Bazel package -> target -> pkg-config modules (or -l flags for a library that has none).
      also: text for the root package.
    """
    link_flags = {}
    for targets in packages.values():
        for modules in targets.values():
            for module in modules:
                if module not in link_flags:
                    link_flags[module] = _archived(_link_flags(ctx, module, ctx.attr.static))
    inputs = _input_links(ctx, [flag for flags in link_flags.values() for flag in flags])
    bzl = Label("//bazel:system_cc_library.bzl")
    head = _HEAD.format(rules = "@{}//{}:{}".format(bzl.workspace_name, bzl.package, bzl.name))

    builds = {"": head + _INPUTS.format(inputs = repr(inputs)) + also}
    for package, targets in packages.items():
        build = builds.get(package, head)
        for name, modules in targets.items():
            known = [module for module in modules if not module.startswith("-l")]
            folders = _header_folders(ctx, package, known)
            build += _TARGET.format(
                name = name,
                # Spaces in -D values would need shell quoting; none of the libraries has one.
                defines = repr([
                    flag[2:]
                    for module in known
                    for flag in _pkg_config(ctx, ["--cflags-only-other"], module)
                    if flag.startswith("-D")
                ]),
                headers = repr([folder + "/**" for folder in folders]),
                includes = repr(folders),
                linkopts = repr([flag for module in modules for flag in link_flags[module]]),
                shared_linkopts = repr([flag for module in modules for flag in _link_flags(ctx, module, False)]),
            )
        builds[package] = build
    for package, build in builds.items():
        ctx.file((package + "/" if package else "") + "BUILD", build)

SYSTEM_LIBRARY_ATTRS = {
    "debian": attr.string(mandatory = True, doc = "The Debian packages to name when something is missing."),
    "modules": attr.label_list(allow_files = True, doc = "Links to the pkg-config files, from `pkg_config_modules`."),
    "static": attr.bool(doc = "Whether archives are linked, which need what they depend on named as well."),
}

def _system_libraries_impl(ctx):
    programs = ""
    for name, program in ctx.attr.programs.items():
        path = ctx.which(program)
        if not path:
            _fail_missing(ctx, "the program {}".format(program))
        ctx.symlink(path, "bin/" + program)
        programs += _PROGRAM.format(name = name, program = program)
    write_build_files(ctx, json.decode(ctx.attr.packages), programs)

_system_libraries = repository_rule(
    implementation = _system_libraries_impl,
    doc = "Libraries, and programs that come with them.",
    attrs = dict(
        SYSTEM_LIBRARY_ATTRS,
        packages = attr.string(mandatory = True, doc = "JSON of what write_build_files takes."),
        programs = attr.string_dict(doc = "Target -> program found in PATH, in the root package."),
    ),
    configure = True,
    environ = ["PKG_CONFIG_PATH"],
    local = True,
)

def _pkg_config_modules_impl(ctx):
    if not ctx.which("pkg-config"):
        _fail_missing(ctx, "the program pkg-config")
    for module in ctx.attr.modules:
        folder = "".join(_pkg_config(ctx, ["--variable=pcfiledir"], module))
        ctx.symlink("{}/{}.pc".format(folder, module), module + ".pc")
    ctx.file("BUILD", 'exports_files(glob(["*.pc"]))\n')

_pkg_config_modules = repository_rule(
    implementation = _pkg_config_modules_impl,
    doc = "Links to pkg-config's files, so that the rules which name them are asked again when one has changed.",
    attrs = {
        "debian": attr.string(mandatory = True),
        "modules": attr.string_list(mandatory = True),
    },
    configure = True,
    environ = ["PKG_CONFIG_PATH"],
    local = True,
)

def pkg_config_modules(library, modules, debian):
    """Declares the repository of a library's pkg-config files.

    Args:
      library: the name of the library's own repository.
      modules: pkg-config's names.
      debian: the Debian packages to name when one is missing.

    Returns:
      The labels of the files.
    """
    name = library + "_pkg_config"
    _pkg_config_modules(name = name, modules = modules, debian = debian)
    return ["@{}//:{}.pc".format(name, module) for module in modules]

def system_libraries(name, packages, debian, static = False, programs = {}):
    """Declares a repository of libraries; pkg-config tells how to link them, headers are where the compiler looks.

    Args:
      name: of the repository.
      packages: Bazel package -> target -> pkg-config modules (or -l flags for a library that has none).
      debian: the Debian packages to name when something is missing.
      static: whether archives are linked.
      programs: target -> program found in PATH, in the root package.
    """
    modules = {}
    for targets in packages.values():
        for needed in targets.values():
            modules.update([(module, None) for module in needed if not module.startswith("-l")])
    _system_libraries(
        name = name,
        # A repository rule's attributes cannot hold a nested table; JSON carries it.
        packages = json.encode(packages),
        debian = debian,
        modules = pkg_config_modules(name, sorted(modules.keys()), debian),
        static = static,
        programs = programs,
    )
