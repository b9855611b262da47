/** Linear layers with adapters, and layers that hold several matrices in one. */
import type { Value } from '../../graph/graph.ts'
import type { BlockContext, NamedShape } from './block-context.ts'
import { product } from './matrices.ts'

interface LinearSizes {
  readonly out: number
  readonly bias: boolean
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

/** y = x Wᵀ (+ bias) (+ adapter); W has the checkpoint's layout [out, in]. x is [B, S, in]. */
export const linear = (ctx: BlockContext, x: Value, name: string, sizes: LinearSizes): Value =>
  withAdapter(ctx, x, product(ctx, x, name, sizes), name)

/** Several layers of the same x: one product where their matrices lie next to one another. */
export function linears(
  ctx: BlockContext,
  x: Value,
  layers: readonly { readonly name: string; readonly out: number }[],
  bias: boolean,
): Value[] {
  const names = layers.map(({ name }) => name)
  const joint = ctx.matrices?.product(x, names, bias)
  const sizes = layers.map(({ out }) => out)
  const plain = joint
    ? splitColumns(ctx, joint, sizes)
    : layers.map(({ name, out }) => product(ctx, x, name, { out, bias }))
  return plain.map((y, i) => withAdapter(ctx, x, y, names[i]!))
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
