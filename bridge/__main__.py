"""`python -m bridge` and the `bridge` script are the same."""

from bridge.entrypoints.cli import main

if __name__ == "__main__":
    main()
