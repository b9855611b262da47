/** Where training starts from: a checkpoint's tensors, a seeded random model, or fresh adapters. */
import type { Architecture } from '../arch/architecture.ts'
import type { ModelConfig } from '../arch/model-config.ts'
import { fail } from '../errors.ts'
import type { Random } from '../util/random.ts'
import type { Checkpoint } from '../weights/checkpoint.ts'
import type { LoraShape } from './train-graph.ts'
import type { TrainState } from './train-session.ts'

export type Shapes = ReadonlyMap<string, readonly number[]>

const count = (shape: readonly number[]) => shape.reduce((n, dim) => n * dim, 1)

function normal(random: Random, size: number, deviation: number): Float32Array {
  return Float32Array.from({ length: size }, () => random.normal() * deviation)
}

/**
 * Normal weights of deviation 0.02, those that write into the residual stream divided by √(2L)
 * (Radford et al. 2019); norms as if absent, biases 0.
 */
export function randomParams(
  architecture: Architecture,
  config: ModelConfig,
  random: Random,
): Map<string, Float32Array> {
  const params = new Map<string, Float32Array>()
  for (const [name, shape] of architecture.weights(config)) {
    const size = count(shape)
    if (shape.length === 1) {
      params.set(
        name,
        new Float32Array(size).fill(name.endsWith('.bias') ? 0 : 1 - config.normOffset),
      )
      continue
    }
    const intoResidual = /\.(o_proj|down_proj)\.weight$/.test(name)
    const deviation = intoResidual ? 0.02 / Math.sqrt(2 * config.layers) : 0.02
    params.set(name, normal(random.fork(name), size, deviation))
  }
  return params
}

/** All tensors of the architecture as float32 copies. */
export async function checkpointParams(
  checkpoint: Checkpoint,
  architecture: Architecture,
  config: ModelConfig,
): Promise<Map<string, Float32Array>> {
  const params = new Map<string, Float32Array>()
  for (const name of architecture.weights(config).keys()) {
    const found = checkpoint.tensors.get(name)
    if (!found) return fail('BAD_CHECKPOINT', `${checkpoint.dir}: tensor "${name}" is missing`)
    params.set(name, await found.file.readFloat32(name))
  }
  return params
}

/** Names of the linear layers of the whole model, without `.weight`. */
export function linearLayerNames(architecture: Architecture, config: ModelConfig): string[] {
  return Array.from({ length: config.layers }, (_, layer) =>
    architecture.linearLayers.map((name) => `model.layers.${layer}.${name}`),
  ).flat()
}

/** Shapes of the adapter tensors `<layer>.lora_A` [r, in] and `<layer>.lora_B` [out, r]. */
export function loraShapes(
  architecture: Architecture,
  config: ModelConfig,
  lora: LoraShape,
): Map<string, readonly number[]> {
  const weights = architecture.weights(config)
  const shapes = new Map<string, readonly number[]>()
  for (const name of lora.targets) {
    const shape = weights.get(`${name}.weight`)
    if (!shape)
      return fail('BAD_CHECKPOINT', `adapter target "${name}": the model has no such layer`)
    shapes.set(`${name}.lora_A`, [lora.rank, shape[1]!])
    shapes.set(`${name}.lora_B`, [shape[0]!, lora.rank])
  }
  return shapes
}

/** A uniform in ±1/√in as PEFT's Kaiming initialisation, B zero: the adapter starts as no change. */
export function randomLora(shapes: Shapes, random: Random): Map<string, Float32Array> {
  const params = new Map<string, Float32Array>()
  for (const [name, shape] of shapes) {
    const size = count(shape)
    if (name.endsWith('.lora_B')) {
      params.set(name, new Float32Array(size))
      continue
    }
    const stream = random.fork(name)
    const bound = 1 / Math.sqrt(shape[1]!)
    params.set(
      name,
      Float32Array.from({ length: size }, () => (2 * stream.next() - 1) * bound),
    )
  }
  return params
}

/** Moments of zero for the given parameters. */
export function freshState(params: ReadonlyMap<string, Float32Array>): TrainState {
  const zeros = () =>
    new Map([...params].map(([name, data]) => [name, new Float32Array(data.length)]))
  return { params, m: zeros(), v: zeros() }
}
