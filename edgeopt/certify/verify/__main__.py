"""Run the verifier: as a module of edgeopt, or as a folder on its own, whatever its name is."""

import sys

if __package__:
    from .certificate import main
else:
    # The folder was started by its path: make it a package that the files in it import from.
    from importlib import import_module
    from importlib.util import module_from_spec, spec_from_file_location
    from pathlib import Path

    folder = Path(__file__).resolve().parent
    spec = spec_from_file_location("verify", folder / "__init__.py", submodule_search_locations=[str(folder)])
    assert spec is not None
    assert spec.loader is not None
    sys.modules["verify"] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules["verify"])
    main = import_module("verify.certificate").main

sys.exit(main(sys.argv[1:]))
