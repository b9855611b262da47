/** Which layers of a model adapters may target, and whether an adapter fits them. */
import { fail } from '../errors.ts'
import type { Adapter } from '../weights/peft-adapter.ts'
import { architectureOf } from './architectures.ts'
import type { ModelConfig } from './model-config.ts'

/** A linear layer by its checkpoint name without `.weight`. */
export interface LinearLayer {
  readonly layer: string
  readonly in: number
  readonly out: number
}

export function linearLayersOf(config: ModelConfig): LinearLayer[] {
  const { linearLayers: names, weights } = architectureOf(config)
  const shapes = weights(config)
  return Array.from({ length: config.layers }, (_, i) => i).flatMap((i) =>
    names.map((name) => {
      const layer = `model.layers.${i}.${name}`
      const [out, columns] = shapes.get(`${layer}.weight`)!
      return { layer, in: columns!, out: out! }
    }),
  )
}

/** Fails BAD_CHECKPOINT with the first layer that the model lacks or that has other sizes. */
export function checkAdapterFits(adapter: Adapter, config: ModelConfig, dir: string): void {
  const known = new Map(linearLayersOf(config).map((layer) => [layer.layer, layer]))
  for (const name of adapter.targets) {
    const layer = known.get(name)
    if (!layer) fail('BAD_CHECKPOINT', `${dir}: "${name}" is no linear layer of this model`)
    checkSize(adapter, `${name}.lora_A`, layer.in, dir)
    checkSize(adapter, `${name}.lora_B`, layer.out, dir)
  }
}

function checkSize({ tensors, rank }: Adapter, name: string, size: number, dir: string): void {
  const found = tensors.get(name)
  if (!found) fail('BAD_CHECKPOINT', `${dir}: "${name}.weight" is missing`)
  if (found.length === rank * size) return
  const numbers = `expected ${rank} × ${size} numbers, file has ${found.length}`
  fail('BAD_CHECKPOINT', `${dir}: "${name}.weight": ${numbers}`)
}
