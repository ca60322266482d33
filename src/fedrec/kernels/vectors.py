"""Explicit vector arithmetic on rows of flat float32 arrays: the largest gain of the training kernels.

Left to itself the compiler turns a loop over d = 32 numbers into scalar code with a remainder loop. These functions
emit one ``<d x float>`` operation each; LLVM cuts it into the machine's registers. A row is (flat array, position of
its first number). ``width`` is a tuple of ``d / 8`` zeros (see ``width_of``): its *type* carries d, so each kernel is
compiled once a dimension and cached like any other.

No fast-math flags: with them the compiler may order a sum differently each time it inlines a function, and numba's
cached code then differs in the last bits from freshly compiled code. Order and fusing are spelled out instead.

Plain meaning of each, with x = a[i : i + d] and y = b[j : j + d], is its docstring; tests compare them with NumPy.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from fedrec.contract import ConfigError

FLOAT, DOUBLE, INT, LONG = ir.FloatType(), ir.DoubleType(), ir.IntType(32), ir.IntType(64)
LANES = 8
vector_function: Any = intrinsic  # what each function below is: typed for numba, any for a type checker
# 1.5 * 2^52: adding it to |x| < 2^51 leaves x, rounded to the nearest whole number, in the low bits of the double
MAGIC = 6755399441055744.0
MAGIC_BITS = 0x4338000000000000


def width_of(d: int) -> tuple[int, ...]:
    """Return the token whose type tells kernels the row length ``d``, a positive multiple of 8."""
    if d < LANES or d % LANES:
        raise ConfigError(f"a row of {d} numbers; the kernels need a positive multiple of {LANES}, such as 16 or 32")
    return (0,) * (d // LANES)


def row_pointer(context: Any, builder: Any, arrays: Any, array: Any, index: Any, element: Any, d: int) -> Any:
    """Return a pointer to ``d`` elements of a flat array."""
    data = context.make_array(arrays)(context, builder, array).data
    start = builder.gep(data, [index], inbounds=True)
    return builder.bitcast(start, ir.VectorType(element, d).as_pointer())


def load(builder: Any, pointer: Any, align: int = 4) -> Any:
    """Load a vector that is aligned to its elements only."""
    value = builder.load(pointer)
    value.align = align
    return value


def store(builder: Any, value: Any, pointer: Any, align: int = 4) -> None:
    """Store a vector that is aligned to its elements only."""
    builder.store(value, pointer).align = align


def spread(builder: Any, scalar: Any, d: int) -> Any:
    """Return a vector of ``d`` copies of a scalar."""
    vector = ir.VectorType(scalar.type, d)
    one = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, ir.Constant(INT, 0))
    mask = ir.Constant(ir.VectorType(INT, d), [0] * d)
    return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), mask)


def constant(value: float, d: int, element: Any = FLOAT) -> Any:
    """Return a vector of ``d`` times the same number."""
    return ir.Constant(ir.VectorType(element, d), [value] * d)


def _call(builder: Any, name: str, *vectors: Any) -> Any:
    """Call an LLVM intrinsic that is overloaded on one vector type."""
    kind = vectors[0].type
    suffix = f"v{kind.count}f{32 if kind.element == FLOAT else 64}"
    function_type = ir.FunctionType(kind, [v.type for v in vectors])
    function = cgutils.get_or_insert_function(builder.module, function_type, f"llvm.{name}.{suffix}")
    return builder.call(function, vectors)


def multiply_add(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """Return a * b + c, fused where the machine does that; the same everywhere in a program, unlike ``fast``."""
    return _call(builder, "fmuladd", a, b, c)


def _part(builder: Any, vector: Any, start: int, count: int) -> Any:
    mask = ir.Constant(ir.VectorType(INT, count), list(range(start, start + count)))
    return builder.shuffle_vector(vector, ir.Constant(vector.type, ir.Undefined), mask)


def inner(builder: Any, x: Any, y: Any, d: int) -> Any:
    """Return sum(x * y) in a fixed order: eight running sums, then halves onto halves."""
    total = builder.fmul(_part(builder, x, 0, LANES), _part(builder, y, 0, LANES))
    for start in range(LANES, d, LANES):
        total = multiply_add(builder, _part(builder, x, start, LANES), _part(builder, y, start, LANES), total)
    for half in (4, 2, 1):
        total = builder.fadd(_part(builder, total, 0, half), _part(builder, total, half, half))
    return builder.extract_element(total, ir.Constant(INT, 0))


@vector_function
def dot(typing, a, i, b, j, width):  # type: ignore[no-untyped-def]
    """Return sum(x * y), float32."""
    d = width.count * LANES

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        x = load(builder, row_pointer(context, builder, signature.args[0], args[0], args[1], FLOAT, d))
        y = load(builder, row_pointer(context, builder, signature.args[2], args[2], args[3], FLOAT, d))
        return inner(builder, x, y, d)

    return types.float32(a, types.intp, b, types.intp, width), generate


@vector_function
def axpy(typing, a, i, scale, b, j, width):  # type: ignore[no-untyped-def]
    """Do x += scale * y."""
    d = width.count * LANES

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        target = row_pointer(context, builder, signature.args[0], args[0], args[1], FLOAT, d)
        y = load(builder, row_pointer(context, builder, signature.args[3], args[3], args[4], FLOAT, d))
        store(builder, multiply_add(builder, y, spread(builder, args[2], d), load(builder, target)), target)
        return context.get_dummy_value()

    return types.void(a, types.intp, types.float32, b, types.intp, width), generate


@vector_function
def exchange(typing, a, i, mine, rows, j, keep, yours, b, k, width):  # type: ignore[no-untyped-def]
    """Do x += mine * row and row = keep * row + yours * y at once, with the row as it was (a rank-one step)."""
    d = width.count * LANES

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        target = row_pointer(context, builder, signature.args[0], args[0], args[1], FLOAT, d)
        where = row_pointer(context, builder, signature.args[3], args[3], args[4], FLOAT, d)
        y = load(builder, row_pointer(context, builder, signature.args[7], args[7], args[8], FLOAT, d))
        row = load(builder, where)
        store(builder, multiply_add(builder, row, spread(builder, args[2], d), load(builder, target)), target)
        moved = builder.fmul(y, spread(builder, args[6], d))
        store(builder, multiply_add(builder, row, spread(builder, args[5], d), moved), where)
        return context.get_dummy_value()

    one = types.float32
    return types.void(a, types.intp, one, rows, types.intp, one, one, b, types.intp, width), generate


@vector_function
def copy(typing, a, i, b, j, width):  # type: ignore[no-untyped-def]
    """Do x = y."""
    d = width.count * LANES

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        target = row_pointer(context, builder, signature.args[0], args[0], args[1], FLOAT, d)
        y = load(builder, row_pointer(context, builder, signature.args[2], args[2], args[3], FLOAT, d))
        store(builder, y, target)
        return context.get_dummy_value()

    return types.void(a, types.intp, b, types.intp, width), generate


@vector_function
def subtract(typing, a, i, b, j, width):  # type: ignore[no-untyped-def]
    """Do x -= y and return the new sum(x * x), float32 (not finite when a number is not)."""
    d = width.count * LANES

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        target = row_pointer(context, builder, signature.args[0], args[0], args[1], FLOAT, d)
        y = load(builder, row_pointer(context, builder, signature.args[2], args[2], args[3], FLOAT, d))
        x = builder.fsub(load(builder, target), y)
        store(builder, x, target)
        return inner(builder, x, x, d)

    return types.float32(a, types.intp, b, types.intp, width), generate


@vector_function
def add_steps(typing, ring, i, b, j, scale, width):  # type: ignore[no-untyped-def]
    """Do ring[i : i + d] += rint(y * scale), to nearest even, in the ring's own integers (32 or 64 bits).

    |y * scale| must stay below 2^31, or below 2^51 where the ring has 64 bits.
    """
    d = width.count * LANES
    narrow = ring.dtype.bitwidth == 32

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        element = INT if narrow else LONG
        target = row_pointer(context, builder, signature.args[0], args[0], args[1], element, d)
        y = load(builder, row_pointer(context, builder, signature.args[2], args[2], args[3], FLOAT, d))
        if narrow:
            scaled = builder.fmul(y, spread(builder, builder.fptrunc(args[4], FLOAT), d))
            steps = builder.fptosi(_call(builder, "rint", scaled), ir.VectorType(INT, d))
        else:
            scaled = builder.fmul(builder.fpext(y, ir.VectorType(DOUBLE, d)), spread(builder, args[4], d))
            bits = builder.bitcast(builder.fadd(scaled, constant(MAGIC, d, DOUBLE)), ir.VectorType(LONG, d))
            steps = builder.sub(bits, constant(MAGIC_BITS, d, LONG))
        align = element.width // 8
        store(builder, builder.add(load(builder, target, align), steps), target, align)
        return context.get_dummy_value()

    return types.void(ring, types.intp, b, types.intp, types.float64, width), generate


@vector_function
def add_two(typing, a, i, x, y):  # type: ignore[no-untyped-def]
    """Do a[i] += x and a[i + 1] += y at once, int64: one load and one store where two loops would need two of each."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        target = row_pointer(context, builder, signature.args[0], args[0], args[1], LONG, 2)
        both = ir.Constant(ir.VectorType(LONG, 2), ir.Undefined)
        for place in (0, 1):
            both = builder.insert_element(both, args[2 + place], ir.Constant(INT, place))
        store(builder, builder.add(load(builder, target, 8), both), target, 8)
        return context.get_dummy_value()

    return types.void(a, types.intp, types.int64, types.int64), generate


@vector_function
def at_least(typing, a, i, bound, width):  # type: ignore[no-untyped-def]
    """Return an int64 whose bit b says whether x[b] >= bound; d is 64."""
    d = width.count * LANES

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        x = load(builder, row_pointer(context, builder, signature.args[0], args[0], args[1], FLOAT, d))
        return builder.bitcast(builder.fcmp_ordered(">=", x, spread(builder, args[2], d)), ir.IntType(d))

    return types.int64(a, types.intp, types.float32, width), generate


@vector_function
def lowest_bit(typing, bits):  # type: ignore[no-untyped-def]
    """Return the place of the lowest bit set in an int64 that is not 0."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), generate


@vector_function
def prefetch(typing, a, i, count):  # type: ignore[no-untyped-def]
    """Ask for the cache lines of a[i : i + count], about to be written; ``count`` is a tuple of that many numbers / 8."""  # noqa: E501
    width = a.dtype.bitwidth // 8

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        byte = ir.IntType(8)
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        start = builder.bitcast(builder.gep(data, [args[1]], inbounds=True), byte.as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [byte.as_pointer(), INT, INT, INT])
        ask = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        for line in range(0, count.count * LANES * width, 64):
            place = builder.gep(start, [ir.Constant(LONG, line)])
            builder.call(ask, [place, ir.Constant(INT, 1), ir.Constant(INT, 3), ir.Constant(INT, 1)])
        return context.get_dummy_value()

    return types.void(a, types.intp, count), generate


def _exp(builder: Any, z: Any, d: int) -> Any:
    """Return exp(z) by range reduction and a Taylor polynomial, relative error about 1e-7."""
    low, high = constant(-87.0, d), constant(88.0, d)
    z = builder.select(builder.fcmp_ordered("<", z, low), low, z)
    z = builder.select(builder.fcmp_ordered(">", z, high), high, z)
    k = _call(builder, "rint", builder.fmul(z, constant(1.4426950408889634, d)))
    f = multiply_add(builder, k, constant(-0.693359375, d), z)  # ln 2 in two parts: the first is exact in few bits
    f = multiply_add(builder, k, constant(2.12194440e-4, d), f)
    p = constant(1.0 / 5040.0, d)
    for c in (1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0):
        p = multiply_add(builder, p, f, constant(c, d))
    exponent = builder.fptosi(k, ir.VectorType(INT, d))
    bits = builder.shl(builder.add(exponent, constant(127, d, INT)), constant(23, d, INT))
    return builder.fmul(p, builder.bitcast(bits, ir.VectorType(FLOAT, d)))


def sigmoid(builder: Any, z: Any, d: int) -> Any:
    """Return 1 / (1 + exp(-z))."""
    one = constant(1.0, d)
    return builder.fdiv(one, builder.fadd(one, _exp(builder, builder.fneg(z), d)))


@vector_function
def sigmoids(typing, a, i):  # type: ignore[no-untyped-def]
    """Do a[i : i + 8] = 1 / (1 + exp(-a[i : i + 8]))."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        where = row_pointer(context, builder, signature.args[0], args[0], args[1], FLOAT, LANES)
        store(builder, sigmoid(builder, load(builder, where), LANES), where)
        return context.get_dummy_value()

    return types.void(a, types.intp), generate
