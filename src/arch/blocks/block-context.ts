/** What every block needs: the builder, the model's sizes, and where its weights come from. */
import type { Value } from '../../graph/graph.ts'
import type { Builder } from '../../ops/builder.ts'
import type { ModelConfig } from '../model-config.ts'

/** Low-rank update of one linear layer: y += scale · (x Aᵀ) Bᵀ. (Hu et al. 2021) */
export interface LoraPair {
  readonly a: Value
  readonly b: Value
  readonly scale: number
}

/** Attention over projected q [B,S,N·D], k and v [B,S,Nkv·D] → [B,S,N·D]; one per graph kind. */
export type AttentionCore = (layer: number, q: Value, k: Value, v: Value) => Value

export interface BlockContext {
  readonly b: Builder
  readonly config: ModelConfig
  /** The weight of that checkpoint name, in the builder's float type. */
  weight(name: string, shape: readonly number[]): Value
  /** The adapter of a linear layer, by the layer's checkpoint name without `.weight`. */
  lora?(name: string): LoraPair | undefined
  readonly attention: AttentionCore
}

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
  const adapter = ctx.lora?.(name)
  if (!adapter) return y
  const low = b.op('MatMul', [x, adapter.a], { transB: true })
  const update = b.op('MatMul', [low, adapter.b], { transB: true, alpha: adapter.scale })
  return b.op('Add', [y, update], {})
}

export function rmsNorm(ctx: BlockContext, x: Value, name: string): Value {
  const size = Number(x.shape.at(-1))
  const w = ctx.weight(`${name}.weight`, [size])
  return ctx.b.op('RmsNorm', [x, w], { epsilon: ctx.config.normEps })
}

/** SwiGLU: down(silu(gate(x)) ∘ up(x)). (Shazeer 2020) */
export function gatedMlp(ctx: BlockContext, x: Value, name: string): Value {
  const { hiddenSize, intermediateSize, mlpBias: bias } = ctx.config
  const gate = linear(ctx, x, `${name}.gate_proj`, { out: intermediateSize, bias })
  const up = linear(ctx, x, `${name}.up_proj`, { out: intermediateSize, bias })
  const gated = ctx.b.op('Mul', [ctx.b.op('Silu', [gate], {}), up], {})
  return linear(ctx, gated, `${name}.down_proj`, { out: hiddenSize, bias })
}

export function selfAttention(ctx: BlockContext, x: Value, layer: number, name: string): Value {
  const { heads, kvHeads, headDim, hiddenSize, attentionBias: bias } = ctx.config
  const q = linear(ctx, x, `${name}.q_proj`, { out: heads * headDim, bias })
  const k = linear(ctx, x, `${name}.k_proj`, { out: kvHeads * headDim, bias })
  const v = linear(ctx, x, `${name}.v_proj`, { out: kvHeads * headDim, bias })
  return linear(ctx, ctx.attention(layer, q, k, v), `${name}.o_proj`, { out: hiddenSize, bias })
}

/** Rows of the embedding matrix [V, H] at ids [B, S] → [B, S, H]. */
export function embed(ctx: BlockContext, ids: Value, name: string): Value {
  const { vocabSize, hiddenSize } = ctx.config
  return ctx.b.op('Gather', [ctx.weight(name, [vocabSize, hiddenSize]), ids], { axis: 0 })
}
