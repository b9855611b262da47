/** `config.json` of a Hugging Face checkpoint as a checked, frozen `ModelConfig`. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { fail } from '../errors.ts'

/** `default`: θ^(−2i/D). `llama3`: the frequency-dependent stretch of Llama 3.1. */
export type RopeScaling =
  | { readonly kind: 'default' }
  | {
      readonly kind: 'llama3'
      readonly factor: number
      readonly lowFreqFactor: number
      readonly highFreqFactor: number
      readonly originalMaxPositions: number
    }

export interface ModelConfig {
  readonly architecture: string
  readonly vocabSize: number
  readonly hiddenSize: number
  readonly intermediateSize: number
  readonly layers: number
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
  readonly maxPositions: number
  readonly normEps: number
  readonly ropeTheta: number
  readonly ropeScaling: RopeScaling
  readonly tiedEmbeddings: boolean
  readonly attentionBias: boolean
  readonly mlpBias: boolean
}

const size = (max: number) => z.number().int().min(1).max(max)

const rope = z.object({
  rope_theta: z.number().positive().optional(),
  rope_type: z.string().optional(),
  type: z.string().optional(),
  factor: z.number().positive().optional(),
  low_freq_factor: z.number().positive().optional(),
  high_freq_factor: z.number().positive().optional(),
  original_max_position_embeddings: size(1 << 24).optional(),
})

const hfConfig = z.object({
  architectures: z.array(z.string()).min(1),
  vocab_size: size(1 << 22),
  hidden_size: size(1 << 16),
  intermediate_size: size(1 << 18),
  num_hidden_layers: size(512),
  num_attention_heads: size(1024),
  num_key_value_heads: size(1024).optional(),
  head_dim: size(1024).nullish(),
  max_position_embeddings: size(1 << 24),
  rms_norm_eps: z.number().positive().default(1e-6),
  rope_theta: z.number().positive().optional(),
  rope_scaling: rope.nullish(),
  rope_parameters: rope.nullish(),
  tie_word_embeddings: z.boolean().default(false),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  hidden_act: z.string().default('silu'),
})

function parseScaling(raw: z.infer<typeof rope>, where: string): RopeScaling {
  const kind = raw.rope_type ?? raw.type ?? 'default'
  if (kind === 'default') return { kind }
  if (kind !== 'llama3')
    fail('ARCHITECTURE_UNSUPPORTED', `${where}: rope type "${kind}"; supported: default, llama3`)
  const need = (name: keyof typeof raw): number => {
    const value = raw[name]
    return typeof value === 'number'
      ? value
      : fail('BAD_CHECKPOINT', `${where}: rope type llama3 needs "${name}"`)
  }
  return {
    kind,
    factor: need('factor'),
    lowFreqFactor: need('low_freq_factor'),
    highFreqFactor: need('high_freq_factor'),
    originalMaxPositions: need('original_max_position_embeddings'),
  }
}

/** Throws BAD_CHECKPOINT with the field at fault. `where` names the file in messages. */
export function parseModelConfig(raw: unknown, where: string): ModelConfig {
  const parsed = hfConfig.safeParse(raw)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!
    fail('BAD_CHECKPOINT', `${where}: ${issue.path.join('.') || 'config'}: ${issue.message}`)
  }
  const c = parsed.data
  const check = (ok: boolean, message: string) =>
    ok || fail('BAD_CHECKPOINT', `${where}: ${message}`)
  const kvHeads = c.num_key_value_heads ?? c.num_attention_heads
  const headDim = c.head_dim ?? c.hidden_size / c.num_attention_heads
  check(c.hidden_act === 'silu', `hidden_act: expected "silu", got "${c.hidden_act}"`)
  check(
    c.num_attention_heads % kvHeads === 0,
    `num_attention_heads ${c.num_attention_heads} is no multiple of num_key_value_heads ${kvHeads}`,
  )
  check(
    headDim % 8 === 0,
    `head size ${headDim}: attention needs a multiple of 8 (hidden_size / num_attention_heads)`,
  )
  const ropeFields = c.rope_parameters ?? c.rope_scaling ?? {}
  return Object.freeze({
    architecture: c.architectures[0]!,
    vocabSize: c.vocab_size,
    hiddenSize: c.hidden_size,
    intermediateSize: c.intermediate_size,
    layers: c.num_hidden_layers,
    heads: c.num_attention_heads,
    kvHeads,
    headDim,
    maxPositions: c.max_position_embeddings,
    normEps: c.rms_norm_eps,
    ropeTheta: ropeFields.rope_theta ?? c.rope_theta ?? 10_000,
    ropeScaling: parseScaling(ropeFields, where),
    tiedEmbeddings: c.tie_word_embeddings,
    attentionBias: c.attention_bias,
    mlpBias: c.mlp_bias,
  })
}

/** Reads `config.json` of a checkpoint folder. */
export async function readModelConfig(dir: string): Promise<ModelConfig> {
  const path = join(dir, 'config.json')
  const text = await readFile(path, 'utf8').catch((cause: unknown) =>
    fail('BAD_CHECKPOINT', `${path}: cannot be read`, { cause }),
  )
  let raw: unknown
  try {
    raw = JSON.parse(text)
  } catch (cause) {
    fail('BAD_CHECKPOINT', `${path}: not JSON`, { cause })
  }
  return parseModelConfig(raw, path)
}
