/** The Llama family: pre-norm decoder, rotary attention with grouped heads, SwiGLU. (Touvron et al. 2023) */
import type { Value } from '../graph/graph.ts'
import type { Architecture } from './architecture.ts'
import {
  embed,
  gatedMlp,
  rmsNorm,
  selfAttention,
  type BlockContext,
} from './blocks/block-context.ts'
import type { ModelConfig } from './model-config.ts'

const EMBEDDING = 'model.embed_tokens.weight'
const HEAD = 'lm_head.weight'

function decoderLayer(ctx: BlockContext, x: Value, layer: number): Value {
  const name = `model.layers.${layer}`
  const attended = selfAttention(
    ctx,
    rmsNorm(ctx, x, `${name}.input_layernorm`),
    layer,
    `${name}.self_attn`,
  )
  const middle = ctx.b.op('Add', [x, attended], {})
  const mlp = gatedMlp(ctx, rmsNorm(ctx, middle, `${name}.post_attention_layernorm`), `${name}.mlp`)
  return ctx.b.op('Add', [middle, mlp], {})
}

const withBias = (name: string, shape: [number, number], bias: boolean): [string, number[]][] =>
  bias
    ? [
        [`${name}.weight`, shape],
        [`${name}.bias`, [shape[0]]],
      ]
    : [[`${name}.weight`, shape]]

function layerWeights(config: ModelConfig, layer: number): [string, number[]][] {
  const {
    hiddenSize: H,
    intermediateSize: I,
    heads,
    kvHeads,
    headDim,
    attentionBias,
    mlpBias,
  } = config
  const name = `model.layers.${layer}`
  return [
    [`${name}.input_layernorm.weight`, [H]],
    ...withBias(`${name}.self_attn.q_proj`, [heads * headDim, H], attentionBias),
    ...withBias(`${name}.self_attn.k_proj`, [kvHeads * headDim, H], attentionBias),
    ...withBias(`${name}.self_attn.v_proj`, [kvHeads * headDim, H], attentionBias),
    ...withBias(`${name}.self_attn.o_proj`, [H, heads * headDim], attentionBias),
    [`${name}.post_attention_layernorm.weight`, [H]],
    ...withBias(`${name}.mlp.gate_proj`, [I, H], mlpBias),
    ...withBias(`${name}.mlp.up_proj`, [I, H], mlpBias),
    ...withBias(`${name}.mlp.down_proj`, [H, I], mlpBias),
  ]
}

export const llama: Architecture = {
  names: ['LlamaForCausalLM'],
  hidden(ctx, ids) {
    let x = embed(ctx, ids, EMBEDDING)
    for (let layer = 0; layer < ctx.config.layers; layer++) x = decoderLayer(ctx, x, layer)
    return x
  },
  finalNorm: (ctx, x) => rmsNorm(ctx, x, 'model.norm'),
  logits(ctx, x) {
    const { vocabSize, hiddenSize, tiedEmbeddings } = ctx.config
    const w = ctx.weight(tiedEmbeddings ? EMBEDDING : HEAD, [vocabSize, hiddenSize])
    return ctx.b.op('MatMul', [x, w], { transB: true })
  },
  weights(config) {
    const { vocabSize: V, hiddenSize: H } = config
    const layers = Array.from({ length: config.layers }, (_, i) => layerWeights(config, i))
    return new Map([
      [EMBEDDING, [V, H]],
      ...layers.flat(),
      ['model.norm.weight', [H]],
      ...(config.tiedEmbeddings ? [] : ([[HEAD, [V, H]]] as [string, number[]][])),
    ] as [string, number[]][])
  },
  vocabularyWeights: [EMBEDDING, HEAD],
  linearLayers: [
    'self_attn.q_proj',
    'self_attn.k_proj',
    'self_attn.v_proj',
    'self_attn.o_proj',
    'mlp.gate_proj',
    'mlp.up_proj',
    'mlp.down_proj',
  ],
}
