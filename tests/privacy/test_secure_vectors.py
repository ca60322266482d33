"""The committed test vectors are what the code does, and they hold against independent arithmetic."""

import hashlib
import hmac
import json
import re

import pytest

from fedrec.privacy import secure
from fedrec.privacy.secure import messages
from fedrec.privacy.secure.shamir import PRIME
from tests.privacy.make_vectors import FOLDER, files


@pytest.mark.parametrize("name", ["blocks.json", "round32.json", "round64.json"])
def test_vectors_are_current(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == files()[name], "python -m tests.privacy.make_vectors"


def test_blocks_against_other_arithmetic() -> None:
    b = json.loads((FOLDER / "blocks.json").read_text(encoding="utf-8"))
    assert hashlib.sha256(b"fedrec secure sum v1 plan\0abc").hexdigest() == b["digest"]["out"]
    d = b["derive"]  # RFC 5869 by hand
    extracted = hmac.digest(bytes.fromhex(d["session"]), bytes.fromhex(d["secret"]), "sha256")
    info = b"fedrec pair\0" + (1).to_bytes(4, "little") + (2).to_bytes(4, "little")
    assert hmac.digest(extracted, info + b"\1", "sha256").hex() == d["out"]
    s = b["shamir"]
    for holder, share in s["shares"].items():
        value = (int(s["secret"], 16) + int(s["coefficient"]) * (int(holder) + 1)) % PRIME
        assert value.to_bytes(33, "big").hex() == share
    m = b["mask"]["first_values"]
    assert [int(x) | int(y) << 32 for x, y in zip(m["32"][::2], m["32"][1::2], strict=True)] == [
        int(x) for x in m["64"][:2]
    ]
    assert secure.Identity(bytes(range(32))).public.hex() == b["sign"]["public"]


def test_the_sum_of_a_vector_file_is_the_plain_sum() -> None:
    for bits in (32, 64):
        r = json.loads((FOLDER / f"round{bits}.json").read_text(encoding="utf-8"))
        plain = [sum(int(r["vectors"][k][j]) for k in r["in_the_sum"]) for j in range(r["length"])]
        half = 2 ** (bits - 1)
        assert [(x + half) % (2 * half) - half for x in plain] == [int(x) for x in r["sum"]]
        assert r["in_the_sum"] == [0, 1, 2, 4, 5, 6, 7]


def test_the_page_states_the_layout_of_the_code() -> None:
    page = (FOLDER.parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
    sizes = {"u8": 1, "u16": 2, "u32": 4, "u64": 8, "32 bytes": 32, "4 bytes": 4}
    for title, layout in (("## Header", messages.HEADER), ("**1 ANNOUNCE**", messages.PLAN)):
        rows = re.findall(r"^\| (\d+) \| ([^|]+) \|", page.split(title)[1].split("\n\n**")[0].split("Hash:")[0], re.M)
        at = 0
        for offset, kind in rows:
            assert int(offset) == at, (title, offset)
            at += sizes[kind]
        assert at == layout.size
    for kind in messages.Kind:
        assert f"**{kind.value} {kind.name}**" in page
    for size in (messages.KEYS, messages.PLAN.size, messages.KEYS_MESSAGE, messages.ECHO_MESSAGE, messages.SEALED):
        assert f"{size} bytes" in page
