/** Token embeddings. */
import type { Value } from '../../graph/graph.ts'
import type { BlockContext } from './block-context.ts'
import { matrixRows } from './matrices.ts'

/** Rows of the embedding matrix [V, H] at ids [B, S] → [B, S, H], scaled as the family wants. */
export function embed(ctx: BlockContext, ids: Value, name: string): Value {
  const { vocabSize, hiddenSize, embeddingScale } = ctx.config
  const rows = matrixRows(ctx, ids, name, [vocabSize, hiddenSize])
  if (embeddingScale === 1) return rows
  return ctx.b.op('Mul', [rows, ctx.b.scalar(embeddingScale)], {})
}
