"""Repositories whose whole content is in this workspace."""

def _stub_repository_impl(ctx):
    for child in ctx.path(ctx.attr.workspace_file).dirname.readdir():
        ctx.symlink(child, child.basename)

stub_repository = repository_rule(
    implementation = _stub_repository_impl,
    doc = "A local_repository whose path is relative to this workspace, also where another one names this one.",
    attrs = {"workspace_file": attr.label(mandatory = True, doc = "The WORKSPACE in its folder.")},
    local = True,
)
