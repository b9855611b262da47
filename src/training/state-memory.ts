/**
 * Where a training's states lie (parameters, moments, accumulated gradients), by the name of the graph's input. On the
 * processor a graph reads and writes the same arrays. On other devices a state is there twice: a run reads one and writes
 * the other, because kernels may not read and write one buffer, and the arrays are brought up to date on demand.
 */
import {
  createTensor,
  DeviceCopier,
  type Binding,
  type DeviceTensor,
  type Session,
  type Tensor,
} from '../ort/index.ts'

export interface NamedState {
  readonly shape: readonly number[]
  readonly data: Float32Array
}

export interface StateMemory {
  /** Before a run: binds what the graph reads and writes of the states. */
  bind(session: Session, binding: Binding): Promise<void>
  /** After a run that wrote states. */
  wrote(session: Session): void
  /** Sets a state's array, and what runs see of it, to zero. */
  clear(prefix: string): Promise<void>
  /** Brings the arrays up to date. */
  pull(): Promise<void>
  dispose(): void
}

const inputOf = (output: string): string => output.replace('_out:', ':')

export class HostStates implements StateMemory {
  readonly #tensors: ReadonlyMap<string, Tensor>
  readonly #bound = new Set<Binding>()

  constructor(states: ReadonlyMap<string, NamedState>) {
    this.#tensors = new Map(
      [...states].map(([name, { shape, data }]) => [name, createTensor('float32', shape, data)]),
    )
  }

  async bind(session: Session, binding: Binding): Promise<void> {
    if (this.#bound.has(binding)) return
    this.#bound.add(binding)
    for (const name of session.inputNames) {
      const tensor = this.#tensors.get(name)
      if (tensor) binding.bindInput(name, tensor)
    }
    for (const name of session.outputNames) {
      const tensor = this.#tensors.get(inputOf(name))
      if (tensor) binding.bindOutput(name, tensor)
    }
  }

  wrote(): void {}

  async clear(prefix: string): Promise<void> {
    for (const [name, tensor] of this.#tensors)
      if (name.startsWith(prefix)) (tensor.data as Float32Array).fill(0)
  }

  async pull(): Promise<void> {}

  dispose(): void {
    for (const tensor of this.#tensors.values()) tensor.dispose()
  }
}

interface Pair {
  readonly host: Tensor<'float32'>
  current: DeviceTensor<'float32'>
  spare: DeviceTensor<'float32'>
}

export class DeviceStates implements StateMemory {
  readonly #states: ReadonlyMap<string, NamedState>
  #pairs: Map<string, Pair> | undefined
  #copier: DeviceCopier | undefined

  constructor(states: ReadonlyMap<string, NamedState>) {
    this.#states = states
  }

  async bind(session: Session, binding: Binding): Promise<void> {
    const pairs = (this.#pairs ??= await this.#push(session))
    for (const name of session.inputNames) {
      const pair = pairs.get(name)
      if (pair) binding.bindInput(name, pair.current)
    }
    for (const name of session.outputNames) {
      const pair = pairs.get(inputOf(name))
      if (pair) binding.bindOutput(name, pair.spare)
    }
  }

  wrote(session: Session): void {
    for (const name of session.outputNames) {
      const pair = this.#pairs!.get(inputOf(name))
      if (pair) [pair.current, pair.spare] = [pair.spare, pair.current]
    }
  }

  async clear(prefix: string): Promise<void> {
    for (const [name, { data }] of this.#states) if (name.startsWith(prefix)) data.fill(0)
    for (const [name, { host, current }] of this.#pairs ?? [])
      if (name.startsWith(prefix)) await this.#copier!.copy(host, current)
  }

  async pull(): Promise<void> {
    for (const { host, current } of this.#pairs?.values() ?? [])
      await this.#copier!.copy(current, host)
  }

  dispose(): void {
    for (const { current, spare } of this.#pairs?.values() ?? []) {
      current.dispose()
      spare.dispose()
    }
    this.#copier?.dispose()
  }

  /** At the first run: until then the arrays may change, as when a training is resumed. */
  async #push(session: Session): Promise<Map<string, Pair>> {
    const copier = (this.#copier = await DeviceCopier.create(session.device, 'float32'))
    const memory = session.createDeviceMemory()
    const pairs = new Map<string, Pair>()
    for (const [name, { shape, data }] of this.#states) {
      const host = createTensor('float32', shape, data)
      const [current, spare] = [
        memory.allocate('float32', shape),
        memory.allocate('float32', shape),
      ]
      pairs.set(name, { host, current, spare })
      await copier.copy(host, current)
    }
    memory.dispose()
    return pairs
  }
}
