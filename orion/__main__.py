"""`python -m orion`: the same as `orion`."""

from orion.cli import main

if __name__ == "__main__":
    main()
