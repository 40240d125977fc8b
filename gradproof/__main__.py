"""The program: `gradproof`, and `python -m gradproof`. It imports nothing that takes time before Ctrl-C is answered."""

import sys


def main() -> None:
    """Entry point of the console script."""
    try:
        from gradproof.cli import run

        code = run()
    except KeyboardInterrupt:
        sys.stderr.write("gradproof: interrupted\n")
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
