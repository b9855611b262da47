/** Self-attention: projections, norms of the heads, the core of the graph kind, the output. */
import type { Value } from '../../graph/graph.ts'
import type { ModelConfig } from '../model-config.ts'
import type { Block, BlockContext } from './block-context.ts'
import { linear, linears, linearShapes, splitColumns } from './linear.ts'
import { headNorm } from './norm.ts'

const sizesOf = ({ heads, kvHeads, headDim, hiddenSize }: ModelConfig) => ({
  q: heads * headDim,
  kv: kvHeads * headDim,
  hidden: hiddenSize,
})

const output = (ctx: BlockContext, mixed: Value, name: string) =>
  linear(ctx, mixed, `${name}.o_proj`, {
    out: ctx.config.hiddenSize,
    bias: ctx.config.outputBias,
  })

/** One matrix each for q, k and v. `headNorms`: an RMS norm over every head of q and k. */
export const attention = ({ headNorms = false } = {}): Block => ({
  apply(ctx, x, { layer, name }) {
    const { heads, kvHeads, qkvBias: bias } = ctx.config
    const { q: qSize, kv: kvSize } = sizesOf(ctx.config)
    const projections = [
      { name: `${name}.q_proj`, out: qSize },
      { name: `${name}.k_proj`, out: kvSize },
      { name: `${name}.v_proj`, out: kvSize },
    ]
    const [q, k, v] = linears(ctx, x, projections, bias) as [Value, Value, Value]
    if (!headNorms) return output(ctx, ctx.attention(layer, q, k, v), name)
    const normedQ = headNorm(ctx, q, heads, `${name}.q_norm`)
    const normedK = headNorm(ctx, k, kvHeads, `${name}.k_norm`)
    return output(ctx, ctx.attention(layer, normedQ, normedK, v), name)
  },
  weights(config, name) {
    const { q, kv, hidden } = sizesOf(config)
    return [
      ...linearShapes(`${name}.q_proj`, [q, hidden], config.qkvBias),
      ...linearShapes(`${name}.k_proj`, [kv, hidden], config.qkvBias),
      ...linearShapes(`${name}.v_proj`, [kv, hidden], config.qkvBias),
      ...linearShapes(`${name}.o_proj`, [hidden, q], config.outputBias),
      ...(headNorms
        ? ([
            [`${name}.q_norm.weight`, [config.headDim]],
            [`${name}.k_norm.weight`, [config.headDim]],
          ] as const)
        : []),
    ]
  },
  linears: ['q_proj', 'k_proj', 'v_proj', 'o_proj'],
})

/** q, k and v below one another in one matrix. */
export const fusedAttention: Block = {
  apply(ctx, x, { layer, name }) {
    const { q: qSize, kv } = sizesOf(ctx.config)
    const out = qSize + 2 * kv
    const all = linear(ctx, x, `${name}.qkv_proj`, { out, bias: ctx.config.qkvBias })
    const [q, k, v] = splitColumns(ctx, all, [qSize, kv, kv])
    return output(ctx, ctx.attention(layer, q!, k!, v!), name)
  },
  weights(config, name) {
    const { q, kv, hidden } = sizesOf(config)
    return [
      ...linearShapes(`${name}.qkv_proj`, [q + 2 * kv, hidden], config.qkvBias),
      ...linearShapes(`${name}.o_proj`, [hidden, q], config.outputBias),
    ]
  },
  linears: ['qkv_proj', 'o_proj'],
}
