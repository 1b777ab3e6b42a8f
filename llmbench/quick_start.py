"""What the processes that are ours alone leave out of what libraries load."""

from __future__ import annotations

import sys

__all__ = ["without_address_grammars"]

_ADDRESS_GRAMMARS = "rfc3987_syntax"


def without_address_grammars() -> None:
    """Keep jsonschema, which comes with every notebook file that is read, from loading `rfc3987_syntax`.

    JupyterLab brings that package along; its import compiles 38 grammars in 1.5 s of CPU. jsonschema asks
    it only about the formats "iri" and "iri-reference", which no schema of notebooks has, and which it
    does not check at all unless told to. For a process that runs nobody's code but ours: elsewhere
    somebody may want those formats.
    """
    # To Python a module that is None here cannot be imported; jsonschema then goes without it.
    sys.modules.setdefault(_ADDRESS_GRAMMARS, None)  # type: ignore[arg-type]
