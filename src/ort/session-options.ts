/** Session options: from readable settings to an OrtSessionOptions. */
import type { Device } from '../../schemas/device.ts'
import { fail } from '../errors.ts'
import { appendDevice } from './device.ts'
import { loadRuntime, type Pointer } from './library.ts'
import { check, read } from './status.ts'
import { createValue, type Tensor, type TensorData } from './tensor.ts'

export interface SessionSettings {
  /** Folder of the external data files of a model given as bytes. Paths in the model are relative. */
  weightsDirectory?: string
  /** Where kernels run; those that it lacks run on the processor. Default `cpu`. */
  device?: Device
  /** Threads of one run, the calling one included; 0 or absent: one for each physical core. */
  intraOpThreads?: number
  /** Default `all`. */
  graphOptimizationLevel?: 'disabled' | 'basic' | 'extended' | 'layout' | 'all'
  /** Session config entries by their full key, such as `session.intra_op.allow_spinning`. */
  config?: Readonly<Record<string, string>>
  /** False: memory goes back to the system after use instead of staying in ONNX Runtime's arena. */
  memoryArena?: boolean
  /** False: no planned memory block per input shape; right for models run with many shapes. */
  memoryPattern?: boolean
  /**
   * Values for initializers of the model, by name, used in place: sessions given the same tensors
   * share one copy. A file that the model names for an initializer must exist even so.
   */
  initializers?: ReadonlyMap<string, Tensor>
  /** Default `fatal`: errors are thrown, so nothing is printed. */
  logLevel?: 'verbose' | 'info' | 'warning' | 'error' | 'fatal'
  /** Records every kernel's time; `endProfiling()` writes `<prefix>_<date>.json` (Chrome trace). */
  profilePrefix?: string
}

let processConfig: Readonly<Record<string, string>> = {}

/**
 * Config entries for every session that this process makes from now on; a session's own come on top. For processes
 * whose work as a whole has another place in the machine, such as jobs that must not spin beside a server.
 */
export function setProcessSessionConfig(config: Readonly<Record<string, string>>): void {
  processConfig = { ...config }
}

const optimizationLevels = { disabled: 0, basic: 1, extended: 2, layout: 3, all: 99 } as const
const logLevels = { verbose: 0, info: 1, warning: 2, error: 3, fatal: 4 } as const

/** An OrtSessionOptions and what must outlive the session made with it. */
export interface NativeOptions {
  readonly pointer: Pointer
  readonly initializers: readonly { value: Pointer; data: TensorData }[]
}

function checkThreads(threads: number): number {
  if (Number.isInteger(threads) && threads >= 0 && threads <= 1024) return threads
  return fail('RUNTIME_ERROR', `intraOpThreads: expected an integer from 0 to 1024, got ${threads}`)
}

function configEntries(settings: SessionSettings): [string, string][] {
  const { weightsDirectory, config } = settings
  const folder = 'session.model_external_initializers_file_folder_path'
  const entries = Object.entries({ ...processConfig, ...config })
  return weightsDirectory === undefined ? entries : [...entries, [folder, weightsDirectory]]
}

function applySettings(options: Pointer, settings: SessionSettings): void {
  const { api } = loadRuntime()
  const { graphOptimizationLevel = 'all', logLevel = 'fatal', profilePrefix } = settings
  const set = (status: Pointer | null) => check(status, 'setting a session option')
  set(api.setSessionGraphOptimizationLevel(options, optimizationLevels[graphOptimizationLevel]))
  set(api.setSessionLogSeverityLevel(options, logLevels[logLevel]))
  set(api.setIntraOpNumThreads(options, checkThreads(settings.intraOpThreads ?? 0)))
  set(api.setInterOpNumThreads(options, 1))
  if (settings.memoryArena === false) set(api.disableCpuMemArena(options))
  if (settings.memoryPattern === false) set(api.disableMemPattern(options))
  appendDevice(options, settings.device ?? 'cpu')
  if (profilePrefix !== undefined) set(api.enableProfiling(options, profilePrefix))
  for (const [key, value] of configEntries(settings)) {
    check(api.addSessionConfigEntry(options, key, value), `config entry "${key}"`)
  }
}

/** Releases the OrtValues of initializers; only after the session is gone. */
export function releaseInitializers(initializers: NativeOptions['initializers']): void {
  for (const { value } of initializers) loadRuntime().api.releaseValue(value)
}

/** Builds the options. The caller releases `pointer` after the session exists (or did not). */
export function buildSessionOptions(settings: SessionSettings): NativeOptions {
  const { api } = loadRuntime()
  const pointer = read<Pointer>('creating options', (out) => api.createSessionOptions(out))
  const initializers: { value: Pointer; data: TensorData }[] = []
  try {
    applySettings(pointer, settings)
    for (const [name, tensor] of settings.initializers ?? []) {
      const data = tensor.data
      const value = createValue(name, tensor)
      initializers.push({ value, data })
      check(api.addInitializer(pointer, name, value), `initializer "${name}"`)
    }
    return { pointer, initializers }
  } catch (error) {
    api.releaseSessionOptions(pointer)
    releaseInitializers(initializers)
    throw error
  }
}
