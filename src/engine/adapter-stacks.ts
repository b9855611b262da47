/**
 * The adapters that an engine has loaded, stacked for the graph's inputs: for every linear layer one array over all
 * adapters, as wide as the largest rank there; narrower ones are filled up with zeros, which add nothing. Entry 0 is no
 * adapter at all. A change makes new arrays, so that a run in flight keeps those that it began with.
 */
import { architectureOf, type ModelConfig } from '../arch/index.ts'
import { fail } from '../errors.ts'
import { readAdapter, type Adapter } from '../weights/peft-adapter.ts'

/** Stacks of one linear layer: `a` [n, in, r], `b` [n, r, out]. */
export interface LayerStack {
  readonly layer: string
  readonly dims: {
    readonly n: number
    readonly in: number
    readonly r: number
    readonly out: number
  }
  readonly a: Float32Array
  readonly b: Float32Array
}

interface LayerShape {
  readonly layer: string
  readonly in: number
  readonly out: number
}

export class AdapterStacks {
  readonly #layers: readonly LayerShape[]
  readonly #adapters = new Map<number, Adapter>()
  #stacks: readonly LayerStack[] | null = null
  #lastId = 0

  constructor(config: ModelConfig) {
    this.#layers = linearLayers(config)
  }

  /** How many are loaded. */
  get size(): number {
    return this.#adapters.size
  }

  /** Reads a PEFT folder; its number is never given again. Fails BAD_CHECKPOINT where it does not fit the model. */
  async load(dir: string): Promise<number> {
    const adapter = await readAdapter(dir)
    checkFits(adapter, this.#layers, dir)
    this.#lastId += 1
    this.#adapters.set(this.#lastId, adapter)
    this.#stacks = null
    return this.#lastId
  }

  unload(id: number): void {
    if (this.#adapters.delete(id)) this.#stacks = null
  }

  /** Where in the stacks an adapter lies; 0 for none, and for one that is gone. */
  positionOf(id: number): number {
    return [...this.#adapters.keys()].indexOf(id) + 1
  }

  get stacks(): readonly LayerStack[] {
    this.#stacks ??= this.#layers.map((layer) => stack(layer, [...this.#adapters.values()]))
    return this.#stacks
  }
}

/** Every linear layer of the model, by its name in adapters. */
function linearLayers(config: ModelConfig): LayerShape[] {
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
function checkFits(adapter: Adapter, layers: readonly LayerShape[], dir: string): void {
  const known = new Map(layers.map((layer) => [layer.layer, layer]))
  for (const name of adapter.targets) {
    const layer = known.get(name)
    if (!layer) fail('BAD_CHECKPOINT', `${dir}: "${name}" is no linear layer of this model`)
    const { rank } = adapter
    for (const [part, size] of [
      ['lora_A', layer.in],
      ['lora_B', layer.out],
    ] as const) {
      const found = adapter.tensors.get(`${name}.${part}`)
      if (!found) fail('BAD_CHECKPOINT', `${dir}: "${name}.${part}.weight" is missing`)
      if (found.length !== rank * size) {
        const numbers = `expected ${rank} × ${size} numbers, file has ${found.length}`
        fail('BAD_CHECKPOINT', `${dir}: "${name}.${part}.weight": ${numbers}`)
      }
    }
  }
}

function stack(shape: LayerShape, adapters: readonly Adapter[]): LayerStack {
  const { layer } = shape
  const of = adapters.filter(({ targets }) => targets.has(layer))
  const r = Math.max(1, ...of.map(({ rank }) => rank))
  const dims = { n: adapters.length + 1, in: shape.in, r, out: shape.out }
  const a = new Float32Array(dims.n * dims.in * r)
  const b = new Float32Array(dims.n * r * dims.out)
  adapters.forEach((adapter, i) => {
    if (!adapter.targets.has(layer)) return
    const columns = adapter.tensors.get(`${layer}.lora_A`)! // [rank, in]
    const rows = adapter.tensors.get(`${layer}.lora_B`)! // [out, rank]
    const { rank } = adapter
    const scale = adapter.alpha / rank
    const [startA, startB] = [(i + 1) * dims.in * r, (i + 1) * r * dims.out]
    for (let k = 0; k < rank; k += 1) {
      for (let c = 0; c < dims.in; c += 1) a[startA + c * r + k] = columns[k * dims.in + c]!
      for (let o = 0; o < dims.out; o += 1)
        b[startB + k * dims.out + o] = scale * rows[o * rank + k]!
    }
  })
  return { layer, dims, a, b }
}
