/**
 * Inputs and outputs of one session tied to memory: made once, run many times. Keeps every bound
 * tensor's memory reachable, and refuses changes while a run uses it.
 */
import koffi from 'koffi'
import { fail } from '../errors.ts'
import { loadRuntime, type Pointer } from './library.ts'
import { NativeHandle } from './native-handle.ts'
import { check, read } from './status.ts'
import { DeviceTensor } from './device-tensor.ts'
import { checkAttached, createValue, type Tensor, type TensorData } from './tensor.ts'
import { copyValue, type ValueInfo } from './value-info.ts'

/** A bound tensor with its memory, which must outlive the tensor's own dispose(). */
type Bound =
  | { readonly tensor: Tensor; readonly data: TensorData }
  | { readonly tensor: DeviceTensor; readonly release: () => void }

/** What a binding needs of its session. */
export interface BindingOwner {
  readonly handle: NativeHandle
  readonly inputs: ReadonlyMap<string, ValueInfo>
  readonly outputs: ReadonlyMap<string, ValueInfo>
  /** Called once, when the binding is disposed. */
  forget(binding: Binding): void
}

export class Binding {
  readonly #owner: BindingOwner
  readonly #handle: NativeHandle
  readonly #inputs = new Map<string, Bound>()
  /** In the order of ONNX Runtime's own list; null where it allocates the output. */
  readonly #outputs = new Map<string, Bound | null>()
  #running = false

  /** Use `session.createBinding()`. */
  constructor(owner: BindingOwner) {
    const { api } = loadRuntime()
    const session = owner.handle.pointer
    this.#owner = owner
    this.#handle = new NativeHandle(
      'the binding',
      read('creating a binding', (out) => api.createIoBinding(session, out)),
      (pointer) => api.releaseIoBinding(pointer),
    )
  }

  /**
   * Ties an input to the tensor's memory: later runs see what is written there. On other devices than the processor a
   * tensor of the processor's memory is copied right here, and later changes are not seen.
   */
  bindInput(name: string, tensor: Tensor | DeviceTensor): void {
    const pointer = this.#idlePointer()
    checkType('input', this.#owner.inputs, name, tensor)
    const { api } = loadRuntime()
    const bound = bindValue(name, tensor, (value) => api.bindInput(pointer, name, value))
    letGo(this.#inputs.get(name))
    this.#inputs.set(name, bound)
  }

  /**
   * Ties an output to the tensor's memory, which may be an input's too (in place). The shape must
   * be the one the run produces, otherwise the run fails.
   */
  bindOutput(name: string, tensor: Tensor | DeviceTensor): void {
    const pointer = this.#idlePointer()
    checkType('output', this.#owner.outputs, name, tensor)
    const { api } = loadRuntime()
    const bound = bindValue(name, tensor, (value) => api.bindOutput(pointer, name, value))
    letGo(this.#outputs.get(name))
    this.#outputs.set(name, bound)
  }

  /** Lets ONNX Runtime allocate an output in every run; `outputs()` gives a copy of the last. */
  bindOutputToCpu(name: string): void {
    const pointer = this.#idlePointer()
    findInfo('output', this.#owner.outputs, name)
    leaveToRuntime(pointer, name)
    this.#outputs.set(name, null)
  }

  /**
   * The bound outputs by name: the bound tensor itself, or a copy of what ONNX Runtime allocated
   * in the last run (absent when there was none, or when it failed before that output). Without those in the memory of
   * another device.
   */
  outputs(): Map<string, Tensor> {
    const pointer = this.#idlePointer()
    const result = new Map<string, Tensor>()
    const hasAllocated = [...this.#outputs.values()].includes(null)
    const values = hasAllocated ? boundValues(pointer) : []
    const { api } = loadRuntime()
    try {
      let i = 0
      for (const [name, bound] of this.#outputs) {
        const value = values[i++]
        if (bound) {
          if (!(bound.tensor instanceof DeviceTensor)) result.set(name, bound.tensor)
        } else if (value && holdsTensor(value)) result.set(name, copyValue(name, value))
      }
    } finally {
      for (const value of values) api.releaseValue(value)
    }
    return result
  }

  /** Unties everything. */
  clear(): void {
    const pointer = this.#idlePointer()
    const { api } = loadRuntime()
    api.clearBoundInputs(pointer)
    api.clearBoundOutputs(pointer)
    this.#letGo()
  }

  /** A run in flight still ends, and the binding is released after it. */
  dispose(): void {
    if (this.#handle.disposed) return
    this.#handle.dispose()
    this.#owner.forget(this)
    if (!this.#running) this.#letGo()
  }

  /**
   * For the session: marks the binding as used by a run until `end` is called.
   * Fails when it belongs to another session, is disposed, or is used by a run already.
   */
  beginRun(session: NativeHandle): { pointer: Pointer; end: () => void } {
    if (session !== this.#owner.handle) {
      fail('RUNTIME_ERROR', 'the binding belongs to another session')
    }
    const pointer = this.#idlePointer()
    for (const [name, bound] of this.#inputs) checkMemory(name, bound)
    for (const [name, bound] of this.#outputs) {
      if (bound) checkMemory(name, bound)
      else leaveToRuntime(pointer, name)
    }
    const release = this.#handle.acquire()
    this.#running = true
    const end = () => {
      this.#running = false
      release()
      if (this.#handle.disposed) this.#letGo()
    }
    return { pointer, end }
  }

  #idlePointer(): Pointer {
    const pointer = this.#handle.pointer
    if (this.#running) fail('RUNTIME_ERROR', 'the binding is used by a run that has not ended')
    return pointer
  }

  #letGo(): void {
    for (const bound of [...this.#inputs.values(), ...this.#outputs.values()]) letGo(bound)
    this.#inputs.clear()
    this.#outputs.clear()
  }
}

function letGo(bound: Bound | null | undefined): void {
  if (bound && 'release' in bound) bound.release()
}

function checkMemory(name: string, bound: Bound): void {
  if ('data' in bound) checkAttached(name, bound.data)
}

function findInfo(
  side: 'input' | 'output',
  infos: ReadonlyMap<string, ValueInfo>,
  name: string,
): ValueInfo {
  const known = [...infos.keys()].join(', ')
  return (
    infos.get(name) ?? fail('RUNTIME_ERROR', `the model has no ${side} "${name}"; it has ${known}`)
  )
}

function checkType(
  side: 'input' | 'output',
  infos: ReadonlyMap<string, ValueInfo>,
  name: string,
  tensor: Tensor | DeviceTensor,
): void {
  const { type } = findInfo(side, infos, name)
  if (type !== tensor.type) {
    fail(
      'RUNTIME_ERROR',
      `${side} "${name}": expected ${type ?? 'an unsupported type'}, the tensor is ${tensor.type}`,
    )
  }
}

/** The binding takes a reference of its own to the value, so ours goes at once. */
function bindValue(
  name: string,
  tensor: Tensor | DeviceTensor,
  bind: (value: Pointer) => Pointer | null,
): Bound {
  const isOnDevice = tensor instanceof DeviceTensor
  const value = isOnDevice ? tensor.createValue(name) : createValue(name, tensor)
  try {
    check(bind(value), `binding "${name}"`)
  } finally {
    loadRuntime().api.releaseValue(value)
  }
  return isOnDevice ? { tensor, release: tensor.acquire() } : { tensor, data: tensor.data }
}

/**
 * Asks for a new value in the next run. Without it ONNX Runtime would take the value of the last
 * run as one that we bound: written over, and an error where the shape is another.
 */
function leaveToRuntime(binding: Pointer, name: string): void {
  const { api, cpuMemory } = loadRuntime()
  check(api.bindOutputToDevice(binding, name, cpuMemory), `binding output "${name}"`)
}

/** False for an output that no run has filled. */
const holdsTensor = (value: Pointer): boolean =>
  read<number>('reading an output', (out) => loadRuntime().api.isTensor(value, out)) === 1

/** The values of all bound outputs, in binding order; the caller releases each. */
function boundValues(binding: Pointer): Pointer[] {
  const { api, allocator } = loadRuntime()
  const list: [Pointer | null] = [null]
  const count: [number | null] = [0]
  check(api.getBoundOutputValues(binding, allocator, list, count), 'reading the outputs')
  if (list[0] === null || !count[0]) return []
  const values = koffi.decode(list[0], 'void *', count[0]) as Pointer[]
  check(api.allocatorFree(allocator, list[0]), 'freeing the list of outputs')
  return values
}
