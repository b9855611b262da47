/** A loaded model: creation, runs in the background or in place, cancelling, release. */
import koffi from 'koffi'
import type { Device } from '../../schemas/device.ts'
import { fail } from '../errors.ts'
import { Binding } from './binding.ts'
import { DEVICE_MEMORY, explainDevice } from './device.ts'
import { DeviceMemory } from './device-tensor.ts'
import { loadRuntime, type Out, type Pointer } from './library.ts'
import { NativeHandle } from './native-handle.ts'
import type { PrepackedWeights } from './prepacked-weights.ts'
import { createRunControl, type RunControl } from './run-control.ts'
import {
  buildSessionOptions,
  releaseInitializers,
  type NativeOptions,
  type SessionSettings,
} from './session-options.ts'
import { check, read, takeStatus } from './status.ts'
import { readValueInfos, takeString, type ValueInfo } from './value-info.ts'

export interface SessionOptions extends SessionSettings {
  /** The ONNX file, or its bytes (not to be changed before `create` resolves). */
  model: Uint8Array | string
  /** Shares rearranged `initializers` with other sessions given the same container. */
  prepackedWeights?: PrepackedWeights
}

type Status = Pointer | null
type Callback = (error: Error | null, status: Status) => void

/** A native call on a pool thread, as a promise of its status. */
const inBackground = (start: (callback: Callback) => void): Promise<Status> =>
  new Promise((resolve, reject) => {
    start((error, status) => (error ? reject(error) : resolve(status)))
  })

function loadModel(options: SessionOptions, native: NativeOptions, out: Out<Pointer>) {
  const { api, env } = loadRuntime()
  const { model, prepackedWeights } = options
  const container = prepackedWeights?.handle.pointer
  return inBackground((done) => {
    if (typeof model === 'string') {
      if (container === undefined) api.createSession.async(env, model, native.pointer, out, done)
      else api.createSessionWithPrepacked.async(env, model, native.pointer, container, out, done)
      return
    }
    if (model.length === 0) fail('RUNTIME_ERROR', 'loading a model: no bytes')
    const [bytes, length] = [koffi.address(model), model.length]
    const create = api.createSessionFromArray
    const createShared = api.createSessionFromArrayWithPrepacked
    if (container === undefined) create.async(env, bytes, length, native.pointer, out, done)
    else createShared.async(env, bytes, length, native.pointer, container, out, done)
  })
}

export class Session {
  readonly inputs: ReadonlyMap<string, ValueInfo>
  readonly outputs: ReadonlyMap<string, ValueInfo>
  readonly #handle: NativeHandle
  readonly #bindings = new Set<Binding>()
  readonly device: Device

  private constructor(handle: NativeHandle, device: Device) {
    this.#handle = handle
    this.device = device
    this.inputs = readValueInfos(handle.pointer, 'input')
    this.outputs = readValueInfos(handle.pointer, 'output')
  }

  /**
   * Loads a model in the background. Fails with RUNTIME_ERROR and ONNX Runtime's message, with DEVICE_UNAVAILABLE where
   * there is no such device.
   */
  static async create(options: SessionOptions): Promise<Session> {
    const { api } = loadRuntime()
    const native = buildSessionOptions(options)
    const out: Out<Pointer> = [null]
    let freeContainer: (() => void) | undefined
    const freeShared = () => {
      releaseInitializers(native.initializers)
      freeContainer?.()
    }
    try {
      freeContainer = options.prepackedWeights?.handle.acquire()
      const error = takeStatus(await loadModel(options, native, out))
      if (error) explainDevice(options.device ?? 'cpu', error.message)
      const where = typeof options.model === 'string' ? ` ${options.model}` : ''
      if (error)
        fail('RUNTIME_ERROR', `loading the model${where}: ${error.message} (${error.code})`)
    } catch (error) {
      freeShared()
      throw error
    } finally {
      api.releaseSessionOptions(native.pointer)
    }
    const handle = new NativeHandle(
      'the session',
      out[0] ?? fail('INTERNAL', 'no session'),
      (p) => {
        api.releaseSession(p)
        freeShared()
      },
    )
    try {
      return new Session(handle, options.device ?? 'cpu')
    } catch (error) {
      handle.dispose()
      throw error
    }
  }

  get inputNames(): string[] {
    return [...this.inputs.keys()]
  }

  get outputNames(): string[] {
    return [...this.outputs.keys()]
  }

  /** A binding of this session; `dispose()` of either ends it. */
  createBinding(): Binding {
    const { inputs, outputs } = this
    const forget = (gone: Binding) => void this.#bindings.delete(gone)
    const binding = new Binding({ handle: this.#handle, inputs, outputs, forget })
    this.#bindings.add(binding)
    return binding
  }

  /** Memory of the session's device, which is not the processor. The caller disposes it and every tensor made of it. */
  createDeviceMemory(): DeviceMemory {
    const { device } = this
    if (device === 'cpu') fail('INTERNAL', 'internal: the processor has no memory of its own')
    return new DeviceMemory(this.#handle, DEVICE_MEMORY[device])
  }

  /**
   * Runs the model on a pool thread. Different bindings may run at once; one binding may not.
   * Fails with CANCELLED when `signal` stopped it (outputs then hold anything), with RUNTIME_ERROR
   * when ONNX Runtime did.
   */
  async run(binding: Binding, { signal }: { signal?: AbortSignal } = {}): Promise<void> {
    if (signal?.aborted) fail('CANCELLED', 'before the run began', { cause: signal.reason })
    const endSession = this.#handle.acquire()
    const [session, { api }] = [this.#handle.pointer, loadRuntime()]
    let endBinding: (() => void) | undefined
    let control: RunControl | undefined
    try {
      const { pointer, end } = binding.beginRun(this.#handle)
      endBinding = end
      const { options, stop } = (control = createRunControl())
      signal?.addEventListener('abort', stop, { once: true })
      const running = inBackground((done) =>
        api.runWithBinding.async(session, options, pointer, done),
      )
      const error = takeStatus(await running)
      if (error && signal?.aborted) fail('CANCELLED', 'during the run', { cause: signal.reason })
      if (error) fail('RUNTIME_ERROR', `running the model: ${error.message} (${error.code})`)
    } finally {
      if (control) signal?.removeEventListener('abort', control.stop)
      control?.release()
      endBinding?.()
      endSession()
    }
  }

  /** Runs the model on this thread: a little faster for short runs; nothing else happens meanwhile. */
  runSync(binding: Binding): void {
    const session = this.#handle.pointer
    const { pointer, end } = binding.beginRun(this.#handle)
    try {
      check(loadRuntime().api.runWithBinding(session, null, pointer), 'running the model')
    } finally {
      end()
    }
  }

  /** Ends profiling (see `profilePrefix`) and gives the path of the file written. */
  endProfiling(): string {
    const session = this.#handle.pointer
    const { api, allocator } = loadRuntime()
    return takeString(
      read('ending profiling', (out) => api.sessionEndProfiling(session, allocator, out)),
    )
  }

  /** Ends the session and its bindings; runs in flight still end, and release them. */
  dispose(): void {
    for (const binding of [...this.#bindings]) binding.dispose()
    this.#handle.dispose()
  }
}
