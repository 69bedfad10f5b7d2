"""Entry point: ``python -m serving.loadtest``."""

from serving.loadtest.command import main

if __name__ == "__main__":
    main()
