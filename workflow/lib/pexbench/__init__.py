"""pexbench: how well do sequence-to-expression models predict expression of individual people?

Coordinates inside the library are 0-based and half-open; gene tables hold the TSS 1-based.
"""

__version__ = "0.1.0"
