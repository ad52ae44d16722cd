"""The settings of a run, typed once.

The JSON schema (``workflow/schemas/config.schema.yaml``) and the table of keys in ``config/README.md`` are
generated from this module by ``python -m pexbench write_schemas``; a test fails when they differ.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


class Strict(BaseModel):
    """Settings refuse keys they do not know."""

    model_config = ConfigDict(extra="forbid")


class Simulation(Strict):
    """A cohort made by the workflow itself (msprime); all of its inputs are then simulated."""

    people: int = Field(200, ge=20, description="People to simulate.")
    genes: int = Field(120, ge=4, description="Genes to simulate.")
    seed: int = Field(1, ge=0, description="Seed of haplotypes, reference, effects and noise.")


class Expression(Strict):
    """Measured expression: tables with one row per gene, one column per person (BED or tab-separated)."""

    across_individuals: str = Field(
        description="Resource name or path. Scored across individuals; normalised per gene (e.g. inverse-normal). A .csv "
        "may also have people in rows, and genes by symbol."
    )
    across_genes: str | None = Field(
        None,
        description="Resource name or path. Scored across genes (medians), e.g. RPKM. Default: the table above.",
    )


class Inputs(Strict):
    """Where the data come from; every entry is the name of a resource in resources.tsv, or a path."""

    reference: str | None = Field(
        None,
        description="FASTA, plain or gzip; contig names with or without 'chr'. A run of tables of predictions alone needs "
        "neither reference nor genotypes.",
    )
    genotypes: str | None = Field(
        None,
        description="Phased VCF or BCF (bgzip). '{contig}' in the path or in the resource's name stands for the gene "
        "table's contig: one file per chromosome.",
    )
    genes: str | None = Field(
        None, description="Gene table: gene_id, symbol, contig, tss (1-based), strand. Or use gene_sources."
    )
    gene_sources: list[str] = Field(
        [],
        description="Files that place genes, best first: the paper's gene list (.csv), GENCODE (.gtf.gz), expression "
        "BED with a strand column. Every gene with measured expression is placed by the first that has it.",
    )
    contigs: list[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(:\d+-\d+)?$")]] = Field(
        [], description="With gene_sources: contigs to use, or parts of them as contig:start-end (empty: all)."
    )
    samples: str | None = Field(
        None,
        description="Table with a column 'sample' (further columns are kept). Default: everyone with genotypes and "
        "expression.",
    )
    people: str | list[str] = Field(
        [],
        description="Facts about people (populations, sex, batches, components): one table or several, each with a row "
        "per person, or with a row per covariate and a column per person as FastQTL and GTEx have them.",
    )
    expression: Expression = Field(description="Measured expression.")
    eqtl: str | None = Field(
        None,
        description="Table of published lead eQTLs to show beside the run's own: GENE_ID (Ensembl), distance, "
        "minor_allele_freq, rvalue, log10pvalue.",
    )
    region: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*:\d+-\d+$",
        description="contig:start-end, 1-based inclusive: where genotypes are complete, if the VCF is cut to a region. "
        "Genes outside get their reference prediction only.",
    )


class Variants(Strict):
    """Which variants build the haplotypes."""

    indels: bool = Field(False, description="Keep indels and multi-base substitutions (the paper: SNPs only).")
    multiallelics: bool = Field(False, description="Keep records with more than one ALT allele.")
    flank: int = Field(
        98304,
        ge=1000,
        description="bp on either side of a TSS whose variants are kept and are cis for the baselines (the paper's "
        "197 kb). No model's window may reach further.",
    )
    genotyped_flank: int = Field(
        7000, ge=0, description="bp on either side of a TSS that must lie in 'region' for personal predictions."
    )
    sequence_flank: int = Field(
        7000, ge=0, description="bp on either side of a TSS that must lie on the reference; else the gene is dropped."
    )
    unphased: Literal["error", "iupac"] = Field(
        "error", description="Unphased heterozygous genotypes: stop, or IUPAC codes as in the paper's command."
    )
    missing: Literal["error", "reference"] = Field(
        "error", description="Missing genotypes: stop, or take the reference allele as bcftools consensus does."
    )


class Model(Strict):
    """One model of the run: a network (card) or a table of predictions; several may share a card."""

    card: str | None = Field(
        None,
        description="Name of a built-in model, or the path of a folder with card.yaml and adapter. Or use table or kipoi.",
    )
    table: str | None = Field(
        None,
        description="Resource name or path of predictions made elsewhere: people x genes, genes x people, or tidy "
        "(sample, gene, prediction); genes by id or symbol.",
    )
    reference_table: str | None = Field(
        None,
        description="With table: resource name or path of the predictions for the reference sequence, genes in rows, by id "
        "or symbol.",
    )
    reference_column: str | None = Field(
        None, description="With reference_table: the model's column (default: the only one beside the genes)."
    )
    differences_only: bool = Field(
        False,
        description="With table: predictions are on a scale of each gene's own, as those of genotype models; no scores "
        "across genes.",
    )
    kipoi: str | None = Field(
        None, description="Name of a Kipoi model; short for 'card: kipoi' with the option 'model'."
    )
    implementation: str | None = Field(
        None, description="One the card lists (default: the card's default_implementation)."
    )
    network: str | None = Field(None, description="One of the card's networks (default: the card's default_network).")
    weights: dict[str, str] = Field(
        {}, description="Weight files by the adapter's name for each, in place of the card's network."
    )
    note: str = Field("", description="Remark that stands behind the model's name in tables and figures: untrained.")
    combine_haplotypes: Literal["mean", "mean_of_logs"] = Field(
        "mean", description="A person's prediction from the two haplotypes' (means, or mean of natural logs)."
    )
    options: dict[str, Any] = Field({}, description="Options of the adapter; see the card.")


class ElasticNet(Strict):
    """Elastic net on cis SNP dosages, in the way of PrediXcan."""

    l1_ratio: Annotated[float, Field(gt=0, le=1)] = Field(0.5, description="Share of the L1 penalty.")
    min_maf: Annotated[float, Field(ge=0, lt=0.5)] = Field(0.05, description="Smallest minor allele frequency used.")
    outer_folds: int = Field(5, ge=2, description="Folds of people for out-of-fold predictions (all baselines).")
    inner_folds: int = Field(5, ge=2, description="Folds within each training part that choose the penalty.")


class Scores(Strict):
    """How predictions are compared with measurement."""

    bootstrap: int = Field(1000, ge=100, description="Resamples of people and genes for all intervals.")
    permutations: int = Field(1000, ge=100, description="Shuffles of people for the null of no relation.")
    population: str | None = Field(
        None,
        description="Column of the people's facts that names populations: correlations within them are scored too, and "
        "people are shuffled within them.",
    )
    covariates: list[str] = Field(
        [],
        description="Columns of the people's facts that are regressed out of expression for a further score. Numbers are "
        "used as they are, text becomes one indicator per value.",
    )


class VariantEffects(Strict):
    """Each variant alone on the reference sequence, predicted by every network."""

    genes: Literal["strongest", "all", "none"] | list[str] = Field(
        "strongest",
        description="Genes that get every variant of a model's window, and with them additivity and driver variants: the "
        "one with the strongest association, all, or ids and symbols. Every other gene gets its lead variant. none: no "
        "variant effects at all.",
    )
    gradient: bool = Field(
        True, description="Also gradient x input, where the model gives it: one pass back through it per gene."
    )


class Figures(Strict):
    """What figures on one gene and on one person show."""

    gene: str | None = Field(
        None, description="Id or symbol of the gene shown variant by variant (default: the strongest association)."
    )
    person: str | None = Field(
        None, description="Sample shown across genes (default: the median correlation across genes)."
    )


class Inference(Strict):
    """How predictions are computed. ``method`` and ``precision`` change numbers; the rest changes speed alone."""

    method: Literal["incremental", "plain"] = Field(
        "incremental",
        description="incremental computes what haplotypes share once, exactly; plain passes every haplotype through "
        "the model by itself.",
    )
    precision: Literal["float32", "tf32", "bf16"] = Field(
        "float32",
        description="Of PyTorch models; all others compute in float32. With tf32 and bf16 the run measures the error "
        "against the spread between haplotypes of every gene and puts it into the scores.",
    )
    sampled_haplotypes: int = Field(
        16,
        ge=2,
        description="Haplotypes per gene that a faster precision is compared on, and that check_incremental predicts "
        "both ways.",
    )
    batch_size: int | None = Field(
        None,
        ge=1,
        description="Most sequences or pieces at once (default: what the GPU's memory allows; PyTorch models on the CPU "
        "always take the same few).",
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto takes a GPU where there is one.")


class Settings(Strict):
    """All settings of one run; one configuration file is one run."""

    run: Name = Field("demo", description="Name of the run; results lie in results/RUN.")
    title: str = Field("", description="Heading of figures (default: the run's name).")
    seed: int = Field(1, ge=0, description="Seed of folds, shuffles, bootstrap and haplotype checks.")
    resources: str = Field("config/resources.tsv", description="Table of files to fetch: URL, sha256, size, licence.")
    mirror: str | None = Field(
        None, description="Folder looked into before any download (default: environment variable PEXBENCH_MIRROR)."
    )
    download: bool = Field(True, description="Fetch what is neither in resources/ nor in the mirror.")
    skip_unavailable: bool = Field(
        False,
        description="Leave out models whose weights are neither in resources/ nor in the mirror; tables and figures "
        "name them.",
    )
    simulation: Simulation | None = Field(None, description="Simulate the cohort; then 'inputs' must be absent.")
    inputs: Inputs | None = Field(None, description="Real inputs; then 'simulation' must be absent.")
    variants: Variants = Field(default_factory=Variants, description="Which variants build the haplotypes.")
    genes_per_shard: int = Field(10, ge=1, description="Neighbouring genes per job; 1 names each job by its gene.")
    checked_haplotypes_per_shard: int = Field(
        50, ge=1, description="Haplotypes per shard, drawn at random, compared with bcftools consensus."
    )
    models: dict[Name, Model] = Field(description="Sequence models by name.")
    baselines: list[Literal["elastic_net", "top_snp", "nearest_snp"]] = Field(
        ["elastic_net", "top_snp", "nearest_snp"], description="Genotype baselines."
    )
    controls: list[Literal["shuffled", "reference_only"]] = Field(
        ["shuffled", "reference_only"],
        description="Controls made from a model: another person's haplotypes; the reference for everyone.",
    )
    control_model: str | None = Field(None, description="The model behind the controls (default: the first).")
    elastic_net: ElasticNet = Field(default_factory=ElasticNet, description="Settings of the baselines.")
    scores: Scores = Field(default_factory=Scores, description="Settings of the scores.")
    variant_effects: VariantEffects = Field(
        default_factory=VariantEffects, description="Single variants, their sums, and the direction of lead variants."
    )
    figures: Figures = Field(default_factory=Figures, description="What figures on one gene and one person show.")
    inference: Inference = Field(default_factory=Inference, description="How predictions are computed.")
