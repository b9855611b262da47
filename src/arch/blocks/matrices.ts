/** Products with matrices, and rows of them, however the graph's weights are kept. */
import type { Value } from '../../graph/graph.ts'
import type { BlockContext } from './block-context.ts'

/** x Wᵀ (+ bias); W [out, in] is the tensor `name.weight`. */
export function product(
  ctx: BlockContext,
  x: Value,
  name: string,
  { out, bias }: { readonly out: number; readonly bias: boolean },
): Value {
  const stored = ctx.matrices?.product(x, [name], bias)
  if (stored) return stored
  const w = ctx.weight(`${name}.weight`, [out, Number(x.shape.at(-1))])
  const y = ctx.b.op('MatMul', [x, w], { transB: true })
  return bias ? ctx.b.op('Add', [y, ctx.weight(`${name}.bias`, [out])], {}) : y
}

/** Rows of the tensor `name` at ids [B, S] → [B, S, columns]. */
export function matrixRows(
  ctx: BlockContext,
  ids: Value,
  name: string,
  shape: readonly [rows: number, columns: number],
): Value {
  const stored = ctx.matrices?.rows(ids, name)
  return stored ?? ctx.b.op('Gather', [ctx.weight(name, shape), ids], { axis: 0 })
}
