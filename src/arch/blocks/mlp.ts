/** Gated feed-forward: down(act(gate(x)) ∘ up(x)). (Shazeer 2020) */
import type { Value } from '../../graph/graph.ts'
import type { Block, BlockContext } from './block-context.ts'
import { linear, linears, linearShapes, splitColumns } from './linear.ts'

const activationOps = { silu: 'Silu', gelu_tanh: 'GeluTanh' } as const

function gated(ctx: BlockContext, gate: Value, up: Value, name: string): Value {
  const { activation, hiddenSize, mlpBias: bias } = ctx.config
  const open = ctx.b.op(activationOps[activation], [gate], {})
  const product = ctx.b.op('Mul', [open, up], {})
  return linear(ctx, product, `${name}.down_proj`, { out: hiddenSize, bias })
}

export const gatedMlp: Block = {
  apply(ctx, x, { name }) {
    const { intermediateSize: out, mlpBias: bias } = ctx.config
    const layers = [
      { name: `${name}.gate_proj`, out },
      { name: `${name}.up_proj`, out },
    ]
    const [gate, up] = linears(ctx, x, layers, bias) as [Value, Value]
    return gated(ctx, gate, up, name)
  },
  weights: ({ hiddenSize: H, intermediateSize: I, mlpBias }, name) => [
    ...linearShapes(`${name}.gate_proj`, [I, H], mlpBias),
    ...linearShapes(`${name}.up_proj`, [I, H], mlpBias),
    ...linearShapes(`${name}.down_proj`, [H, I], mlpBias),
  ],
  linears: ['gate_proj', 'up_proj', 'down_proj'],
}

/** gate and up below one another in one matrix. */
export const fusedGatedMlp: Block = {
  apply(ctx, x, { name }) {
    const { intermediateSize: I, mlpBias: bias } = ctx.config
    const both = linear(ctx, x, `${name}.gate_up_proj`, { out: 2 * I, bias })
    const [gate, up] = splitColumns(ctx, both, [I, I])
    return gated(ctx, gate!, up!, name)
  },
  weights: ({ hiddenSize: H, intermediateSize: I, mlpBias }, name) => [
    ...linearShapes(`${name}.gate_up_proj`, [2 * I, H], mlpBias),
    ...linearShapes(`${name}.down_proj`, [H, I], mlpBias),
  ],
  linears: ['gate_up_proj', 'down_proj'],
}
