"""``python -m pipeline VERB``."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent

if __name__ == "__main__":
    # `python -m` looks in the current directory first, where a folder called models may lie.
    sys.path[:] = [
        str(HERE),
        *(path for path in sys.path if Path(path or ".").resolve() != Path.cwd()),
    ]

    from pipeline.cli import main

    main()
