/**
 * Tensors in the memory of a device: allocated once, bound to runs by their pointer, never copied. What they hold goes
 * to and from the processor's memory by `device-copy.ts`.
 */
import { fail } from '../errors.ts'
import { ALLOCATOR_DEVICE, loadRuntime, MEMORY_DEFAULT, type Pointer } from './library.ts'
import { NativeHandle } from './native-handle.ts'
import { read } from './status.ts'
import { createValueAt, elementBytes, elementCount, type ElementType } from './tensor.ts'

/** Where tensors of one device come from. Lives as long as it or one of its tensors does, and holds its session. */
export class DeviceMemory {
  readonly #allocator: NativeHandle
  readonly #info: Pointer
  readonly #addressable: boolean

  /** Use `session.createDeviceMemory()`. */
  constructor(
    session: NativeHandle,
    kind: { readonly name: string; readonly addressable: boolean },
  ) {
    const { api } = loadRuntime()
    const endSession = session.acquire()
    this.#info = memoryInfo(kind.name)
    this.#addressable = kind.addressable
    try {
      const allocator = read<Pointer>(`making an allocator of ${kind.name}`, (out) =>
        api.createAllocator(session.pointer, this.#info, out),
      )
      this.#allocator = new NativeHandle("the device's memory", allocator, (pointer) => {
        api.releaseAllocator(pointer)
        endSession()
      })
    } catch (error) {
      endSession()
      throw error
    }
  }

  /** What is in it is undefined. Fails RUNTIME_ERROR when the device has not so much memory. */
  allocate<T extends ElementType>(type: T, dims: readonly number[]): DeviceTensor<T> {
    const { api } = loadRuntime()
    const bytes = elementCount(dims) * elementBytes(type)
    if (bytes === 0) fail('INTERNAL', `internal: a device tensor of shape [${dims}]`)
    const release = this.#allocator.acquire()
    const allocator = this.#allocator.pointer
    try {
      const address = read<Pointer>(`allocating ${bytes} bytes of the device`, (out) =>
        api.allocatorAlloc(allocator, bytes, out),
      )
      const buffer = new NativeHandle('the device tensor', address, (pointer) => {
        api.allocatorFree(allocator, pointer)
        release()
      })
      const place = { memory: this.#info, addressable: this.#addressable, offset: 0 }
      return new DeviceTensor(type, dims, buffer, place)
    } catch (error) {
      release()
      throw error
    }
  }

  dispose(): void {
    this.#allocator.dispose()
  }
}

interface Place {
  readonly memory: Pointer
  readonly addressable: boolean
  /** Bytes from the buffer's beginning. */
  readonly offset: number
}

export class DeviceTensor<T extends ElementType = ElementType> {
  readonly type: T
  readonly dims: readonly number[]
  readonly #buffer: NativeHandle
  readonly #place: Place

  /** Use `memory.allocate()`. */
  constructor(type: T, dims: readonly number[], buffer: NativeHandle, place: Place) {
    this.type = type
    this.dims = Object.freeze([...dims])
    this.#buffer = buffer
    this.#place = place
  }

  /** A part of the same buffer, or all of it in another shape. Disposing either disposes both. */
  view(dims: readonly number[], offsetElements = 0): DeviceTensor<T> {
    const { addressable } = this.#place
    if (offsetElements !== 0 && !addressable)
      fail('INTERNAL', 'internal: a buffer of this device has no parts')
    if (offsetElements + elementCount(dims) > elementCount(this.dims))
      fail('INTERNAL', `internal: [${dims}] at ${offsetElements} is not within [${this.dims}]`)
    const offset = this.#place.offset + offsetElements * elementBytes(this.type)
    return new DeviceTensor(this.type, dims, this.#buffer, { ...this.#place, offset })
  }

  /** An OrtValue over the memory; the caller releases it. */
  createValue(name: string): Pointer {
    const { memory, offset } = this.#place
    const { type, dims } = this
    const bytes = elementCount(dims) * elementBytes(type)
    const address = this.#buffer.pointer + BigInt(offset)
    return createValueAt(name, { memory, address, bytes, type, dims })
  }

  /** Keeps the memory, dispose() or not, until the function given back is called. */
  acquire(): () => void {
    return this.#buffer.acquire()
  }

  dispose(): void {
    this.#buffer.dispose()
  }
}

const infos = new Map<string, Pointer>()

/** Kept until exit: one for each kind of memory. */
function memoryInfo(name: string): Pointer {
  const known = infos.get(name)
  if (known) return known
  const { api } = loadRuntime()
  const info = read<Pointer>(`describing ${name}`, (out) =>
    api.createMemoryInfo(name, ALLOCATOR_DEVICE, 0, MEMORY_DEFAULT, out),
  )
  infos.set(name, info)
  return info
}
