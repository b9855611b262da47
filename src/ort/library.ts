/**
 * ONNX Runtime's C API as typed functions, through koffi. Owns the loaded library, the function
 * table, the process-wide environment and the CPU memory description.
 *
 * The numbers are positions in `struct OrtApi` (onnxruntime_c_api.h); members are never moved, so
 * they hold for every library that serves API version 17.
 */
import koffi from 'koffi'
import { fail } from '../errors.ts'
import { locateLibrary } from './locate-library.ts'

const API_VERSION = 17
const TABLE_LENGTH = 220
/** koffi runs native code on stacks of its own; its defaults (128 KiB async) are too small. */
const STACK_BYTES = 8 << 20
const LOG_LEVEL_FATAL = 4
/** OrtDeviceAllocator: memory without an arena. */
export const ALLOCATOR_DEVICE = 0
/** OrtMemTypeDefault: the memory that kernels compute in. */
export const MEMORY_DEFAULT = 0

/** A native pointer. koffi gives and takes them as BigInt, NULL as null. */
export type Pointer = bigint
/** An out parameter: a one-element array that the call fills. */
export type Out<T> = [T | null]
type Status = Pointer | null

/** A native function that can also run on a thread of libuv's pool, leaving the event loop free. */
interface Native<A extends unknown[], R> {
  (...args: A): R
  async(...args: [...A, callback: (error: Error | null, result: R) => void]): void
}

type P = Pointer
export interface OrtApi {
  getErrorCode: Native<[status: P], number>
  getErrorMessage: Native<[status: P], string>
  createEnv: Native<[level: number, id: string, out: Out<P>], Status>
  disableTelemetryEvents: Native<[env: P], Status>
  createSession: Native<[env: P, path: string, options: P, out: Out<P>], Status>
  createSessionFromArray: Native<[env: P, bytes: P, n: number, options: P, out: Out<P>], Status>
  createSessionOptions: Native<[out: Out<P>], Status>
  enableProfiling: Native<[options: P, prefix: string], Status>
  disableMemPattern: Native<[options: P], Status>
  disableCpuMemArena: Native<[options: P], Status>
  setSessionLogSeverityLevel: Native<[options: P, level: number], Status>
  setSessionGraphOptimizationLevel: Native<[options: P, level: number], Status>
  setIntraOpNumThreads: Native<[options: P, threads: number], Status>
  setInterOpNumThreads: Native<[options: P, threads: number], Status>
  sessionGetInputCount: Native<[session: P, out: Out<number>], Status>
  sessionGetOutputCount: Native<[session: P, out: Out<number>], Status>
  sessionGetInputTypeInfo: Native<[session: P, index: number, out: Out<P>], Status>
  sessionGetOutputTypeInfo: Native<[session: P, index: number, out: Out<P>], Status>
  sessionGetInputName: Native<[session: P, index: number, allocator: P, out: Out<P>], Status>
  sessionGetOutputName: Native<[session: P, index: number, allocator: P, out: Out<P>], Status>
  createRunOptions: Native<[out: Out<P>], Status>
  runOptionsSetTerminate: Native<[options: P], Status>
  createTensorWithData: Native<
    [
      memory: P,
      data: P,
      bytes: number,
      dims: BigInt64Array,
      rank: number,
      type: number,
      out: Out<P>,
    ],
    Status
  >
  isTensor: Native<[value: P, out: Out<number>], Status>
  getTensorMutableData: Native<[value: P, out: Out<P>], Status>
  castTypeInfoToTensorInfo: Native<[info: P, out: Out<P>], Status>
  getTensorElementType: Native<[info: P, out: Out<number>], Status>
  getDimensionsCount: Native<[info: P, out: Out<number>], Status>
  getDimensions: Native<[info: P, dims: BigInt64Array, rank: number], Status>
  getTensorTypeAndShape: Native<[value: P, out: Out<P>], Status>
  createMemoryInfo: Native<
    [name: string, allocator: number, id: number, memory: number, out: Out<P>],
    Status
  >
  createCpuMemoryInfo: Native<[allocator: number, memory: number, out: Out<P>], Status>
  allocatorAlloc: Native<[allocator: P, bytes: number, out: Out<P>], Status>
  allocatorFree: Native<[allocator: P, memory: P], Status>
  getAllocatorWithDefaultOptions: Native<[out: Out<P>], Status>
  releaseStatus: Native<[status: P], void>
  releaseSession: Native<[session: P], void>
  releaseValue: Native<[value: P], void>
  releaseRunOptions: Native<[options: P], void>
  releaseTypeInfo: Native<[info: P], void>
  releaseTensorTypeAndShapeInfo: Native<[info: P], void>
  releaseSessionOptions: Native<[options: P], void>
  sessionEndProfiling: Native<[session: P, allocator: P, out: Out<P>], Status>
  addSessionConfigEntry: Native<[options: P, key: string, value: string], Status>
  createAllocator: Native<[session: P, memory: P, out: Out<P>], Status>
  releaseAllocator: Native<[allocator: P], void>
  runWithBinding: Native<[session: P, options: P | null, binding: P], Status>
  createIoBinding: Native<[session: P, out: Out<P>], Status>
  releaseIoBinding: Native<[binding: P], void>
  bindInput: Native<[binding: P, name: string, value: P], Status>
  bindOutput: Native<[binding: P, name: string, value: P], Status>
  bindOutputToDevice: Native<[binding: P, name: string, memory: P], Status>
  getBoundOutputValues: Native<[binding: P, allocator: P, out: Out<P>, count: Out<number>], Status>
  clearBoundInputs: Native<[binding: P], void>
  clearBoundOutputs: Native<[binding: P], void>
  addInitializer: Native<[options: P, name: string, value: P], Status>
  createPrepackedWeightsContainer: Native<[out: Out<P>], Status>
  releasePrepackedWeightsContainer: Native<[container: P], void>
  createSessionWithPrepacked: Native<
    [env: P, path: string, options: P, container: P, out: Out<P>],
    Status
  >
  createSessionFromArrayWithPrepacked: Native<
    [env: P, bytes: P, n: number, options: P, container: P, out: Out<P>],
    Status
  >
  appendExecutionProvider: Native<
    [options: P, name: string, keys: null, values: null, count: number],
    Status
  >
}

type Arg = 'ptr' | 'str' | 'path' | 'int' | 'size' | 'out ptr' | 'out int' | 'out size'
type Signature = readonly [
  index: number,
  result: 'status' | 'void' | 'int' | 'str',
  args: readonly Arg[],
]

// prettier-ignore
const signatures: { readonly [K in keyof OrtApi]: Signature } = {
  getErrorCode: [1, 'int', ['ptr']],
  getErrorMessage: [2, 'str', ['ptr']],
  createEnv: [3, 'status', ['int', 'str', 'out ptr']],
  disableTelemetryEvents: [6, 'status', ['ptr']],
  createSession: [7, 'status', ['ptr', 'path', 'ptr', 'out ptr']],
  createSessionFromArray: [8, 'status', ['ptr', 'ptr', 'size', 'ptr', 'out ptr']],
  createSessionOptions: [10, 'status', ['out ptr']],
  enableProfiling: [14, 'status', ['ptr', 'path']],
  disableMemPattern: [17, 'status', ['ptr']],
  disableCpuMemArena: [19, 'status', ['ptr']],
  setSessionLogSeverityLevel: [22, 'status', ['ptr', 'int']],
  setSessionGraphOptimizationLevel: [23, 'status', ['ptr', 'int']],
  setIntraOpNumThreads: [24, 'status', ['ptr', 'int']],
  setInterOpNumThreads: [25, 'status', ['ptr', 'int']],
  sessionGetInputCount: [30, 'status', ['ptr', 'out size']],
  sessionGetOutputCount: [31, 'status', ['ptr', 'out size']],
  sessionGetInputTypeInfo: [33, 'status', ['ptr', 'size', 'out ptr']],
  sessionGetOutputTypeInfo: [34, 'status', ['ptr', 'size', 'out ptr']],
  sessionGetInputName: [36, 'status', ['ptr', 'size', 'ptr', 'out ptr']],
  sessionGetOutputName: [37, 'status', ['ptr', 'size', 'ptr', 'out ptr']],
  createRunOptions: [39, 'status', ['out ptr']],
  runOptionsSetTerminate: [46, 'status', ['ptr']],
  createTensorWithData: [49, 'status', ['ptr', 'ptr', 'size', 'ptr', 'size', 'int', 'out ptr']],
  isTensor: [50, 'status', ['ptr', 'out int']],
  getTensorMutableData: [51, 'status', ['ptr', 'out ptr']],
  castTypeInfoToTensorInfo: [55, 'status', ['ptr', 'out ptr']],
  getTensorElementType: [60, 'status', ['ptr', 'out int']],
  getDimensionsCount: [61, 'status', ['ptr', 'out size']],
  getDimensions: [62, 'status', ['ptr', 'ptr', 'size']],
  getTensorTypeAndShape: [65, 'status', ['ptr', 'out ptr']],
  createMemoryInfo: [68, 'status', ['str', 'int', 'int', 'int', 'out ptr']],
  createCpuMemoryInfo: [69, 'status', ['int', 'int', 'out ptr']],
  allocatorAlloc: [75, 'status', ['ptr', 'size', 'out ptr']],
  allocatorFree: [76, 'status', ['ptr', 'ptr']],
  getAllocatorWithDefaultOptions: [78, 'status', ['out ptr']],
  releaseStatus: [93, 'void', ['ptr']],
  releaseSession: [95, 'void', ['ptr']],
  releaseValue: [96, 'void', ['ptr']],
  releaseRunOptions: [97, 'void', ['ptr']],
  releaseTypeInfo: [98, 'void', ['ptr']],
  releaseTensorTypeAndShapeInfo: [99, 'void', ['ptr']],
  releaseSessionOptions: [100, 'void', ['ptr']],
  sessionEndProfiling: [110, 'status', ['ptr', 'ptr', 'out ptr']],
  addSessionConfigEntry: [130, 'status', ['ptr', 'str', 'str']],
  createAllocator: [131, 'status', ['ptr', 'ptr', 'out ptr']],
  releaseAllocator: [132, 'void', ['ptr']],
  runWithBinding: [133, 'status', ['ptr', 'ptr', 'ptr']],
  createIoBinding: [134, 'status', ['ptr', 'out ptr']],
  releaseIoBinding: [135, 'void', ['ptr']],
  bindInput: [136, 'status', ['ptr', 'str', 'ptr']],
  bindOutput: [137, 'status', ['ptr', 'str', 'ptr']],
  bindOutputToDevice: [138, 'status', ['ptr', 'str', 'ptr']],
  getBoundOutputValues: [140, 'status', ['ptr', 'ptr', 'out ptr', 'out size']],
  clearBoundInputs: [141, 'void', ['ptr']],
  clearBoundOutputs: [142, 'void', ['ptr']],
  addInitializer: [150, 'status', ['ptr', 'str', 'ptr']],
  createPrepackedWeightsContainer: [166, 'status', ['out ptr']],
  releasePrepackedWeightsContainer: [167, 'void', ['ptr']],
  createSessionWithPrepacked: [168, 'status', ['ptr', 'path', 'ptr', 'ptr', 'out ptr']],
  createSessionFromArrayWithPrepacked: [169, 'status', ['ptr', 'ptr', 'size', 'ptr', 'ptr', 'out ptr']],
  appendExecutionProvider: [216, 'status', ['ptr', 'str', 'ptr', 'ptr', 'size']],
}

export interface Runtime {
  readonly api: OrtApi
  readonly version: string
  readonly env: Pointer
  readonly cpuMemory: Pointer
  readonly allocator: Pointer
  /** Puts CUDA before the CPU; an exported function beside the table. */
  appendCuda(options: Pointer, deviceId: number): Pointer | null
  /**
   * Functions decoded from pointers do not keep the library loaded: without this reference koffi
   * closes it at the next garbage collection and the next call crashes.
   */
  readonly library: unknown
}

const results = { status: 'void *', void: 'void', int: 'int', str: 'str' } as const

function argumentType(arg: Arg): Parameters<typeof koffi.proto>[1] {
  if (arg === 'ptr') return 'void *'
  if (arg === 'str') return 'str'
  if (arg === 'path') return process.platform === 'win32' ? 'str16' : 'str' // ORTCHAR_T
  if (arg === 'int') return 'int'
  if (arg === 'size') return 'size_t'
  if (arg === 'out ptr') return koffi.out(koffi.pointer('void *')) as never
  return koffi.out(koffi.pointer(arg === 'out int' ? 'int' : 'size_t')) as never
}

function bindFunctions(table: readonly Pointer[]): OrtApi {
  const entries = Object.entries(signatures).map(([name, [index, result, args]]) => {
    const proto = koffi.proto(results[result], args.map(argumentType) as never)
    return [name, koffi.decode(table[index], proto) as unknown] as const
  })
  return Object.fromEntries(entries) as unknown as OrtApi
}

function openLibrary(): Pick<Runtime, 'library' | 'api' | 'version' | 'appendCuda'> {
  const path = locateLibrary()
  koffi.config({ sync_stack_size: STACK_BYTES, async_stack_size: STACK_BYTES })
  const library = koffi.load(path)
  const getBase = library.func('OrtGetApiBase', 'void *', []) as () => Pointer
  const base = koffi.decode(getBase(), 'void *', 2) as Pointer[]
  const getApi = koffi.decode(base[0], koffi.proto('void *', ['uint32_t'])) as (v: number) => Status
  const getVersion = koffi.decode(base[1], koffi.proto('str', [])) as () => string
  const version = getVersion()
  const table =
    getApi(API_VERSION) ?? fail('RUNTIME_UNAVAILABLE', `${path} (${version}) has no API 17`)
  const api = bindFunctions(koffi.decode(table, 'void *', TABLE_LENGTH) as Pointer[])
  const appendCuda = (options: Pointer, deviceId: number): Status => {
    const name = 'OrtSessionOptionsAppendExecutionProvider_CUDA'
    return (library.func(name, 'void *', ['void *', 'int']) as Runtime['appendCuda'])(
      options,
      deviceId,
    )
  }
  return { library, api, version, appendCuda }
}

function createRuntime(): Runtime {
  const { library, api, version, appendCuda } = openLibrary()
  const made = (status: Status, out: Out<Pointer>): Pointer => {
    if (status !== null) fail('RUNTIME_UNAVAILABLE', api.getErrorMessage(status))
    return out[0] ?? fail('RUNTIME_UNAVAILABLE', 'internal: ONNX Runtime gave a null pointer')
  }
  const env: Out<Pointer> = [null]
  const cpuMemory: Out<Pointer> = [null]
  const allocator: Out<Pointer> = [null]
  // Errors come back as statuses; at lower levels ONNX Runtime would also print them.
  const runtime = {
    api,
    library,
    version,
    appendCuda,
    env: made(api.createEnv(LOG_LEVEL_FATAL, 'steerlm', env), env),
    cpuMemory: made(
      api.createCpuMemoryInfo(ALLOCATOR_DEVICE, MEMORY_DEFAULT, cpuMemory),
      cpuMemory,
    ),
    allocator: made(api.getAllocatorWithDefaultOptions(allocator), allocator),
  }
  api.disableTelemetryEvents(runtime.env)
  return runtime
}

let runtime: Runtime | undefined

/**
 * The runtime of this process, loaded on first use and kept until exit (a handful of kilobytes;
 * releasing it while a run is in flight would crash). Fails with RUNTIME_UNAVAILABLE.
 */
export function loadRuntime(): Runtime {
  try {
    return (runtime ??= createRuntime())
  } catch (cause) {
    if (cause instanceof Error && cause.name === 'SteerError') throw cause
    return fail('RUNTIME_UNAVAILABLE', `cannot load ${locateLibrary()}: ${String(cause)}`, {
      cause,
    })
  }
}

/** ONNX Runtime's version, such as `1.30.0`. */
export const runtimeVersion = (): string => loadRuntime().version
