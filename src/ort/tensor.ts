/**
 * Tensors over memory that JavaScript owns: element types, shapes and data. A tensor holds nothing
 * native; the OrtValue that ONNX Runtime needs is made when the tensor is bound, and whatever it is
 * bound to keeps the tensor, hence its memory, reachable.
 */
import koffi from 'koffi'
import { fail } from '../errors.ts'
import { loadRuntime, type Pointer } from './library.ts'
import { read } from './status.ts'

/** code: ONNXTensorElementDataType, the same numbers as in ONNX's TensorProto. */
const elementTypes = {
  float32: { code: 1, array: Float32Array },
  uint8: { code: 2, array: Uint8Array },
  int8: { code: 3, array: Int8Array },
  int32: { code: 6, array: Int32Array },
  int64: { code: 7, array: BigInt64Array },
  bool: { code: 9, array: Uint8Array },
  float16: { code: 10, array: Uint16Array },
  float64: { code: 11, array: Float64Array },
} as const

export type ElementType = keyof typeof elementTypes

interface TensorArrays {
  float32: Float32Array
  uint8: Uint8Array
  int8: Int8Array
  int32: Int32Array
  int64: BigInt64Array
  /** One byte an element, 0 or 1. */
  bool: Uint8Array
  /** Bit patterns; src/weights has the conversions. */
  float16: Uint16Array
  float64: Float64Array
}
/** The typed array that holds the elements of a type. */
export type TensorData<T extends ElementType = ElementType> = TensorArrays[T]

/** The type with this ONNX code, or undefined for one that is not supported here. */
export function elementTypeOfCode(code: number): ElementType | undefined {
  return (Object.keys(elementTypes) as ElementType[]).find((t) => elementTypes[t].code === code)
}

/** Bytes of one element. */
export const elementBytes = (type: ElementType): number =>
  elementTypes[type].array.BYTES_PER_ELEMENT

/** Number of elements of a shape; [] is a scalar. Fails when a dimension is not a natural number. */
export function elementCount(dims: readonly number[]): number {
  let count = 1
  for (const dim of dims) {
    if (!Number.isSafeInteger(dim) || dim < 0) {
      fail('RUNTIME_ERROR', `a tensor of shape [${dims}]: dimensions are integers from 0`)
    }
    count *= dim
  }
  if (!Number.isSafeInteger(count))
    fail('RUNTIME_ERROR', `a tensor of shape [${dims}] is too large`)
  return count
}

export class Tensor<T extends ElementType = ElementType> {
  readonly type: T
  readonly dims: readonly number[]
  #data: TensorData<T> | undefined

  /** Use `createTensor`, which checks that the parts fit together. */
  constructor(type: T, dims: readonly number[], data: TensorData<T>) {
    this.type = type
    this.dims = dims
    this.#data = data
  }

  /** The elements, row major. The very array that was given, and the memory runs work on. */
  get data(): TensorData<T> {
    return this.#data ?? fail('RUNTIME_ERROR', 'the tensor was used after dispose()')
  }

  /** Lets go of the memory. Bindings that have the tensor keep the memory until they let go too. */
  dispose(): void {
    this.#data = undefined
  }
}

/**
 * A tensor over `data`, used in place (a subarray view is fine), or over new zeros.
 * While it is bound the buffer must not be transferred or resized. Fails with RUNTIME_ERROR when
 * the array's kind or length does not fit.
 */
export function createTensor<T extends ElementType>(
  type: T,
  dims: readonly number[],
  data?: TensorData<T>,
): Tensor<T> {
  const kind = (elementTypes[type] ?? fail('RUNTIME_ERROR', `no element type "${type}"`)).array
  const count = elementCount(dims)
  if (data === undefined) {
    return new Tensor(type, Object.freeze([...dims]), new kind(count) as TensorData<T>)
  }
  if (!(data instanceof kind)) {
    const came = (data as object).constructor.name
    fail('RUNTIME_ERROR', `a ${type} tensor takes a ${kind.name}, not a ${came}`)
  }
  if (data.length !== count) {
    fail(
      'RUNTIME_ERROR',
      `a tensor of shape [${dims}] has ${count} elements, the array ${data.length}`,
    )
  }
  if ('resizable' in data.buffer && data.buffer.resizable) {
    fail('RUNTIME_ERROR', 'a tensor cannot lie in a resizable ArrayBuffer')
  }
  return new Tensor(type, Object.freeze([...dims]), data)
}

/** Fails when the array's buffer was transferred away: its address means nothing any more. */
export function checkAttached(name: string, data: TensorData): void {
  if (data.buffer instanceof ArrayBuffer && data.buffer.detached) {
    fail('RUNTIME_ERROR', `"${name}": the tensor's ArrayBuffer was transferred away`)
  }
}

/** Stands in for the memory of tensors without elements, which have no address. */
const nowhere = new Uint8Array(8)

/**
 * An OrtValue over the array's memory. The caller releases it (`releaseValue`) and keeps the array
 * reachable for as long as ONNX Runtime may touch it.
 */
export function createValue(name: string, tensor: Tensor): Pointer {
  const { data, type, dims } = tensor
  checkAttached(name, data)
  const bytes = data.byteLength
  const address = koffi.address(bytes === 0 ? nowhere : data)
  const { cpuMemory } = loadRuntime()
  return createValueAt(name, { memory: cpuMemory, address, bytes, type, dims })
}

/** An OrtValue over memory wherever it lies. */
export function createValueAt(
  name: string,
  place: {
    readonly memory: Pointer
    readonly address: Pointer
    readonly bytes: number
    readonly type: ElementType
    readonly dims: readonly number[]
  },
): Pointer {
  const dims = BigInt64Array.from(place.dims, BigInt)
  const { memory, address, bytes, type } = place
  const { code } = elementTypes[type]
  const { api } = loadRuntime()
  return read(`making the tensor "${name}"`, (out) =>
    api.createTensorWithData(memory, address, bytes, dims, dims.length, code, out),
  )
}
