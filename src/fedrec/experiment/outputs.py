"""Files of a comparison beside the report: bench.json, ranks.parquet (per user, local), search.jsonl."""

from __future__ import annotations

import json
from pathlib import Path

from fedrec.data.tables import ranks_table
from fedrec.experiment.bench import Bench
from fedrec.experiment.files import write_bytes, write_json, write_text


def write_outputs(bench: Bench, folder: Path) -> None:
    """Write everything that is not a table; ``ranks.parquet`` holds people's ids and must stay local."""
    write_json(folder / "bench.json", bench.document)
    write_bytes(folder / "ranks.parquet", ranks_table(bench.ranks, bench.data_sets()))
    lines = [json.dumps(line, ensure_ascii=False) for search in bench.searches for line in search.lines()]
    write_text(folder / "search.jsonl", "\n".join(lines) + ("\n" if lines else ""))
