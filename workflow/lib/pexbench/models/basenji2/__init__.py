"""Basenji2: 5,313 functional tracks from 131,072 bp; read is CAGE of GM12878 at the TSS."""
