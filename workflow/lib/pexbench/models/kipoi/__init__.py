"""Kipoi: any sequence model of the Kipoi repository of models, or of a folder in its format."""
