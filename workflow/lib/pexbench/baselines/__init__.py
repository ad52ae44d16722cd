"""Predictors learnt from the cohort itself: what genotypes can tell when the people's own expression is shown.

They bound the sequence models from above: people are held out, genes are not.
"""
