"""The egress ledger as rows: every array that is uploaded, shared or kept private, with shapes and bytes."""

from __future__ import annotations

from typing import Any

from fedrec.contract import Algorithm, Catalog, Rng


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

    for phase, stats in egress.uploaded.items():
        for name, (shape, size, bits) in stats.items():
            clip = egress.clip[phase]
            bound = f"clip {clip:g}" if clip is not None else "bounded by construction"
            row("uploaded", name, phase, egress.rounds[phase], shape, size, f"{bits}-bit ring, {bound}")
    for name, array in algorithm.shared(catalog, 0).items():
        row("shared", name, "", None, array.shape, array.nbytes, "held by the server")
    for name, array in algorithm.private(Rng(1), catalog).items():
        row("private", name, "", None, array.shape, array.nbytes, "stays with the user")
    return rows
