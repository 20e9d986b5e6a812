"""How predictions are shown and kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from allred import _core
from allred.cli.simulate.model import CallSize, Costs
from allred.cli.sizes import format_size
from allred.cli.units import format_bytes, format_seconds

SCHEMA = 1
Predictions = Mapping[str, _core.Prediction]


def print_predictions(predictions: Predictions, call: CallSize, cluster: _core.Cluster) -> None:
    """A line for each algorithm, the fastest first, and who wins."""
    found = table(predictions, call, cluster)
    console = Console()
    console.width = max(console.width, Console(width=1000).measure(found).maximum)
    console.print(found)
    print(winner(predictions))
    for note in _notes(predictions, cluster):
        print(note)


def table(predictions: Predictions, call: CallSize, cluster: _core.Cluster) -> Table:
    """Predictions as a table; the figures a rank are those of the rank that has most."""
    size = f" of {format_size(call.bytes)}" if call.count else ""
    title = f"{call.collective}{size}, {cluster.hosts} hosts x {cluster.ranks_per_host} ranks"
    found = Table(title=title, box=box.SIMPLE, pad_edge=False)
    for heading in ("algorithm", "time", "/ fastest", "bytes sent\na rank", "messages\na rank", "hops"):
        found.add_column(heading, justify="left" if heading == "algorithm" else "right")
    fastest = min(each.seconds for each in predictions.values())
    for name, each in predictions.items():
        found.add_row(
            name,
            format_seconds(each.seconds),
            f"{each.seconds / fastest:.3g}" if fastest > 0 else "",
            format_bytes(each.sent_bytes),
            f"{each.sent_messages:,}",
            f"{each.hops:,}",
        )
    return found


def winner(predictions: Predictions) -> str:
    """The fastest, and by how much."""
    (name, best), *others = predictions.items()
    text = f"fastest: {name}, {format_seconds(best.seconds)}"
    if others and best.seconds > 0:
        second, slower = others[0]
        text += f"; {second} takes {slower.seconds / best.seconds:.3g} times as long"
    return text


def document(predictions: Predictions, call: CallSize, costs: Costs, cluster: _core.Cluster) -> dict[str, Any]:
    """Everything of a run, in seconds and bytes."""
    return {
        "schema": SCHEMA,
        "call": asdict(call),
        "hosts": cluster.hosts,
        "ranks_per_host": cluster.ranks_per_host,
        "costs": asdict(costs),
        "predictions": [
            {
                "algorithm": name,
                "seconds": each.seconds,
                "sent_bytes": each.sent_bytes,
                "sent_messages": each.sent_messages,
                "hops": each.hops,
                "segment_bytes": each.segment_bytes,
            }
            for name, each in predictions.items()
        ],
    }


def _notes(predictions: Predictions, cluster: _core.Cluster) -> list[str]:
    """Where the simulator had to take larger segments than it was told to."""
    return [
        f"{name}: simulated in segments of {format_bytes(each.segment_bytes)}, as it has too many of "
        f"{format_bytes(cluster.segment_bytes)}"
        for name, each in predictions.items()
        if each.segment_bytes > cluster.segment_bytes
    ]
