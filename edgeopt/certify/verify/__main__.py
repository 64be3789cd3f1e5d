"""Run the verifier: as a module of edgeopt, or as a folder on its own, whatever its name is."""

import sys

if not __package__:
    # The folder was started by its path: make it the package that the files in it import from.
    from importlib.util import module_from_spec, spec_from_file_location
    from pathlib import Path

    folder = Path(__file__).resolve().parent
    spec = spec_from_file_location("verify", folder / "__init__.py", submodule_search_locations=[str(folder)])
    assert spec is not None
    assert spec.loader is not None
    sys.modules["verify"] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules["verify"])
    __package__ = "verify"

from .certificate import main

sys.exit(main(sys.argv[1:]))
