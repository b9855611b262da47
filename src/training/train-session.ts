/**
 * One training in memory: parameters and optimizer moments in buffers that ONNX Runtime reads and
 * writes in place, and the sessions that run over them.
 */
import type { Graph } from '../graph/graph.ts'
import { encodeModel } from '../onnx/encode-model.ts'
import { createTensor, Session, type Binding, type Device } from '../ort/index.ts'
import { stepScalars } from './optimizer.ts'
import { DeviceStates, HostStates, type NamedState, type StateMemory } from './state-memory.ts'
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
  /** Default `cpu`. */
  readonly device?: Device
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
  readonly #memory: StateMemory
  readonly #sessions = new Map<string, { session: Session; binding: Binding }>()
  readonly #loss = createTensor('float32', [], new Float32Array(1))
  readonly #norm = createTensor('float32', [], new Float32Array(1))

  private constructor(options: TrainSessionOptions, state: TrainState) {
    this.#options = options
    this.state = state
    const states = namedStates(options, state)
    const isHost = (options.device ?? 'cpu') === 'cpu'
    this.#memory = isHost ? new HostStates(states) : new DeviceStates(states)
  }

  /** Takes over the arrays of `state`; they change with every step, on other devices than `cpu` with every `pull`. */
  static async create(options: TrainSessionOptions, state: TrainState): Promise<TrainSession> {
    const training = new TrainSession(options, state)
    if (options.accumulate > 1) {
      await training.#open('accumulate', buildAccumulateGraph(options))
      await training.#open('update', buildUpdateGraph(options))
    } else {
      await training.#open('train', buildStepGraph(options))
    }
    return training
  }

  async #open(key: string, graph: Graph): Promise<void> {
    const { device, threads, weightsDirectory } = this.#options
    const session = await Session.create({
      model: encodeModel(graph, device),
      weightsDirectory,
      device,
      intraOpThreads: threads,
      memoryPattern: false, // rows of many lengths
    })
    const binding = session.createBinding()
    for (const [name, tensor] of [
      ['loss', this.#loss],
      ['grad_norm', this.#norm],
    ] as const)
      // prettier-ignore
      if (session.outputs.has(name)) binding.bindOutput(name, tensor)
    this.#sessions.set(key, { session, binding })
  }

  async #run(key: string, feed: Feed): Promise<void> {
    const { session, binding } = this.#sessions.get(key)!
    const tensors = Object.entries(feed).map(([name, { type, dims, data }]) => {
      const tensor = createTensor(type, dims, data)
      binding.bindInput(name, tensor)
      return tensor
    })
    await this.#memory.bind(session, binding)
    await session.run(binding)
    this.#memory.wrote(session)
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
      await this.#memory.clear('grad:')
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

  /** Brings the arrays of `state` up to date. */
  pull(): Promise<void> {
    return this.#memory.pull()
  }

  dispose(): void {
    for (const { session, binding } of this.#sessions.values()) {
      binding.dispose()
      session.dispose()
    }
    this.#memory.dispose()
    this.#loss.dispose()
    this.#norm.dispose()
  }
}

/** The arrays by the name of the input that reads them; `grad:` only where they are kept between runs. */
function namedStates(options: TrainSessionOptions, state: TrainState): Map<string, NamedState> {
  const states = new Map<string, NamedState>()
  const sources = { param: state.params, m: state.m, v: state.v }
  for (const [name, shape] of options.trainables) {
    for (const prefix of STATES) {
      const data = sources[prefix].get(name)
      if (!data) throw new Error(`internal: no ${prefix} for ${name}`)
      states.set(`${prefix}:${name}`, { shape, data })
    }
    const size = shape.reduce((n, dim) => n * dim, 1)
    if (options.accumulate > 1) states.set(`grad:${name}`, { shape, data: new Float32Array(size) })
  }
  return states
}
