"""Model cards: what a model is, what it eats, what it gives, and which code and files it needs.

A card is the file ``card.yaml`` in a model's folder. This module imports the standard library and PyYAML only,
because it is used while the Snakefile is parsed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pexbench.errors import InputError, listing
from pexbench.models.sections import IDENTIFIER, NAME, Section, read_section

if TYPE_CHECKING:
    from pexbench.windows import WindowRule

FILE = "card.yaml"
STRANDS = ("oriented", "plus")
UNKNOWNS = ("zero", "quarter", "skipped")
SCALES = ("linear", "log")
GPUS = ("none", "optional", "required")
#: Error of predictions relative to their size, where a card does not say: some tens of float32's roundings.
NUMERICAL_ERROR = 2e-6
#: Options that set the window of a card with ``window_from_options``, and their types.
WINDOW_OPTIONS = {"length": int, "tss_index": int, "strand": str}
#: Value of the option ``tss_index`` that puts the TSS in the centre.
CENTRE = -1
DOI = r"(10\.\d{4,9}/\S+)?"


@dataclass(frozen=True)
class Input:
    """What the model eats.

    Attributes:
        length: input length in bp.
        tss_index_plus: 0-based index of the TSS in the + strand sequence, for genes on ``+``.
        tss_index_minus: the same for genes on ``-``, counted on the + strand before any reverse complement.
        strand: ``oriented`` (sequences of ``-`` genes are reverse-complemented) or ``plus`` (always + strand).
        alphabet: channel order inside the network; adapters receive codes 0..3 = A, C, G, T whatever it is.
        unknown: what N becomes: ``zero`` row, ``quarter`` in every channel, or ``skipped``.
        window_from_options: whether the card's options ``length``, ``tss_index`` and ``strand`` set the window; the
            values here are those of the options' defaults. See :meth:`Card.with_options`.
    """

    length: int
    tss_index_plus: int
    tss_index_minus: int
    strand: str
    alphabet: str
    unknown: str
    window_from_options: bool = False


@dataclass(frozen=True)
class Output:
    """What the model gives: one number per sequence, its unit, and its scale (``linear`` or ``log``)."""

    description: str
    unit: str
    scale: str


@dataclass(frozen=True)
class Network:
    """One published set of weights: file names (as in the resources table) by the adapter's name for each."""

    description: str
    weights: Mapping[str, str]


@dataclass(frozen=True)
class Implementation:
    """One implementation of a model.

    Attributes:
        environment: where it runs, ``envs/NAME.yaml``.
        module: its module in the model's folder.
        network: the network it reads, where that is another file than the default network's.
    """

    environment: str
    module: str
    network: str | None = None


@dataclass(frozen=True)
class Option:
    """One setting of a model: what it does, and its value when the configuration says nothing."""

    description: str
    default: bool | int | float | str


@dataclass(frozen=True)
class Card:
    """A model's card, checked. Every key is described in ``workflow/schemas/model_card.schema.yaml``."""

    name: str
    title: str
    description: str
    citation: str
    doi: str
    licence: str
    input: Input
    output: Output
    networks: Mapping[str, Network]
    default_network: str | None
    implementations: Mapping[str, Implementation]
    default_implementation: str
    batch_size: int
    memory_mb: int
    gpu: str
    minutes_per_gene: int
    trained: bool
    tolerance: float
    numerical_error: float
    options: Mapping[str, Option]
    folder: Path

    @property
    def path(self) -> Path:
        """The card's file."""
        return self.folder / FILE

    def window_rule(self) -> WindowRule:
        """How this model's input is cut from the reference."""
        from pexbench.windows import WindowRule  # needs pandas, which the parse of the Snakefile must not wait for

        return WindowRule(
            length=self.input.length,
            tss_index_plus=self.input.tss_index_plus,
            tss_index_minus=self.input.tss_index_minus,
            oriented=self.input.strand == "oriented",
        )

    def implementation_name(self, name: str | None = None) -> str:
        """The name of an implementation; the default's without a name.

        Raises:
            InputError: the card has no such implementation.
        """
        name = self.default_implementation if name is None else name
        if name not in self.implementations:
            raise InputError(_unknown(self.name, "implementation", name, self.implementations))
        return name

    def implementation(self, name: str | None = None) -> Implementation:
        """An implementation by name; the default one without a name.

        Raises:
            InputError: the card has no such implementation.
        """
        return self.implementations[self.implementation_name(name)]

    def weights(self, network: str | None = None, implementation: str | None = None) -> dict[str, str]:
        """File names of a network's weights by the adapter's name for each; the default network without a name.

        Args:
            network: a key of ``networks``.
            implementation: without a network, the implementation whose network is meant.

        Returns:
            For example ``{"network": "GM12878.h5"}``; empty for a model without published weights.

        Raises:
            InputError: the card has no such network.
        """
        if network is None:
            network = self.implementation(implementation).network or self.default_network
        if network is None:
            return {}
        if network not in self.networks:
            raise InputError(_unknown(self.name, "network", network, self.networks))
        return dict(self.networks[network].weights)

    def settings(self, options: Mapping[str, object]) -> dict[str, Any]:
        """Values of all options of the model: those given, else their defaults.

        Args:
            options: values by name, each of the type of the option's default (a whole number passes for a float).

        Raises:
            InputError: an option is unknown or its value has another type.
        """
        unknown = [name for name in options if name not in self.options]
        if unknown:
            raise InputError(_unknown(self.name, "option", str(unknown[0]), self.options))
        values: dict[str, Any] = {name: option.default for name, option in self.options.items()}
        for name, value in options.items():
            wanted = type(values[name])
            if type(value) is not wanted and not (wanted is float and type(value) is int):
                raise InputError(
                    f"model {self.name}: option {name} is {value!r}; a value of type {wanted.__name__} such as "
                    f"{values[name]!r} is allowed; correct the configuration."
                )
            values[name] = wanted(value)
        return values

    def with_options(self, options: Mapping[str, object]) -> Card:
        """The card of this model when it is used with some options.

        The options become the defaults, and where the card says ``window_from_options`` they set the window: so
        :meth:`window_rule` and the input length are those of the model that will run. Doing it twice changes nothing.

        Args:
            options: values by name, as in :meth:`settings`.

        Returns:
            The card, or one like it.

        Raises:
            InputError: as :meth:`settings`, or a window that is not possible.
        """
        values = self.settings(options)
        chosen = {name: replace(option, default=values[name]) for name, option in self.options.items()}
        given = self.input
        if given.window_from_options:
            given = _window(self.name, given, values["length"], values["tss_index"], values["strand"])
        return replace(self, input=given, options=chosen)


def read_card(folder: str | Path) -> Card:
    """Read and check the card of a model's folder.

    Args:
        folder: holds ``card.yaml`` and the modules the card names (and ``train.py`` if ``trained: true``).

    Returns:
        The card.

    Raises:
        InputError: the file is absent or no YAML mapping, a key is missing, unknown, repeated or has a value
            that is not allowed, or a module the card names is absent.
    """
    folder = Path(folder)
    path = folder / FILE
    if not path.is_file():
        raise InputError(f"{path}: not found; a model's folder holds {FILE} and adapter.py; correct the folder.")
    card = _card(read_section(path), folder)
    modules = {f"{made.module}.py" for made in card.implementations.values()} | (
        {"train.py"} if card.trained else set()
    )
    absent = sorted(name for name in modules if not (folder / name).is_file())
    if absent:
        raise InputError(f"{path}: the card needs {listing(absent)} in {folder}, not found there; add it.")
    return card


def _card(top: Section, folder: Path) -> Card:
    """Take every key of a card; refuse what is left."""
    section = top.section("input")
    length = section.whole("length", 1)
    given = Input(
        length=length,
        tss_index_plus=section.whole("tss_index_plus", 0, length - 1),
        tss_index_minus=section.whole("tss_index_minus", 0, length - 1),
        strand=section.choice("strand", STRANDS),
        alphabet=section.text("alphabet", r"(?!.*(.).*\1)[ACGT]{4}", "the letters A, C, G, T, each once"),
        unknown=section.choice("unknown", UNKNOWNS),
        window_from_options=section.flag("window_from_options", default=False),
    )
    section.done()
    section = top.section("output")
    output = Output(section.text("description"), section.text("unit"), section.choice("scale", SCALES))
    section.done()

    networks = {}
    for name, entry in top.entries("networks", required=False).items():
        networks[name] = Network(entry.text("description"), entry.files("weights"))
        entry.done()
    implementations = {}
    for name, entry in top.entries("implementations").items():
        module = entry.text("module", IDENTIFIER, "the name of a Python module in the model's folder, without .py")
        environment = entry.text("environment", NAME, "the name of a file in envs/")
        implementations[name] = Implementation(environment, module, _own_network(entry, networks))
        entry.done()
    options = {}
    for name, entry in top.entries("options", required=False).items():
        options[name] = Option(entry.text("description"), entry.scalar("default"))
        entry.done()
    trained = top.flag("trained")
    if trained and networks:
        raise top.fault("networks", listing(networks), "no published network for a model with 'trained: true'")
    card = Card(
        name=top.text("name", NAME, "a name of letters, digits, '.', '_' and '-'"),
        title=top.text("title"),
        description=top.text("description"),
        citation=top.text("citation"),
        doi=top.text("doi", DOI, "a DOI such as 10.1038/s41588-023-01574-w, or '' for none"),
        licence=top.text("licence"),
        input=given,
        output=output,
        networks=networks,
        default_network=top.choice("default_network", tuple(networks)) if networks else None,
        implementations=implementations,
        default_implementation=top.choice("default_implementation", tuple(implementations)),
        batch_size=top.whole("batch_size", 1),
        memory_mb=top.whole("memory_mb", 1),
        gpu=top.choice("gpu", GPUS),
        minutes_per_gene=top.whole("minutes_per_gene", 1, default=1),
        trained=trained,
        tolerance=top.positive("tolerance"),
        numerical_error=top.positive("numerical_error", default=NUMERICAL_ERROR),
        options=options,
        folder=folder,
    )
    top.done()
    if given.window_from_options:
        types = {name: type(option.default) for name, option in options.items() if name in WINDOW_OPTIONS}
        if types != WINDOW_OPTIONS or card.with_options({}).input != given:
            allowed = "true with the options length, tss_index and strand, whose defaults give the window of the card,"
            raise top.fault("input.window_from_options", True, allowed)
    return card


def _own_network(entry: Section, networks: Mapping[str, Network]) -> str | None:
    """The network an implementation names, checked; None if it names none."""
    if not entry.has("network"):
        return None
    name = entry.text("network")
    if name not in networks:
        raise entry.fault("network", name, f"one of the card's networks ({', '.join(networks) or 'none'})")
    return name


def _window(model: str, given: Input, length: int, tss_index: int, strand: str) -> Input:
    """The input with the window that options ask for; ``tss_index`` counts in the sequence the model sees."""
    checks = {
        "length": (length, length >= 1, "a whole number of at least 1"),
        "tss_index": (tss_index, CENTRE <= tss_index < length, f"0 to {length - 1}, or {CENTRE} for the centre,"),
        "strand": (strand, strand in STRANDS, f"one of {', '.join(STRANDS)}"),
    }
    for name, (found, valid, allowed) in checks.items():
        if not valid:
            raise InputError(
                f"model {model}: option {name} is {found!r}; {allowed} is allowed; correct the configuration."
            )
    index = length // 2 if tss_index == CENTRE else tss_index
    return replace(
        given,
        length=length,
        tss_index_plus=index,
        tss_index_minus=length - 1 - index if strand == "oriented" else index,
        strand=strand,
    )


def _unknown(model: str, what: str, found: str, allowed: Iterable[str]) -> str:
    """The sentence for a name that the card does not have."""
    names = list(allowed)
    return (
        f"model {model} has no {what} {found!r}; {listing(names) if names else 'none'} is allowed; correct the setting."
    )
