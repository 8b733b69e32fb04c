"""The C++ rules for what other workspaces may build on: they say themselves that they are C++17."""

_COPTS = ["-std=c++17"]

def cc_library(copts = [], **attributes):
    """The native rule, in C++17 whatever --cxxopt says.

    Args:
      copts: added.
      **attributes: of the native rule.
    """
    native.cc_library(copts = _COPTS + copts, **attributes)

def cc_binary(copts = [], **attributes):
    """The native rule, in C++17 whatever --cxxopt says.

    Args:
      copts: added.
      **attributes: of the native rule.
    """
    native.cc_binary(copts = _COPTS + copts, **attributes)
