/** Rotary positions in `config.json`: `rope_parameters` (transformers 5) or `rope_theta`, `rope_scaling`. */
import { z } from 'zod'
import type { Rope, RopeScaling } from '../model-config.ts'
import { malformed, readFields, size, unsupported, type ConfigSource } from './fields.ts'

const factors = z.array(z.number().positive()).max(1 << 10)

export const ropeFields = z.object({
  rope_theta: z.number().positive().optional(),
  rope_type: z.string().optional(),
  type: z.string().optional(),
  partial_rotary_factor: z.number().positive().max(1).optional(),
  factor: z.number().positive().nullish(),
  attention_factor: z.number().positive().nullish(),
  original_max_position_embeddings: size(1 << 24).optional(),
  low_freq_factor: z.number().positive().optional(),
  high_freq_factor: z.number().positive().optional(),
  beta_fast: z.number().positive().nullish(),
  beta_slow: z.number().positive().nullish(),
  mscale: z.number().nullish(),
  mscale_all_dim: z.number().nullish(),
  truncate: z.boolean().optional(),
  short_factor: factors.optional(),
  long_factor: factors.optional(),
})
export type RopeFields = z.infer<typeof ropeFields>

const modelFields = z.object({
  max_position_embeddings: size(1 << 24),
  original_max_position_embeddings: size(1 << 24).nullish(),
  partial_rotary_factor: z.number().positive().max(1).nullish(),
  rope_theta: z.number().positive().nullish(),
  rope_scaling: ropeFields.nullish(),
  rope_parameters: ropeFields.nullish(),
})

/** What the scalings take from outside their own fields. */
interface Scope {
  readonly source: ConfigSource
  readonly fields: RopeFields
  readonly kind: string
  readonly dim: number
  readonly maxPositions: number
  /** Of the whole config, or else of the rotary fields. */
  readonly originalMaxPositions: number | null
}

function need(scope: Scope, name: keyof RopeFields): number {
  const value = scope.fields[name]
  if (typeof value === 'number') return value
  return malformed(scope.source, `rope type ${scope.kind} needs "${name}"`)
}

function yarn(scope: Scope): RopeScaling {
  const { fields, maxPositions } = scope
  const original = scope.originalMaxPositions ?? maxPositions
  const factor = fields.factor ?? maxPositions / original
  const strength = (scale: number, by = 1) => (scale <= 1 ? 1 : 0.1 * by * Math.log(scale) + 1)
  const { mscale, mscale_all_dim: allDim } = fields
  const suggested =
    mscale && allDim ? strength(factor, mscale) / strength(factor, allDim) : undefined
  return {
    kind: 'yarn',
    factor,
    betaFast: fields.beta_fast ?? 32,
    betaSlow: fields.beta_slow ?? 1,
    truncate: fields.truncate ?? true,
    originalMaxPositions: original,
    attentionFactor: fields.attention_factor ?? suggested ?? strength(factor),
  }
}

function longrope(scope: Scope): RopeScaling {
  const { source, fields, dim, maxPositions } = scope
  const original = scope.originalMaxPositions ?? maxPositions
  const list = (name: 'short_factor' | 'long_factor') => {
    const found = fields[name]
    if (found?.length === dim / 2) return found
    return malformed(source, `rope type longrope: ${name}: expected ${dim / 2} numbers`)
  }
  const stretch = fields.factor ?? maxPositions / original
  const suggested = stretch <= 1 ? 1 : Math.sqrt(1 + Math.log(stretch) / Math.log(original))
  return {
    kind: 'longrope',
    shortFactors: list('short_factor'),
    longFactors: list('long_factor'),
    originalMaxPositions: original,
    attentionFactor: fields.attention_factor ?? suggested,
  }
}

/** `dynamic` changes nothing up to `max_position_embeddings`, and longer contexts are refused. */
function dynamic(scope: Scope): RopeScaling {
  const { originalMaxPositions: original } = scope
  if (original !== null && original < scope.maxPositions)
    unsupported(
      scope.source,
      `rope type dynamic beyond original_max_position_embeddings ${original}`,
      ['max_position_embeddings up to there'],
    )
  return { kind: 'default' }
}

const scalings: Readonly<Record<string, (scope: Scope) => RopeScaling>> = {
  default: () => ({ kind: 'default' }),
  linear: (scope) => ({ kind: 'linear', factor: need(scope, 'factor') }),
  dynamic,
  llama3: (scope) => ({
    kind: 'llama3',
    factor: need(scope, 'factor'),
    lowFreqFactor: need(scope, 'low_freq_factor'),
    highFreqFactor: need(scope, 'high_freq_factor'),
    originalMaxPositions:
      scope.originalMaxPositions ?? need(scope, 'original_max_position_embeddings'),
  }),
  yarn,
  longrope,
}

export interface RopeOptions {
  readonly headDim: number
  readonly theta: number
  /** Other names of rope types in this family. */
  readonly aliases?: Readonly<Record<string, string>>
  /** What `original_max_position_embeddings` of the whole config is where it is not said. */
  readonly originalMaxPositions?: number
  /** The family can rotate a part of each head. */
  readonly partial?: boolean
}

/** One set of rotary fields, which may be a part of the config. */
export function parseRope(source: ConfigSource, fields: RopeFields, options: RopeOptions): Rope {
  const model = readFields(source, modelFields.partial())
  const share = fields.partial_rotary_factor ?? model.partial_rotary_factor ?? 1
  if (share !== 1 && !options.partial)
    unsupported(source, `partial_rotary_factor ${share} in this architecture`, ['1'])
  const dim = Math.floor(options.headDim * share)
  if (dim % 2 !== 0 || dim < 2)
    malformed(source, `${dim} of ${options.headDim} channels rotate: expected an even number`)
  const stated = fields.rope_type ?? fields.type ?? 'default'
  const kind = options.aliases?.[stated] ?? stated
  const scaling = Object.hasOwn(scalings, kind) ? scalings[kind] : undefined
  if (!scaling) return unsupported(source, `rope type "${stated}"`, Object.keys(scalings))
  const scope = {
    source,
    fields,
    kind,
    dim,
    maxPositions: model.max_position_embeddings ?? 0,
    originalMaxPositions:
      model.original_max_position_embeddings ??
      options.originalMaxPositions ??
      fields.original_max_position_embeddings ??
      null,
  }
  return { theta: fields.rope_theta ?? options.theta, dim, scaling: scaling(scope) }
}

/** The one set of rotary fields of the whole model. */
export function readRope(source: ConfigSource, options: RopeOptions): Rope {
  const model = readFields(source, modelFields)
  const fields = model.rope_parameters ?? model.rope_scaling ?? {}
  return parseRope(source, fields, { ...options, theta: model.rope_theta ?? options.theta })
}
