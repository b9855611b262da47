/**
 * Adapters chosen row by row: every row of a batch has its own low-rank updates, or none. The matrices of all loaded
 * adapters come as inputs, stacked, so that adapters come and go without another graph; entry 0 is zero and leaves a row
 * as it was, bit for bit. (Chen et al. 2023, Punica)
 */
import type { Value } from '../../graph/graph.ts'
import type { Builder } from '../../ops/builder.ts'
import type { BlockContext } from './block-context.ts'

/** The graph's inputs for a linear layer. The scale α/r is a part of `b`. */
export const stackNames = (layer: string) => ({
  a: `adapters.${layer}.a`,
  b: `adapters.${layer}.b`,
})

/**
 * Adds the inputs `adapter_index` int64 [batch] and, for every linear layer, `adapters.<layer>.a` [n, in, r] and `.b`
 * [n, r, out]; r may differ between layers.
 */
export function rowAdapters(b: Builder): NonNullable<BlockContext['rowUpdate']> {
  const index = b.input('adapter_index', 'int64', ['batch'])
  return (layer, x, out) => {
    const names = stackNames(layer)
    const rank = `rank.${layer}`
    const chosen = (name: string, shape: readonly (number | string)[]): Value => {
      const stack = b.input(name, 'float32', ['adapters', ...shape])
      const rows = b.op('Gather', [stack, index], { axis: 0 })
      return b.float === 'float32' ? rows : b.op('Cast', [rows], { to: b.float })
    }
    const low = b.op('MatMul', [x, chosen(names.a, [Number(x.shape.at(-1)), rank])], {})
    return b.op('MatMul', [low, chosen(names.b, [rank, out])], {})
  }
}
