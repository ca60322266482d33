"""Eight samples of a linear model on item rows as one vector operation each: errors, gradient, and the row updates.

A sample is ``2 * row + label``. The functions work on ``samples[at : at + 8]``; of these the first ``left`` count, the
rest must still name valid rows (their errors are zero).
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types

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

FLAT = 1e-12  # below this slope of the sigmoid torch's BCELoss divides by 1e-12 instead


def _pointers(context: Any, builder: Any, kinds: Any, rows: Any, samples: Any, d: int) -> list[Any]:
    """Return pointers to the rows of eight samples."""
    found = []
    for lane in range(LANES):
        sample = builder.extract_element(samples, ir.Constant(INT, lane))
        number = builder.sext(builder.ashr(sample, ir.Constant(INT, 1)), LONG)
        found.append(row_pointer(context, builder, kinds, rows, builder.mul(number, ir.Constant(LONG, d)), FLOAT, d))
    return found


@vector_function
def block_errors(typing, errors, at, rows, samples, first, left, weight, bias, share, width):  # type: ignore[no-untyped-def]
    """Do errors[at : at + 8] = d loss / d logit * share of samples[first : first + 8], for cross entropy."""
    d = width.count * LANES

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args
        chosen = load(builder, row_pointer(context, builder, kinds[3], args[3], args[4], INT, LANES))
        vector = load(builder, row_pointer(context, builder, kinds[6], args[6], ir.Constant(LONG, 0), FLOAT, d))
        logits = spread(builder, args[7], LANES)
        dots = constant(0.0, LANES)
        for lane, pointer in enumerate(_pointers(context, builder, kinds[2], args[2], chosen, d)):
            value = inner(builder, vector, load(builder, pointer), d)
            dots = builder.insert_element(dots, value, ir.Constant(INT, lane))
        p = sigmoid(builder, builder.fadd(dots, logits), LANES)
        labels = builder.sitofp(builder.and_(chosen, constant(1, LANES, INT)), ir.VectorType(FLOAT, LANES))
        error = builder.fmul(builder.fsub(p, labels), spread(builder, args[8], LANES))
        slope = builder.fmul(p, builder.fsub(constant(1.0, LANES), p))
        flat = builder.fcmp_ordered("<", slope, constant(FLAT, LANES))
        error = builder.select(flat, builder.fmul(error, builder.fmul(slope, constant(1.0 / FLAT, LANES))), error)
        lanes = ir.Constant(ir.VectorType(INT, LANES), list(range(LANES)))
        used = builder.icmp_signed("<", lanes, spread(builder, builder.trunc(args[5], INT), LANES))
        error = builder.select(used, error, constant(0.0, LANES))
        store(builder, error, row_pointer(context, builder, kinds[0], args[0], args[1], FLOAT, LANES))
        return context.get_dummy_value()

    one, place = types.float32, types.intp
    return types.void(errors, place, rows, samples, place, place, weight, one, one, width), generate


@vector_function
def block_gradient(typing, gradient, errors, at, rows, samples, first, width):  # type: ignore[no-untyped-def]
    """Do gradient += sum of errors * rows over samples[first : first + 8] and return the sum of the errors."""
    d = width.count * LANES

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args
        chosen = load(builder, row_pointer(context, builder, kinds[4], args[4], args[5], INT, LANES))
        error = load(builder, row_pointer(context, builder, kinds[1], args[1], args[2], FLOAT, LANES))
        where = row_pointer(context, builder, kinds[0], args[0], ir.Constant(LONG, 0), FLOAT, d)
        total = load(builder, where)
        for lane, pointer in enumerate(_pointers(context, builder, kinds[3], args[3], chosen, d)):
            mine = spread(builder, builder.extract_element(error, ir.Constant(INT, lane)), d)
            total = multiply_add(builder, load(builder, pointer), mine, total)
        store(builder, total, where)
        return inner(builder, error, constant(1.0, LANES), LANES)

    return types.float32(gradient, errors, types.intp, rows, samples, types.intp, width), generate


@vector_function
def block_push(typing, rows, samples, first, errors, at, scale, weight, width):  # type: ignore[no-untyped-def]
    """Do row += scale * error * weight for samples[first : first + 8], one after another (a row may come twice)."""
    d = width.count * LANES

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args
        chosen = load(builder, row_pointer(context, builder, kinds[1], args[1], args[2], INT, LANES))
        error = load(builder, row_pointer(context, builder, kinds[3], args[3], args[4], FLOAT, LANES))
        scaled = builder.fmul(error, spread(builder, args[5], LANES))
        vector = load(builder, row_pointer(context, builder, kinds[6], args[6], ir.Constant(LONG, 0), FLOAT, d))
        for lane, pointer in enumerate(_pointers(context, builder, kinds[0], args[0], chosen, d)):
            mine = spread(builder, builder.extract_element(scaled, ir.Constant(INT, lane)), d)
            store(builder, multiply_add(builder, vector, mine, load(builder, pointer)), pointer)
        return context.get_dummy_value()

    return types.void(rows, samples, types.intp, errors, types.intp, types.float32, weight, width), generate
