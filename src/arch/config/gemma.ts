/** The fields that Gemma 2 and 3 share. */
import { z } from 'zod'
import type { ModelConfig } from '../model-config.ts'
import { activationOf, baseConfig, readBiases, type FamilyDefaults } from './base.ts'
import { readFields, unsupported, type ConfigSource } from './fields.ts'
import { slidingLayers, windowOnLayers } from './windows.ts'

const gemmaFields = z.object({
  hidden_activation: z.string().nullish(),
  query_pre_attn_scalar: z.number().positive().default(256),
  final_logit_softcapping: z.number().positive().nullish(),
  use_bidirectional_attention: z.boolean().nullish(),
})

export interface GemmaDefaults extends FamilyDefaults {
  readonly logitSoftcap: number | null
  /** Is a layer a sliding one where `layer_types` is absent? */
  readonly slides: (layer: number) => boolean
}

/** Norms store w − 1, embeddings are scaled by √H, attention by `query_pre_attn_scalar`. */
export function gemmaConfig(source: ConfigSource, defaults: GemmaDefaults): ModelConfig {
  const fields = readFields(source, gemmaFields)
  if (fields.use_bidirectional_attention)
    unsupported(source, 'use_bidirectional_attention true', ['false'])
  // `hidden_act` has no meaning in these families.
  const raw = { ...(source.raw as object), hidden_act: undefined }
  const base = baseConfig({ ...source, raw }, { tiedEmbeddings: true, headDim: 256, ...defaults })
  const windowed = windowOnLayers(source, base, slidingLayers(source, base, defaults.slides), 4096)
  const { hidden_activation: name = 'gelu_pytorch_tanh' } = fields
  const { final_logit_softcapping: logitSoftcap = defaults.logitSoftcap } = fields
  return {
    ...windowed,
    ...readBiases(source),
    mlpBias: false,
    normOffset: 1,
    embeddingScale: Math.sqrt(base.hiddenSize),
    activation: activationOf(source, 'hidden_activation', name ?? 'gelu_pytorch_tanh'),
    attentionScale: fields.query_pre_attn_scalar ** -0.5,
    logitSoftcap,
  }
}
