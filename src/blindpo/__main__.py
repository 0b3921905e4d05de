"""`python -m blindpo`: the same command line where the script is not on the PATH (torchrun, for one)."""

import sys

from blindpo.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
