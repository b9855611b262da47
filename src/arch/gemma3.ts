/**
 * Gemma 3, text only: Gemma 2 with norms of the heads in place of soft caps, and local and global
 * layers with rotary bases of their own. (Gemma Team 2025)
 */
import { z } from 'zod'
import { attention } from './blocks/attention.ts'
import { sandwichNormLayer } from './blocks/layers.ts'
import { gatedMlp } from './blocks/mlp.ts'
import { readFields, size, unsupported, type ConfigSource } from './config/fields.ts'
import { gemmaConfig } from './config/gemma.ts'
import { parseRope, ropeFields, type RopeFields } from './config/rope.ts'
import { slidingLayers } from './config/windows.ts'
import { decoder } from './decoder.ts'
import type { ModelConfig } from './model-config.ts'

const gemma3Fields = z.object({
  sliding_window_pattern: size(512).optional(),
  _sliding_window_pattern: size(512).optional(),
  attn_logit_softcapping: z.number().nullish(),
  rope_theta: z.number().positive().default(1_000_000),
  rope_local_base_freq: z.number().positive().default(10_000),
  rope_scaling: ropeFields.nullish(),
  rope_parameters: z
    .object({ full_attention: ropeFields, sliding_attention: ropeFields })
    .nullish(),
})
type Gemma3Fields = z.infer<typeof gemma3Fields>

/** The older spelling scales the global layers only. */
function readRopes(source: ConfigSource, fields: Gemma3Fields, headDim: number) {
  const { rope_parameters: both, rope_scaling: scaling } = fields
  const parse = (part: RopeFields, theta: number) => parseRope(source, part, { headDim, theta })
  return {
    full: parse({ ...both?.full_attention, ...scaling }, fields.rope_theta),
    sliding: parse(both?.sliding_attention ?? {}, fields.rope_local_base_freq),
  }
}

function configure(source: ConfigSource): ModelConfig {
  const fields = readFields(source, gemma3Fields)
  // transformers has the field and does not use it, so what it would mean is not known.
  if (typeof fields.attn_logit_softcapping === 'number')
    unsupported(source, 'attn_logit_softcapping in Gemma 3', ['null'])
  const every = fields.sliding_window_pattern ?? fields._sliding_window_pattern ?? 6
  const slides = (layer: number) => (layer + 1) % every !== 0
  // The two sets of rotary fields are read here: what all families share knows one.
  const raw = { ...(source.raw as object), rope_parameters: null, rope_scaling: null }
  const config = gemmaConfig({ ...source, raw }, { kvHeads: 4, logitSoftcap: null, slides })
  const ropes = readRopes(source, fields, config.headDim)
  const sliding = slidingLayers(source, config, slides)
  const attention = config.attention.map((layer, i) => {
    return { ...layer, rope: sliding[i] ? ropes.sliding : ropes.full }
  })
  return { ...config, attention }
}

export const gemma3 = decoder({
  names: ['Gemma3ForCausalLM'],
  configure,
  layer: sandwichNormLayer(attention({ headNorms: true }), gatedMlp),
})
