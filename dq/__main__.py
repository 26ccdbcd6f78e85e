"""`python -m dq` is `dq`."""

from dq.cli import main

if __name__ == "__main__":
    main()
