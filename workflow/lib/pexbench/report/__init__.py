"""The report of a run: a folder of plain pages, and the text of Snakemake's own report."""
