"""`python -m stocksync` is the `stocksync` command."""

from stocksync.cli import main

if __name__ == "__main__":
    main()
