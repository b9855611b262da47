/** RMS norms (Zhang & Sennrich 2019): over the hidden size, and over every head. */
import type { Value } from '../../graph/graph.ts'
import type { BlockContext } from './block-context.ts'

/** Over the last axis, with the weights that stand at `name`. */
export function rmsNorm(ctx: BlockContext, x: Value, name: string): Value {
  const { b, config } = ctx
  const stored = ctx.weight(`${name}.weight`, [Number(x.shape.at(-1))])
  const { normOffset, normEps: epsilon } = config
  const w = normOffset === 0 ? stored : b.op('Add', [stored, b.scalar(normOffset)], {})
  return b.op('RmsNorm', [x, w], { epsilon })
}

/** Each of the heads in [B, S, heads·D] by itself. */
export function headNorm(ctx: BlockContext, x: Value, heads: number, name: string): Value {
  const { b, config } = ctx
  const split = b.op('Reshape', [x], { shape: [0, 0, heads, config.headDim] })
  const normed = rmsNorm(ctx, split, name)
  return b.op('Reshape', [normed], { shape: [0, 0, heads * config.headDim] })
}
