/** Which layers see only a window of the last tokens: `sliding_window`, `layer_types`. */
import { z } from 'zod'
import type { ModelConfig } from '../model-config.ts'
import { malformed, readFields, size, unsupported, type ConfigSource } from './fields.ts'

const windowFields = z.object({
  sliding_window: size(1 << 24).nullish(),
  use_sliding_window: z.boolean().default(false),
  max_window_layers: z.number().int().min(0).max(1024).default(28),
  layer_types: z.array(z.string()).max(1024).nullish(),
})
const FULL = 'full_attention'
const SLIDING = 'sliding_attention'

/** The window of every layer; a window that holds the whole context is none. */
function withWindows(config: ModelConfig, windows: readonly (number | null)[]): ModelConfig {
  const attention = config.attention.map((layer, i) => {
    const window = windows[i]!
    return { ...layer, window: window === null || window >= config.maxPositions ? null : window }
  })
  return { ...config, attention }
}

/** `sliding_window`, where it is a number, holds for all layers; absent, it is as `assumed`. */
export function windowEverywhere(
  source: ConfigSource,
  config: ModelConfig,
  assumed: number | null,
): ModelConfig {
  const { sliding_window: window = assumed } = readFields(source, windowFields)
  return withWindows(
    config,
    config.attention.map(() => window),
  )
}

/** Is each layer a sliding one: as `layer_types` says, or as the family assumes where it is absent. */
export function slidingLayers(
  source: ConfigSource,
  config: ModelConfig,
  assumed: (layer: number) => boolean,
): boolean[] {
  const { layer_types: types } = readFields(source, windowFields)
  if (!types) return config.attention.map((_, layer) => assumed(layer))
  if (types.length !== config.layers)
    malformed(source, `layer_types: expected ${config.layers} entries, got ${types.length}`)
  const other = types.find((type) => type !== FULL && type !== SLIDING)
  if (other !== undefined) unsupported(source, `layer type "${other}"`, [FULL, SLIDING])
  return types.map((type) => type === SLIDING)
}

export function windowOnLayers(
  source: ConfigSource,
  config: ModelConfig,
  sliding: readonly boolean[],
  assumed: number | null = null,
): ModelConfig {
  const { sliding_window: window = assumed } = readFields(source, windowFields)
  if (window === null && sliding.some(Boolean))
    malformed(source, 'layers of sliding_attention need "sliding_window"')
  return withWindows(
    config,
    sliding.map((isSliding) => (isSliding ? window : null)),
  )
}

/** For `use_sliding_window` false: a layer that asks for a window all the same is refused. */
export function withoutWindows(source: ConfigSource, config: ModelConfig): ModelConfig {
  if (slidingLayers(source, config, () => false).some(Boolean))
    malformed(source, 'layers of sliding_attention need "use_sliding_window": true')
  return config
}

/** Qwen's fields: a window only with `use_sliding_window`, from layer `max_window_layers` on. */
export function windowFromLayer(source: ConfigSource, config: ModelConfig): ModelConfig {
  const fields = readFields(source, windowFields)
  if (!fields.use_sliding_window) return withoutWindows(source, config)
  const hasWindow = fields.sliding_window !== null
  const sliding = slidingLayers(
    source,
    config,
    (layer) => hasWindow && layer >= fields.max_window_layers,
  )
  return windowOnLayers(source, config, sliding, 4096)
}
