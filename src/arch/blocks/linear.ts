/** Linear layers with adapters, and layers that hold several matrices in one. */
import type { Value } from '../../graph/graph.ts'
import type { BlockContext, NamedShape } from './block-context.ts'

/** y = x Wᵀ (+ bias) (+ adapter); W has the checkpoint's layout [out, in]. x is [B, S, in]. */
export function linear(
  ctx: BlockContext,
  x: Value,
  name: string,
  sizes: { readonly out: number; readonly bias: boolean },
): Value {
  const { b } = ctx
  const inSize = Number(x.shape.at(-1))
  const w = ctx.weight(`${name}.weight`, [sizes.out, inSize])
  let y = b.op('MatMul', [x, w], { transB: true })
  if (sizes.bias) y = b.op('Add', [y, ctx.weight(`${name}.bias`, [sizes.out])], {})
  return withAdapter(ctx, x, y, name)
}

function withAdapter(ctx: BlockContext, x: Value, y: Value, name: string): Value {
  const { b } = ctx
  const ofRows = ctx.rowUpdate?.(name, x, Number(y.shape.at(-1)))
  if (ofRows) return b.op('Add', [y, ofRows], {})
  const adapter = ctx.lora?.(name)
  if (!adapter) return y
  const low = b.op('MatMul', [x, adapter.a], { transB: true })
  const update = b.op('MatMul', [low, adapter.b], { transB: true, alpha: adapter.scale })
  return b.op('Add', [y, update], {})
}

/** The tensors of a linear layer. */
export const linearShapes = (
  name: string,
  shape: readonly [out: number, in_: number],
  bias: boolean,
): NamedShape[] =>
  bias
    ? [
        [`${name}.weight`, shape],
        [`${name}.bias`, [shape[0]]],
      ]
    : [[`${name}.weight`, shape]]

/** Cuts the last axis [B, S, Σ sizes] into parts. */
export function splitColumns(ctx: BlockContext, x: Value, sizes: readonly number[]): Value[] {
  let start = 0
  return sizes.map((size) => {
    const part = ctx.b.op('Slice', [x], { axis: x.shape.length - 1, start, end: start + size })
    start += size
    return part
  })
}
