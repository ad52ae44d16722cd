"""``python -m pexbench VERB``."""

from pexbench.cli import main

if __name__ == "__main__":
    main()
