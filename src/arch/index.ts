/** The architectures from outside: configurations, and checkpoints opened and checked. */
import { openCheckpoint, type Checkpoint } from '../weights/checkpoint.ts'
import { architectureOf } from './architectures.ts'
import type { ModelConfig } from './model-config.ts'
import { readModelConfig } from './read-model-config.ts'
import { checkWeights } from './weights.ts'

export { checkAdapterFits, linearLayersOf, type LinearLayer } from './adapter-layers.ts'
export { architectureOf } from './architectures.ts'
export { stackNames } from './blocks/row-adapters.ts'
export { uniformPositions, type ModelConfig } from './model-config.ts'
export { parseModelConfig, readModelConfig } from './read-model-config.ts'

/** Opens a checkpoint and checks every tensor against its architecture. Close it after use. */
export async function openModel(
  dir: string,
): Promise<{ config: ModelConfig; checkpoint: Checkpoint }> {
  const config = await readModelConfig(dir)
  const architecture = architectureOf(config)
  const checkpoint = await openCheckpoint(dir)
  try {
    checkWeights(checkpoint, architecture, config)
  } catch (error) {
    await checkpoint.close()
    throw error
  }
  return { config, checkpoint }
}
