"""Enformer: CAGE and other tracks from 196,608 bp around the TSS."""
