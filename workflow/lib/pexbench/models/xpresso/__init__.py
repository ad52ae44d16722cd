"""Xpresso: expression level from 10,500 bp around the TSS."""
