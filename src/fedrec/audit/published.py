"""What lies on the server's disk: does any file that may be copied hold a person's data?"""

from __future__ import annotations

import numpy as np

from fedrec.audit.line import Line, judged, skipped
from fedrec.audit.setup import Setup
from fedrec.experiment.arrays import read_arrays

NAME = "files outside private/"
EXPERIMENT = "the bytes of people's histories, arrays with a row a person, and the noise key, in a run's files"
LONG = 5  # items a history must have: shorter ones may be found by chance


def lines(setup: Setup) -> list[Line]:
    """Return the line of a run's folder."""
    if setup.folder is None:
        return [skipped(NAME, EXPERIMENT, "only a config was given; a run's folder has files")]
    files = [p for p in sorted(setup.folder.iterdir()) if p.is_file()]
    blobs = {p.name: p.read_bytes() for p in files}
    found = []
    for row in setup.chosen:
        items = setup.users.history(int(row)).items
        if len(items) < LONG:
            continue
        for kind in (np.int32, np.int64, np.float32):
            needle = np.ascontiguousarray(items, kind).tobytes()
            found += [f"a history in {name}" for name, blob in blobs.items() if needle in blob]
    arrays = read_arrays(setup.folder / "model.safetensors")[0]
    people = setup.catalog.n_users
    if people != setup.catalog.n_items:
        found += [f"{name} has an axis of {people:,}, one a person" for name, a in arrays.items() if people in a.shape]
    found += [f"{name} is not what a device needs" for name in arrays if name not in setup.algorithm.model]
    if (setup.folder / "private" / "noise.key").exists():
        found.append("private/noise.key was left behind: whoever has it can take the noise off")
    told = "; ".join(sorted(set(found))) if found else f"{len(files)} files searched: {', '.join(blobs)}"
    told += (
        ". private/ holds histories and private state, unencrypted: in a deployment each person's part is on a device"
    )
    return [Line(NAME, judged(not found), EXPERIMENT, len(set(found)), None, None, told, unit="finds", target="0")]
