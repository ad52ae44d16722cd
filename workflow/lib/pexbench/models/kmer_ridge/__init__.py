"""Ridge regression on k-mer counts around the TSS: the model that needs no published weights."""
