"""Eight unsigned 64-bit integers at once: a small portable vector type for Numba kernels.

A value of the type is an LLVM vector ``<8 x i64>``. LLVM lowers it to whatever the machine has:
one AVX-512 register, two AVX2 registers, four of SSE2 or NEON. Inside ``@njit`` functions it
knows ``^ & | ~ + << >>`` lane by lane (the shifts take an integer or a vector), and the functions
of this module. It exists in compiled code only: it cannot be boxed, nor stored but by
:func:`store`. Nothing here checks bounds; the callers do, at the boundary of their module.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import extending
from numba.core import cgutils, types
from numba.extending import models, overload, register_model

# Compiled code calls an intrinsic without its typing context, which type checkers cannot know.
intrinsic: Any = extending.intrinsic
LANES = 8
_I64 = ir.IntType(64)
_VECTOR = ir.VectorType(_I64, LANES)


class U64x8(types.Type):
    """Numba type of eight uint64."""

    def __init__(self) -> None:
        super().__init__(name="u64x8")


u64x8 = U64x8()


@register_model(U64x8)
class _U64x8Model(models.PrimitiveModel):
    def __init__(self, manager: Any, fe_type: Any) -> None:
        super().__init__(manager, fe_type, _VECTOR)


def _broadcast(builder: Any, scalar: Any) -> Any:
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(first, undefined, zeros)


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), _VECTOR.as_pointer())


def _nonzero(builder: Any, vector: Any) -> Any:
    return builder.icmp_unsigned("!=", vector, ir.Constant(_VECTOR, [0] * LANES))


@intrinsic
def load(typingctx: Any, array: Any, index: Any) -> Any:
    """Read elements index .. index + 7 of a contiguous uint64 array; bounds unchecked."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], args[0], args[1])
        return builder.load(pointer, align=8)

    return u64x8(array, types.intp), generate


@intrinsic
def store(typingctx: Any, array: Any, index: Any, vector: Any) -> Any:
    """Write a vector to elements index .. index + 7 of a uint64 array; bounds unchecked."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], args[0], args[1])
        builder.store(args[2], pointer, align=8)
        return context.get_dummy_value()

    return types.void(array, types.intp, u64x8), generate


@intrinsic
def splat(typingctx: Any, value: Any) -> Any:
    """Make a vector of eight copies of a uint64."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _broadcast(builder, args[0])

    return u64x8(types.uint64), generate


@intrinsic
def any_bit(typingctx: Any, vector: Any) -> Any:
    """Whether any bit of the vector is set."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        mask = builder.bitcast(_nonzero(builder, args[0]), ir.IntType(LANES))
        return builder.icmp_unsigned("!=", mask, ir.Constant(ir.IntType(LANES), 0))

    return types.boolean(u64x8), generate


@intrinsic
def where_nonzero(typingctx: Any, mask: Any, yes: Any, no: Any) -> Any:
    """Take ``yes`` in the lanes where ``mask`` is not 0, else ``no``."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(_nonzero(builder, args[0]), args[1], args[2])

    return u64x8(u64x8, u64x8, u64x8), generate


@intrinsic
def count_bits(typingctx: Any, vector: Any) -> Any:
    """Count the set bits of every lane."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        signature_of = ir.FunctionType(_VECTOR, [_VECTOR])
        function = cgutils.get_or_insert_function(
            builder.module, signature_of, f"llvm.ctpop.v{LANES}i64"
        )
        return builder.call(function, [args[0]])

    return u64x8(u64x8), generate


def _lane_by_lane(name: str) -> Any:
    """Make an intrinsic of a binary instruction of LLVM."""

    @intrinsic
    def operation(typingctx: Any, a: Any, b: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return getattr(builder, name)(args[0], args[1])

        return u64x8(u64x8, u64x8), generate

    return operation


_INSTRUCTIONS: dict[Callable[..., Any], Any] = {
    operator.xor: _lane_by_lane("xor"),
    operator.and_: _lane_by_lane("and_"),
    operator.or_: _lane_by_lane("or_"),
    operator.add: _lane_by_lane("add"),
    operator.lshift: _lane_by_lane("shl"),
    operator.rshift: _lane_by_lane("lshr"),
}
# Vectors are values: an in-place operator makes a new one.
_INSTRUCTIONS[operator.ixor] = _INSTRUCTIONS[operator.xor]
_INSTRUCTIONS[operator.iand] = _INSTRUCTIONS[operator.and_]
_INSTRUCTIONS[operator.iadd] = _INSTRUCTIONS[operator.add]
_INSTRUCTIONS[operator.ior] = _INSTRUCTIONS[operator.or_]
_SHIFTS = (operator.lshift, operator.rshift)


def _overload(function: Callable[..., Any], instruction: Any) -> None:
    @overload(function, strict=False)
    def apply(a: Any, b: Any) -> Any:
        if not isinstance(a, U64x8):
            return None
        if isinstance(b, U64x8):
            return lambda a, b: instruction(a, b)
        if function in _SHIFTS and isinstance(b, types.Integer):
            return lambda a, b: instruction(a, splat(b))
        return None


for _function, _instruction in _INSTRUCTIONS.items():
    _overload(_function, _instruction)


@intrinsic
def _complement(typingctx: Any, vector: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.xor(args[0], ir.Constant(_VECTOR, [2**64 - 1] * LANES))

    return u64x8(u64x8), generate


@overload(operator.invert, strict=False)
def _invert(a: Any) -> Any:
    if isinstance(a, U64x8):
        return lambda a: _complement(a)
    return None
