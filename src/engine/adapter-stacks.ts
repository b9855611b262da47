/**
 * The adapters that an engine has loaded, stacked for the graph's inputs: for every linear layer one array over all
 * adapters, as wide as the largest rank there; narrower ones are filled up with zeros, which add nothing. Entry 0 is no
 * adapter at all. A change makes new arrays, so that a run in flight keeps those that it began with.
 */
import {
  checkAdapterFits,
  linearLayersOf,
  type LinearLayer,
  type ModelConfig,
} from '../arch/index.ts'
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

export class AdapterStacks {
  readonly #config: ModelConfig
  readonly #layers: readonly LinearLayer[]
  readonly #adapters = new Map<number, Adapter>()
  #stacks: readonly LayerStack[] | null = null
  #lastId = 0

  constructor(config: ModelConfig) {
    this.#config = config
    this.#layers = linearLayersOf(config)
  }

  /** How many are loaded. */
  get size(): number {
    return this.#adapters.size
  }

  /** Reads a PEFT folder; its number is never given again. Fails BAD_CHECKPOINT where it does not fit the model. */
  async load(dir: string): Promise<number> {
    const adapter = await readAdapter(dir)
    checkAdapterFits(adapter, this.#config, dir)
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

function stack(shape: LinearLayer, adapters: readonly Adapter[]): LayerStack {
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
