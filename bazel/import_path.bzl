"""The name by which other protos import a proto."""

def import_path(proto, info):
    """What stands in `import "..."` for a source of a proto_library.

    Args:
      proto: the File.
      info: the ProtoInfo of the proto_library.

    Returns:
      The path below the library's import root.
    """
    root = info.proto_source_root
    return proto.path[len(root) + 1:] if root not in ("", ".") else proto.path
