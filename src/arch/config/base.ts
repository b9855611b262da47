/** The fields that all families share. Each family's file starts from these and adds its own. */
import { z } from 'zod'
import type { Activation, ModelConfig } from '../model-config.ts'
import { malformed, readFields, size, unsupported, type ConfigSource } from './fields.ts'
import { readQuantization } from './quantization.ts'
import { readRope, type RopeOptions } from './rope.ts'

/** What transformers assumes in this family where `config.json` is silent. */
export interface FamilyDefaults {
  readonly tiedEmbeddings?: boolean
  readonly normEps?: number
  readonly kvHeads?: number
  readonly headDim?: number
  readonly ropeTheta?: number
  readonly rope?: Pick<RopeOptions, 'aliases' | 'partial' | 'originalMaxPositions'>
}

const hfConfig = z.object({
  architectures: z.array(z.string()).min(1),
  vocab_size: size(1 << 22),
  hidden_size: size(1 << 16),
  intermediate_size: size(1 << 18),
  num_hidden_layers: size(512),
  num_attention_heads: size(1024),
  num_key_value_heads: size(1024).nullish(),
  head_dim: size(1024).nullish(),
  max_position_embeddings: size(1 << 24),
  rms_norm_eps: z.number().positive().optional(),
  tie_word_embeddings: z.boolean().optional(),
  hidden_act: z.string().default('silu'),
  quantization_config: z.unknown().optional(),
})
type HfConfig = z.infer<typeof hfConfig>

const activations: Readonly<Record<string, Activation>> = {
  silu: 'silu',
  gelu_pytorch_tanh: 'gelu_tanh',
}

export function activationOf(source: ConfigSource, field: string, name: string): Activation {
  const found = Object.hasOwn(activations, name) ? activations[name] : undefined
  return found ?? unsupported(source, `${field} "${name}"`, Object.keys(activations))
}

/** Absent: the family's default, or as many as heads; null: as many as heads. */
function kvHeadsOf(config: HfConfig, defaults: FamilyDefaults): number {
  const { num_key_value_heads: stated, num_attention_heads: heads } = config
  return stated === undefined ? (defaults.kvHeads ?? heads) : (stated ?? heads)
}

function headDimOf(config: HfConfig, defaults: FamilyDefaults): number {
  const { head_dim: stated, hidden_size: hidden, num_attention_heads: heads } = config
  return stated ?? (stated === undefined ? defaults.headDim : undefined) ?? hidden / heads
}

/** Throws BAD_CHECKPOINT with the field at fault, ARCHITECTURE_UNSUPPORTED with the feature. */
export function baseConfig(source: ConfigSource, defaults: FamilyDefaults = {}): ModelConfig {
  const c = readFields(source, hfConfig)
  const kvHeads = kvHeadsOf(c, defaults)
  const headDim = headDimOf(c, defaults)
  if (c.num_attention_heads % kvHeads !== 0)
    malformed(
      source,
      `num_attention_heads ${c.num_attention_heads} is no multiple of num_key_value_heads ${kvHeads}`,
    )
  if (headDim % 8 !== 0)
    malformed(
      source,
      `head size ${headDim}: attention needs a multiple of 8 (hidden_size / num_attention_heads)`,
    )
  const theta = defaults.ropeTheta ?? 10_000
  const rope = readRope(source, { ...defaults.rope, headDim, theta })
  return {
    architecture: c.architectures[0]!,
    vocabSize: c.vocab_size,
    hiddenSize: c.hidden_size,
    intermediateSize: c.intermediate_size,
    layers: c.num_hidden_layers,
    heads: c.num_attention_heads,
    kvHeads,
    headDim,
    maxPositions: c.max_position_embeddings,
    normEps: c.rms_norm_eps ?? defaults.normEps ?? 1e-6,
    normOffset: 0,
    tiedEmbeddings: c.tie_word_embeddings ?? defaults.tiedEmbeddings ?? false,
    embeddingScale: 1,
    qkvBias: false,
    outputBias: false,
    mlpBias: false,
    activation: activationOf(source, 'hidden_act', c.hidden_act),
    attentionScale: 1 / Math.sqrt(headDim),
    attentionSoftcap: null,
    logitSoftcap: null,
    attention: Array.from({ length: c.num_hidden_layers }, () => ({ rope, window: null })),
    quantization: readQuantization(source, c.quantization_config),
  }
}

const biasFields = z.object({
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
})

/** `attention_bias` on all four projections, `mlp_bias` on all three. */
export function readBiases(
  source: ConfigSource,
): Pick<ModelConfig, 'qkvBias' | 'outputBias' | 'mlpBias'> {
  const { attention_bias: attention, mlp_bias: mlpBias } = readFields(source, biasFields)
  return { qkvBias: attention, outputBias: attention, mlpBias }
}
