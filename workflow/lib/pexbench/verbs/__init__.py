"""Verbs of the command line. Each module has ``add(parsers)``, which adds its verbs; imports of weight are inside them."""
