"""Sixteen float32 at once: a small portable vector type for Numba kernels.

The sibling of :mod:`mattergym.physics.simd`, with the same rules: a value is an LLVM vector, here
``<16 x float>``, exists in compiled code only, and nothing checks bounds. ``+ - *`` and unary ``-``
work lane by lane.
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
LANES = 16
_VECTOR = ir.VectorType(ir.FloatType(), LANES)
_INDICES = ir.VectorType(ir.IntType(32), LANES)


class F32x16(types.Type):
    """Numba type of sixteen float32."""

    def __init__(self) -> None:
        super().__init__(name="f32x16")


f32x16 = F32x16()


@register_model(F32x16)
class _F32x16Model(models.PrimitiveModel):
    def __init__(self, manager: Any, fe_type: Any) -> None:
        super().__init__(manager, fe_type, _VECTOR)


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), _VECTOR.as_pointer())


@intrinsic
def load(typingctx: Any, array: Any, index: Any) -> Any:
    """Read elements index .. index + 15 of a contiguous float32 array; bounds unchecked."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], args[0], args[1])
        return builder.load(pointer, align=4)

    return f32x16(array, types.intp), generate


@intrinsic
def store(typingctx: Any, array: Any, index: Any, vector: Any) -> Any:
    """Write a vector to elements index .. index + 15 of a float32 array; bounds unchecked."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], args[0], args[1])
        builder.store(args[2], pointer, align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, f32x16), generate


@intrinsic
def splat(typingctx: Any, value: Any) -> Any:
    """Make a vector of sixteen copies of a float32."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        undefined = ir.Constant(_VECTOR, ir.Undefined)
        first = builder.insert_element(undefined, args[0], ir.Constant(ir.IntType(32), 0))
        return builder.shuffle_vector(first, undefined, ir.Constant(_INDICES, [0] * LANES))

    return f32x16(types.float32), generate


@intrinsic
def multiply_add(typingctx: Any, a: Any, b: Any, c: Any) -> Any:
    """Return a * b + c, rounded once where the machine has such an instruction."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        signature_of = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
        function = cgutils.get_or_insert_function(
            builder.module, signature_of, f"llvm.fmuladd.v{LANES}f32"
        )
        return builder.call(function, args)

    return f32x16(f32x16, f32x16, f32x16), generate


@intrinsic
def transpose_tile(
    typingctx: Any, source: Any, i: Any, pitch: Any, target: Any, j: Any, target_pitch: Any
) -> Any:
    """Copy source[i + r pitch + c] to target[j + c target_pitch + r] for r, c < 16."""
    # Riffling row r with row r + 8 four times over moves the bits of the row to the column.
    low = [lane for k in range(8) for lane in (k, LANES + k)]
    high = [lane + 8 for lane in low]

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source, place, pitch, target, target_place, target_pitch = args
        rows = []
        for _ in range(LANES):
            pointer = _pointer(context, builder, signature.args[0], source, place)
            rows.append(builder.load(pointer, align=4))
            place = builder.add(place, pitch)
        for _ in range(4):
            rows = [
                builder.shuffle_vector(rows[r], rows[r + 8], ir.Constant(_INDICES, half))
                for r in range(8)
                for half in (low, high)
            ]
        for row in rows:
            pointer = _pointer(context, builder, signature.args[3], target, target_place)
            builder.store(row, pointer, align=4)
            target_place = builder.add(target_place, target_pitch)
        return context.get_dummy_value()

    arguments = (source, types.intp, types.intp, target, types.intp, types.intp)
    return types.void(*arguments), generate


def _lane_by_lane(name: str) -> Any:
    """Make an intrinsic of a binary instruction of LLVM."""

    @intrinsic
    def operation(typingctx: Any, a: Any, b: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return getattr(builder, name)(args[0], args[1])

        return f32x16(f32x16, f32x16), generate

    return operation


def _overload(function: Callable[..., Any], instruction: Any) -> None:
    @overload(function, strict=False)
    def apply(a: Any, b: Any) -> Any:
        if isinstance(a, F32x16) and isinstance(b, F32x16):
            return lambda a, b: instruction(a, b)
        return None


for _function, _name in ((operator.add, "fadd"), (operator.sub, "fsub"), (operator.mul, "fmul")):
    _overload(_function, _lane_by_lane(_name))


@intrinsic
def _negative(typingctx: Any, vector: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fneg(args[0])

    return f32x16(f32x16), generate


@overload(operator.neg, strict=False)
def _negate(a: Any) -> Any:
    if isinstance(a, F32x16):
        return lambda a: _negative(a)
    return None
