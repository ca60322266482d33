"""One grouped step of matrix factorisation as one vector operation: a positive together with its negatives.

Grouping breaks the chain of dependencies of sample-by-sample training: the dots of a group are independent, their
errors are computed side by side, and the user's vector stays in registers. Plain version: ``plain_step``.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numpy.typing import NDArray

from fedrec.kernels.vectors import (
    FLOAT,
    INT,
    LANES,
    LONG,
    constant,
    inner,
    load,
    multiply_add,
    row_pointer,
    sigmoid,
    spread,
    store,
    vector_function,
)


@vector_function
def group_step(typing, vector, at, rows, group, size, bpr, lr, item_lr, shrink, keep, width, full):  # type: ignore[no-untyped-def]
    """Take one step with rows ``group[:size]`` (the positive first); later entries of ``group`` must be valid rows.

    ``vector[at : at + d]`` and the rows are updated in place; ``full`` is a tuple of 1 + negatives zeros: its type
    carries the group's size, ``size`` of which are in use (fewer where hardly any item is left to draw).
    """
    d, members = width.count * LANES, full.count
    padded = -(-members // LANES) * LANES

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args
        user_at = row_pointer(context, builder, kinds[0], args[0], args[1], FLOAT, d)
        ids = context.make_array(kinds[3])(context, builder, args[3]).data
        user = load(builder, user_at)
        pointers, logits = [], ir.Constant(ir.VectorType(FLOAT, padded), [0.0] * padded)
        for g in range(members):
            number = builder.sext(load(builder, builder.gep(ids, [ir.Constant(LONG, g)])), LONG)
            start = builder.mul(number, ir.Constant(LONG, d))
            pointers.append(row_pointer(context, builder, kinds[2], args[2], start, FLOAT, d))
            z = inner(builder, user, load(builder, pointers[g]), d)
            logits = builder.insert_element(logits, z, ir.Constant(INT, g))
        errors = _errors(builder, logits, args[4], args[5], members, padded)
        moved = multiply_add(builder, user, spread(builder, builder.fneg(args[8]), d), user)
        for g in range(members):
            error = builder.extract_element(errors, ir.Constant(INT, g))
            row = load(builder, pointers[g])
            moved = multiply_add(builder, row, spread(builder, builder.fneg(builder.fmul(args[6], error)), d), moved)
            pull = builder.fmul(user, spread(builder, builder.fneg(builder.fmul(args[7], error)), d))
            store(builder, multiply_add(builder, row, spread(builder, args[9], d), pull), pointers[g])
        store(builder, moved, user_at)
        return context.get_dummy_value()

    one = types.float32
    return types.void(vector, types.intp, rows, group, types.intp, types.boolean, one, one, one, one, width,
                      full), generate  # fmt: skip


def _errors(builder: Any, logits: Any, size: Any, bpr: Any, members: int, padded: int) -> Any:
    """Return d loss / d logit of each member: binary cross entropy, or BPR summed over the pairs of the group."""
    lanes = ir.Constant(ir.VectorType(INT, padded), list(range(padded)))
    used = builder.icmp_signed("<", lanes, spread(builder, builder.trunc(size, INT), padded))
    first = spread(builder, builder.extract_element(logits, ir.Constant(INT, 0)), padded)
    zero = constant(0.0, padded)
    shifted = builder.fsub(logits, builder.select(bpr, first, zero))
    sigmas = builder.select(used, sigmoid(builder, shifted, padded), zero)
    pairs = ir.Constant(FLOAT, 0.0)
    for g in range(1, members):
        pairs = builder.fsub(pairs, builder.extract_element(sigmas, ir.Constant(INT, g)))
    single = builder.fsub(builder.extract_element(sigmas, ir.Constant(INT, 0)), ir.Constant(FLOAT, 1.0))
    return builder.insert_element(sigmas, builder.select(bpr, pairs, single), ir.Constant(INT, 0))


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def bounded(rows, at, d, square, bound):  # type: ignore[no-untyped-def]
    """Scale the row rows[at : at + d], whose squared norm is ``square``, to the norm ``bound``; return its square.

    A square that is not finite stays what it is, for the caller to see.
    """
    if bound <= 0.0 or not (bound * bound < square < np.inf):
        return square
    factor = np.float32(bound / np.sqrt(square))
    for c in range(at, at + d):
        rows[c] *= factor
    return bound * bound


@numba.njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def norm2(rows, at, d):  # type: ignore[no-untyped-def]
    """Return the squared norm of rows[at : at + d]."""
    square = 0.0
    for c in range(at, at + d):
        square += np.float64(rows[c]) * np.float64(rows[c])
    return square


def bounded_rows(rows: NDArray[np.float32], bound: float) -> NDArray[np.float32]:
    """Return ``rows`` (m, d), each longer than ``bound`` scaled to it; 0: no bound."""
    if bound <= 0:
        return rows
    norms = np.sqrt(np.square(rows.astype(np.float64)).sum(axis=1))
    factors = np.where(norms > bound, bound / np.maximum(norms, bound), 1.0)
    return rows * factors.astype(np.float32)[:, None]


def plain_step(
    user: NDArray[np.float32],
    rows: NDArray[np.float32],
    bpr: bool,
    lr: float,
    item_lr: float,
    decay: float,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return (user (d,), rows (g, d)) after one step, the positive in rows[0]; all gradients at the old values."""
    logits = rows @ user
    with np.errstate(over="ignore"):  # a sigmoid far below zero is 0
        errors = 1.0 / (1.0 + np.exp(logits[0] - logits if bpr else -logits))
    errors[0] = -errors[1:].sum() if bpr else errors[0] - 1.0
    moved = user - np.float32(lr) * (errors @ rows + np.float32(decay) * user)
    return moved, rows - np.float32(item_lr) * (np.outer(errors, user) + np.float32(decay) * rows)
