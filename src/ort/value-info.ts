/** What a session says of its inputs and outputs, and what is read from values it made itself. */
import koffi from 'koffi'
import { fail } from '../errors.ts'
import { loadRuntime, type Pointer } from './library.ts'
import { read, check } from './status.ts'
import {
  createTensor,
  elementBytes,
  elementCount,
  elementTypeOfCode,
  type ElementType,
  type Tensor,
  type TensorData,
} from './tensor.ts'

/** An input or output. `type` is undefined for element types that cannot be bound here. */
export interface ValueInfo {
  readonly name: string
  readonly type: ElementType | undefined
  /** −1 for dimensions that the model leaves open; [] for scalars and for unknown shapes. */
  readonly dims: readonly number[]
}

/** Element type and dimensions of an OrtTensorTypeAndShapeInfo (not released here). */
function readTensorInfo(info: Pointer): { type: ElementType | undefined; dims: number[] } {
  const { api } = loadRuntime()
  const code = read<number>('reading an element type', (out) => api.getTensorElementType(info, out))
  const rank = read<number>('reading a rank', (out) => api.getDimensionsCount(info, out))
  const dims = new BigInt64Array(Math.max(rank, 1))
  check(api.getDimensions(info, dims, rank), 'reading dimensions')
  return { type: elementTypeOfCode(code), dims: Array.from(dims.subarray(0, rank), Number) }
}

function readTypeInfo(typeInfo: Pointer): Omit<ValueInfo, 'name'> {
  const { api } = loadRuntime()
  try {
    const out: [Pointer | null] = [null]
    check(api.castTypeInfoToTensorInfo(typeInfo, out), 'reading a type')
    return out[0] === null ? { type: undefined, dims: [] } : readTensorInfo(out[0])
  } finally {
    api.releaseTypeInfo(typeInfo)
  }
}

/** Reads a C string that ONNX Runtime allocated, and frees it. */
export function takeString(text: Pointer): string {
  const { api, allocator } = loadRuntime()
  const value = koffi.decode.string(text)
  check(api.allocatorFree(allocator, text), 'freeing a string')
  return value
}

/** The session's inputs or outputs by name, in the model's order. */
export function readValueInfos(
  session: Pointer,
  side: 'input' | 'output',
): ReadonlyMap<string, ValueInfo> {
  const { api, allocator } = loadRuntime()
  const [countOf, nameOf, typeOf] =
    side === 'input'
      ? [api.sessionGetInputCount, api.sessionGetInputName, api.sessionGetInputTypeInfo]
      : [api.sessionGetOutputCount, api.sessionGetOutputName, api.sessionGetOutputTypeInfo]
  // `??` in read() lets 0 through: only null counts as nothing
  const count = read<number>(`counting the ${side}s`, (out) => countOf(session, out))
  const infos = new Map<string, ValueInfo>()
  for (let i = 0; i < count; i++) {
    const doing = `reading ${side} ${i}`
    const name = takeString(read(doing, (out) => nameOf(session, i, allocator, out)))
    infos.set(name, { name, ...readTypeInfo(read(doing, (out) => typeOf(session, i, out))) })
  }
  return infos
}

/** Copies a tensor that ONNX Runtime allocated into a new array. The value is not released. */
export function copyValue(name: string, value: Pointer): Tensor {
  const { api } = loadRuntime()
  const info = read<Pointer>(`reading "${name}"`, (out) => api.getTensorTypeAndShape(value, out))
  try {
    const { type, dims } = readTensorInfo(info)
    if (!type) fail('RUNTIME_ERROR', `output "${name}" has an element type that cannot be read`)
    const tensor = createTensor(type, dims)
    const bytes = elementCount(dims) * elementBytes(type)
    if (bytes > 0) {
      const data = read<Pointer>(`reading "${name}"`, (out) => api.getTensorMutableData(value, out))
      const target: TensorData = tensor.data
      new Uint8Array(target.buffer).set(new Uint8Array(koffi.view(data, bytes)))
    }
    return tensor
  } finally {
    api.releaseTensorTypeAndShapeInfo(info)
  }
}
