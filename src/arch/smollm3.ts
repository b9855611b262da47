/** SmolLM 3: Llama in which every fourth layer knows no positions (NoPE). (Bakouch et al. 2025) */
import { z } from 'zod'
import { attention } from './blocks/attention.ts'
import { preNormLayer } from './blocks/layers.ts'
import { gatedMlp } from './blocks/mlp.ts'
import { baseConfig, readBiases } from './config/base.ts'
import { malformed, readFields, size, type ConfigSource } from './config/fields.ts'
import { slidingLayers, windowOnLayers, withoutWindows } from './config/windows.ts'
import { decoder } from './decoder.ts'
import type { ModelConfig } from './model-config.ts'

const smolFields = z.object({
  /** 1 where a layer rotates, whatever the name says. */
  no_rope_layers: z
    .array(z.union([z.literal(0), z.literal(1)]))
    .max(1024)
    .nullish(),
  no_rope_layer_interval: size(1024).default(4),
  use_sliding_window: z.boolean().default(false),
  sliding_window: size(1 << 24).nullish(),
})

function configure(source: ConfigSource): ModelConfig {
  const fields = readFields(source, smolFields)
  const base = baseConfig(source, { tiedEmbeddings: true, kvHeads: 4, ropeTheta: 2_000_000 })
  const stated = fields.no_rope_layers
  if (stated && stated.length < base.layers)
    malformed(source, `no_rope_layers: expected ${base.layers} entries, got ${stated.length}`)
  const interval = fields.no_rope_layer_interval
  const rotates = (layer: number) => (stated ? stated[layer] === 1 : (layer + 1) % interval !== 0)
  const attention = base.attention.map((layer, i) =>
    rotates(i) ? layer : { ...layer, rope: null },
  )
  const config = { ...base, ...readBiases(source), attention }
  if (!fields.use_sliding_window) return withoutWindows(source, config)
  const hasWindow = typeof fields.sliding_window === 'number'
  const sliding = slidingLayers(source, config, (layer) => hasWindow && !rotates(layer))
  return windowOnLayers(source, config, sliding)
}

export const smollm3 = decoder({
  names: ['SmolLM3ForCausalLM'],
  configure,
  layer: preNormLayer(attention(), gatedMlp),
})
