"""Small portable vector types for Numba kernels: eight uint64, or sixteen float32, at once.

A value is an LLVM vector, ``<8 x i64>`` or ``<16 x float>``. LLVM lowers it to whatever the machine
has: one AVX-512 register, two AVX2 registers, four of SSE2 or NEON. Inside ``@njit`` functions the
integers know ``^ & | ~ + << >>`` lane by lane (the shifts take an integer or a vector), the floats
``+ - *`` and unary ``-``, and both the functions of this module. Vectors exist in compiled code
only: they cannot be boxed, nor stored but by :func:`store`. Arrays must be one-dimensional and
C-contiguous, of the element's dtype, or compilation fails; nothing here checks bounds: the callers
do, at the boundary of their module.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import extending
from numba.core import cgutils, types
from numba.core.errors import TypingError
from numba.extending import models, overload, register_model

# Compiled code calls an intrinsic without its typing context, which type checkers cannot know.
intrinsic: Any = extending.intrinsic
WORDS, FLOATS = 8, 16
_I32 = ir.IntType(32)


class Vector(types.Type):
    """Numba type of some numbers at once.

    Parameters
    ----------
    element : numba.types.Type
        Of one lane.
    scalar : llvmlite.ir.Type
        The same for LLVM.
    lanes : int
    align : int
        Bytes that addresses are multiples of.
    """

    def __init__(self, element: types.Type, scalar: ir.Type, lanes: int, align: int) -> None:
        self.element, self.lanes, self.align = element, lanes, align
        self.ir = ir.VectorType(scalar, lanes)
        super().__init__(name=f"{element}x{lanes}")


u64x8 = Vector(types.uint64, ir.IntType(64), WORDS, 8)
f32x16 = Vector(types.float32, ir.FloatType(), FLOATS, 4)
_BY_ELEMENT = {vector.element: vector for vector in (u64x8, f32x16)}


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, fe_type: Any) -> None:
        super().__init__(manager, fe_type, fe_type.ir)


def _vector_of(array: Any) -> Vector:
    """Vector type of an array's elements.

    Raises
    ------
    TypingError
        If the array is not one-dimensional, C-contiguous, of a dtype that has a vector type.
    """
    if not isinstance(array, types.Array) or array.dtype not in _BY_ELEMENT:
        raise TypingError(f"{array} is no array of uint64 or float32")
    if array.ndim != 1 or array.layout != "C":
        raise TypingError(f"{array} is not one-dimensional and C-contiguous")
    return _BY_ELEMENT[array.dtype]


def _broadcast(builder: Any, vector: Vector, scalar: Any) -> Any:
    undefined = ir.Constant(vector.ir, ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(_I32, 0))
    zeros = ir.Constant(ir.VectorType(_I32, vector.lanes), [0] * vector.lanes)
    return builder.shuffle_vector(first, undefined, zeros)


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    pointer = _BY_ELEMENT[array_type.dtype].ir.as_pointer()
    return builder.bitcast(builder.gep(data, [index]), pointer)


@intrinsic
def load(typingctx: Any, array: Any, index: Any) -> Any:
    """Read a vector of elements from ``index`` on; bounds unchecked."""
    vector = _vector_of(array)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], args[0], args[1])
        return builder.load(pointer, align=vector.align)

    return vector(array, types.intp), generate


@intrinsic
def store(typingctx: Any, array: Any, index: Any, value: Any) -> Any:
    """Write a vector to the elements from ``index`` on; bounds unchecked."""
    vector = _vector_of(array)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], args[0], args[1])
        builder.store(args[2], pointer, align=vector.align)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), generate


@intrinsic
def splat(typingctx: Any, value: Any) -> Any:
    """Make a vector of copies of a float32, or of an integer as uint64."""
    vector = f32x16 if isinstance(value, types.Float) else u64x8

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _broadcast(builder, vector, args[0])

    return vector(vector.element), generate


def _call(name: str, arguments: int, vector: Vector) -> Any:
    """Make the code that calls an LLVM intrinsic of vectors."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        signature_of = ir.FunctionType(vector.ir, [vector.ir] * arguments)
        function = cgutils.get_or_insert_function(builder.module, signature_of, name)
        return builder.call(function, args)

    return generate


def _nonzero(builder: Any, words: Any) -> Any:
    return builder.icmp_unsigned("!=", words, ir.Constant(u64x8.ir, [0] * WORDS))


# ---- integers -----------------------------------------------------------------------------------


@intrinsic
def any_bit(typingctx: Any, words: Any) -> Any:
    """Whether any bit of the vector is set."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        mask = builder.bitcast(_nonzero(builder, args[0]), ir.IntType(WORDS))
        return builder.icmp_unsigned("!=", mask, ir.Constant(ir.IntType(WORDS), 0))

    return types.boolean(u64x8), generate


@intrinsic
def where_nonzero(typingctx: Any, mask: Any, yes: Any, no: Any) -> Any:
    """Take ``yes`` in the lanes where ``mask`` is not 0, else ``no``."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(_nonzero(builder, args[0]), args[1], args[2])

    return u64x8(u64x8, u64x8, u64x8), generate


@intrinsic
def count_bits(typingctx: Any, words: Any) -> Any:
    """Count the set bits of every lane."""
    return u64x8(u64x8), _call(f"llvm.ctpop.v{WORDS}i64", 1, u64x8)


# ---- floats -------------------------------------------------------------------------------------


@intrinsic
def multiply_add(typingctx: Any, a: Any, b: Any, c: Any) -> Any:
    """Return a * b + c, rounded once where the machine has such an instruction."""
    return f32x16(f32x16, f32x16, f32x16), _call(f"llvm.fmuladd.v{FLOATS}f32", 3, f32x16)


@intrinsic
def transpose_tile(
    typingctx: Any, source: Any, i: Any, pitch: Any, target: Any, j: Any, target_pitch: Any
) -> Any:
    """Copy source[i + r pitch + c] to target[j + c target_pitch + r] for r, c < 16."""
    if _vector_of(source) is not f32x16 or _vector_of(target) is not f32x16:
        raise TypingError(f"{source} and {target} are not both arrays of float32")
    # Riffling row r with row r + 8 four times over moves the bits of the row to the column.
    low = [lane for k in range(8) for lane in (k, FLOATS + k)]
    halves = [
        ir.Constant(ir.VectorType(_I32, FLOATS), half) for half in (low, [k + 8 for k in low])
    ]

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source, place, pitch, target, target_place, target_pitch = args
        rows = []
        for _ in range(FLOATS):
            pointer = _pointer(context, builder, signature.args[0], source, place)
            rows.append(builder.load(pointer, align=4))
            place = builder.add(place, pitch)
        for _ in range(4):
            rows = [
                builder.shuffle_vector(rows[r], rows[r + 8], half)
                for r in range(8)
                for half in halves
            ]
        for row in rows:
            pointer = _pointer(context, builder, signature.args[3], target, target_place)
            builder.store(row, pointer, align=4)
            target_place = builder.add(target_place, target_pitch)
        return context.get_dummy_value()

    arguments = (source, types.intp, types.intp, target, types.intp, types.intp)
    return types.void(*arguments), generate


# ---- operators ----------------------------------------------------------------------------------


def _lane_by_lane(vector: Vector, name: str) -> Any:
    """Make an intrinsic of a binary instruction of LLVM."""

    @intrinsic
    def operation(typingctx: Any, a: Any, b: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return getattr(builder, name)(args[0], args[1])

        return vector(vector, vector), generate

    return operation


# By operator: the instruction for integers and the one for floats. Vectors are values: an in-place
# operator makes a new one.
_WORDS = {name: _lane_by_lane(u64x8, name) for name in ("xor", "and_", "or_", "add", "shl", "lshr")}
_FLOATS = {name: _lane_by_lane(f32x16, name) for name in ("fadd", "fsub", "fmul")}
_OPERATORS: tuple[tuple[Callable[..., Any], Any, Any], ...] = (
    (operator.xor, _WORDS["xor"], None),
    (operator.ixor, _WORDS["xor"], None),
    (operator.and_, _WORDS["and_"], None),
    (operator.iand, _WORDS["and_"], None),
    (operator.or_, _WORDS["or_"], None),
    (operator.ior, _WORDS["or_"], None),
    (operator.add, _WORDS["add"], _FLOATS["fadd"]),
    (operator.iadd, _WORDS["add"], _FLOATS["fadd"]),
    (operator.sub, None, _FLOATS["fsub"]),
    (operator.mul, None, _FLOATS["fmul"]),
    (operator.lshift, _WORDS["shl"], None),
    (operator.rshift, _WORDS["lshr"], None),
)


def _overload(function: Callable[..., Any], of_words: Any, of_floats: Any) -> None:
    shifts = function in (operator.lshift, operator.rshift)

    @overload(function, strict=False)
    def apply(a: Any, b: Any) -> Any:
        if of_words and a is u64x8 and b is u64x8:
            return lambda a, b: of_words(a, b)
        if of_floats and a is f32x16 and b is f32x16:
            return lambda a, b: of_floats(a, b)
        if shifts and a is u64x8 and isinstance(b, types.Integer):
            return lambda a, b: of_words(a, splat(b))
        return None


for _entry in _OPERATORS:
    _overload(*_entry)


@intrinsic
def _complement(typingctx: Any, words: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.xor(args[0], ir.Constant(u64x8.ir, [2**64 - 1] * WORDS))

    return u64x8(u64x8), generate


@intrinsic
def _negative(typingctx: Any, floats: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fneg(args[0])

    return f32x16(f32x16), generate


@overload(operator.invert, strict=False)
def _invert(a: Any) -> Any:
    return (lambda a: _complement(a)) if a is u64x8 else None


@overload(operator.neg, strict=False)
def _negate(a: Any) -> Any:
    return (lambda a: _negative(a)) if a is f32x16 else None
