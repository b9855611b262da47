/**
 * One training in memory: parameters and optimizer moments in buffers that ONNX Runtime reads and
 * writes in place, and the sessions that run over them.
 */
import type { Graph } from '../graph/graph.ts'
import { encodeModel } from '../onnx/encode-model.ts'
import { createTensor, Session, type Binding, type Tensor } from '../ort/index.ts'
import { stepScalars } from './optimizer.ts'
import {
  buildAccumulateGraph,
  buildLossGraph,
  buildStepGraph,
  buildUpdateGraph,
  type TrainGraphOptions,
} from './train-graph.ts'

/** The arrays of one micro-batch by input name; shapes as in `train-graph.ts`. */
export interface FeedTensor {
  readonly type: 'int64' | 'float32'
  readonly dims: readonly number[]
  readonly data: BigInt64Array | Float32Array
}
export type Feed = Readonly<Record<string, FeedTensor>>

export interface StepOptions {
  readonly step: number
  readonly lr: number
}

export interface TrainState {
  readonly params: ReadonlyMap<string, Float32Array>
  readonly m: ReadonlyMap<string, Float32Array>
  readonly v: ReadonlyMap<string, Float32Array>
}

export interface TrainSessionOptions extends TrainGraphOptions {
  readonly weightDecay: number
  readonly threads: number
  /** Folder that frozen weights refer to. */
  readonly weightsDirectory?: string
  /** Micro-batches per optimizer step; 1 runs everything in one graph. */
  readonly accumulate: number
}

const STATES = ['param', 'm', 'v'] as const

/** Owns native sessions; call `dispose`. */
export class TrainSession {
  readonly state: TrainState
  readonly #options: TrainSessionOptions
  readonly #tensors = new Map<string, Tensor>()
  readonly #sessions = new Map<string, { session: Session; binding: Binding }>()
  readonly #loss = createTensor('float32', [], new Float32Array(1))
  readonly #norm = createTensor('float32', [], new Float32Array(1))

  private constructor(options: TrainSessionOptions, state: TrainState) {
    this.#options = options
    this.state = state
    const sources = { param: state.params, m: state.m, v: state.v }
    for (const prefix of STATES) {
      for (const [name, shape] of options.trainables) {
        const data = sources[prefix].get(name)
        if (!data) throw new Error(`internal: no ${prefix} for ${name}`)
        this.#tensors.set(`${prefix}:${name}`, createTensor('float32', shape, data))
      }
    }
  }

  /** Takes over the arrays of `state`; they change with every step. */
  static async create(options: TrainSessionOptions, state: TrainState): Promise<TrainSession> {
    const training = new TrainSession(options, state)
    if (options.accumulate > 1) {
      for (const [name, shape] of options.trainables) {
        const size = shape.reduce((n, dim) => n * dim, 1)
        const zeros = new Float32Array(size)
        training.#tensors.set(`grad:${name}`, createTensor('float32', shape, zeros))
      }
      await training.#open('accumulate', buildAccumulateGraph(options))
      await training.#open('update', buildUpdateGraph(options))
    } else {
      await training.#open('train', buildStepGraph(options))
    }
    return training
  }

  async #open(key: string, graph: Graph): Promise<void> {
    const session = await Session.create({
      model: encodeModel(graph),
      weightsDirectory: this.#options.weightsDirectory,
      intraOpThreads: this.#options.threads,
      memoryPattern: false, // rows of many lengths
    })
    const binding = session.createBinding()
    for (const { name } of graph.inputs) {
      const tensor = this.#tensors.get(name)
      if (tensor) binding.bindInput(name, tensor)
    }
    for (const { name } of graph.outputs) {
      const state = this.#tensors.get(name.replace('_out:', ':'))
      if (state) binding.bindOutput(name, state)
      else binding.bindOutput(name, name === 'loss' ? this.#loss : this.#norm)
    }
    this.#sessions.set(key, { session, binding })
  }

  async #run(key: string, feed: Feed): Promise<void> {
    const { session, binding } = this.#sessions.get(key)!
    const tensors = Object.entries(feed).map(([name, { type, dims, data }]) => {
      const tensor = createTensor(type, dims, data)
      binding.bindInput(name, tensor)
      return tensor
    })
    await session.run(binding)
    for (const tensor of tensors) tensor.dispose()
  }

  /** One optimizer step over one micro-batch, or over several when accumulating. */
  async step(
    feeds: readonly Feed[],
    { step, lr }: StepOptions,
  ): Promise<{ loss: number; gradNorm: number }> {
    const { beta1, beta2 } = this.#options.adam
    const numbers = stepScalars(step, lr, { beta1, beta2, weightDecay: this.#options.weightDecay })
    const scalars: Record<string, FeedTensor> = {}
    for (const [name, value] of Object.entries(numbers))
      scalars[name] = { type: 'float32', dims: [], data: Float32Array.of(value) }
    let loss = 0
    if (this.#options.accumulate > 1) {
      for (const [name, tensor] of this.#tensors) {
        if (name.startsWith('grad:')) (tensor.data as Float32Array).fill(0)
      }
      for (const feed of feeds) {
        await this.#run('accumulate', feed)
        loss += this.#loss.data[0] as number
      }
      await this.#run('update', scalars)
    } else {
      await this.#run('train', { ...feeds[0]!, ...scalars })
      loss = this.#loss.data[0] as number
    }
    return { loss, gradNorm: this.#norm.data[0] as number }
  }

  /** Loss of a batch without training; the session is made at the first call. */
  async evaluate(feed: Feed): Promise<number> {
    if (!this.#sessions.has('loss')) await this.#open('loss', buildLossGraph(this.#options))
    await this.#run('loss', feed)
    return this.#loss.data[0] as number
  }

  dispose(): void {
    for (const { session, binding } of this.#sessions.values()) {
      binding.dispose()
      session.dispose()
    }
    for (const tensor of this.#tensors.values()) tensor.dispose()
    this.#loss.dispose()
    this.#norm.dispose()
  }
}
