"""fedrec evaluate"""

from __future__ import annotations

from pathlib import Path

from fedrec.cli.common import Format, Verbose, mapping, say, show


def evaluate(
    directory: Path,
    *,
    data: str | None = None,
    protocol: str | None = None,
    columns: str | None = None,
    order: str | None = None,
    format: Format = "table",
    verbose: Verbose = False,
) -> int:
    """Test a trained run; people the run does not know are folded in on their own device.

    Parameters
    ----------
    directory
        A folder written by fedrec train.
    data
        The data to test on; the run's own when left out.
    protocol
        How people are tested; the run's own when left out.
    columns
        Our names for the file's: user_id=customer,item_id=sku,...
    order
        Name of an integer order column, where there are no times.
    """
    from fedrec.serve import load
    from fedrec.serve.evaluate import evaluate_bundle

    document = evaluate_bundle(load(directory), data, protocol, mapping(columns), order)
    for note in document["notes"]:
        say(note)
    rows = [{"metric": k, "test": v} for k, v in document["test"].items() if isinstance(v, float)]
    title = f"{directory} on {document['data']}, {document['protocol']['name']}, {document['test']['users']:,} users"
    show(title, rows, format, document)
    return 0
