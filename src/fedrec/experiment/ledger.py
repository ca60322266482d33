"""The egress ledger as rows: every array that is uploaded, shared or kept private, with shapes and bytes."""

from __future__ import annotations

from typing import Any

from fedrec.contract import Algorithm, Catalog, Rng, Stat


def ledger_rows(algorithm: Algorithm, catalog: Catalog) -> list[dict[str, Any]]:
    """Return one row an array: algorithm, where, name, phase, rounds, shape, bytes (a client and round)."""
    egress = algorithm.explain(catalog)
    rows: list[dict[str, Any]] = []

    def row(
        where: str, name: str, phase: str, rounds: int | None, shape: tuple[int, ...], size: int, note: str
    ) -> None:
        rows.append(
            {
                "algorithm": algorithm.name,
                "where": where,
                "name": name,
                "phase": phase,
                "rounds": rounds,
                "shape": " x ".join(f"{n:,}" for n in shape) or "1",
                "bytes": size,
                "note": note,
            }
        )

    declared = {phase.name: phase.stats for phase in algorithm.plan(catalog)}
    for phase, stats in egress.uploaded.items():
        for name, (shape, size, bits) in stats.items():
            bound = one_persons(declared[phase][name], egress.clip[phase])
            row("uploaded", name, phase, egress.rounds[phase], shape, size, f"{bits}-bit ring, {bound}")
    for name, array in algorithm.shared(catalog, 0).items():
        row("shared", name, "", None, array.shape, array.nbytes, "held by the server")
    for name, array in algorithm.private(Rng(1), catalog).items():
        row("private", name, "", None, array.shape, array.nbytes, "stays with the user")
    return rows


def one_persons(stat: Stat, clip: float | None) -> str:
    """Return in words what bounds one person's part of a statistic; only a norm can be covered by noise."""
    if stat.l2 is not None:
        return f"a person's L2 at most {stat.l2:.4g}"
    return f"clip {clip:g}" if clip is not None else f"a person's entries at most {stat.linf:.4g}, no L2"
