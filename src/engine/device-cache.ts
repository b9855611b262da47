/**
 * Keys and values in a device's memory, where they stay: runs get them as past and present at once, and one slot's are
 * copied to another on the device. They never come back to the processor, so there is no prefix cache beside the slots.
 *
 * On CUDA one buffer per layer and kind holds all slots, as on the processor. A WebGPU buffer has no address into which
 * one could point, so there every slot has its own buffers and a run covers one slot.
 */
import type { ModelConfig } from '../arch/index.ts'
import { fail } from '../errors.ts'
import { DeviceCopier, type DeviceMemory, type DeviceTensor, type Session } from '../ort/index.ts'
import type { CacheMemory, CacheSize, LayerTensors } from './cache-memory.ts'

type CacheType = 'float32' | 'float16'
type CacheTensor = DeviceTensor<CacheType>

export class DeviceCache implements CacheMemory {
  readonly maxRows: number
  readonly #dims: readonly number[]
  readonly #memory: DeviceMemory
  readonly #copier: DeviceCopier
  /** All slots' buffers [kind of the layer][group of slots], a group being as many as a run covers. */
  readonly #buffers: readonly (readonly CacheTensor[])[]
  #copies: { readonly from: number; readonly to: number }[] = []

  private constructor(
    parts: { readonly memory: DeviceMemory; readonly copier: DeviceCopier },
    layout: { readonly maxRows: number; readonly dims: readonly number[] },
    buffers: readonly (readonly CacheTensor[])[],
  ) {
    this.#memory = parts.memory
    this.#copier = parts.copier
    this.maxRows = layout.maxRows
    this.#dims = layout.dims
    this.#buffers = buffers
  }

  /** Fails BAD_ARGUMENT when the device has too little memory. */
  static async create(
    session: Session,
    config: ModelConfig,
    size: CacheSize & { readonly type: CacheType },
  ): Promise<DeviceCache> {
    const { device } = session
    const maxRows = device === 'webgpu' ? 1 : size.slots
    const dims = [config.kvHeads, size.contextLength, config.headDim]
    const copier = await DeviceCopier.create(device, size.type)
    const memory = session.createDeviceMemory()
    const buffers: CacheTensor[][] = []
    try {
      for (let i = 0; i < 2 * config.layers; i += 1) {
        buffers.push([])
        for (let first = 0; first < size.slots; first += maxRows)
          buffers[i]!.push(memory.allocate(size.type, [maxRows, ...dims]))
      }
    } catch (cause) {
      for (const tensor of buffers.flat()) tensor.dispose()
      memory.dispose()
      copier.dispose()
      const asked = `${size.slots} slots of ${size.contextLength} tokens`
      fail('BAD_ARGUMENT', `${asked} need more memory than ${device} has; --kv-memory sets less`, { cause }) // prettier-ignore
    }
    return new DeviceCache({ memory, copier }, { maxRows, dims }, buffers)
  }

  tensors(first: number, rows: number): LayerTensors[] {
    return Array.from({ length: this.#buffers.length / 2 }, (_, layer) => ({
      key: this.#part(2 * layer, first, rows),
      value: this.#part(2 * layer + 1, first, rows),
    }))
  }

  /** Of whole slots: what lies behind the prefix is overwritten before it is read. */
  copyPrefix(from: number, to: number): void {
    this.#copies.push({ from, to })
  }

  async settleCopies(): Promise<void> {
    const copies = this.#copies
    this.#copies = []
    for (const { from, to } of copies) {
      for (let i = 0; i < this.#buffers.length; i += 1)
        await this.#copier.copy(this.#part(i, from, 1), this.#part(i, to, 1))
    }
  }

  readBlock(): never {
    return fail('INTERNAL', 'internal: the cache of a device is not read')
  }

  writeBlock(): never {
    return fail('INTERNAL', 'internal: the cache of a device is not written')
  }

  dispose(): void {
    for (const tensor of this.#buffers.flat()) tensor.dispose()
    this.#memory.dispose()
    this.#copier.dispose()
  }

  #part(kind: number, first: number, rows: number): CacheTensor {
    const buffer = this.#buffers[kind]![Math.floor(first / this.maxRows)]!
    const slotSize = this.#dims.reduce((product, dim) => product * dim, 1)
    return buffer.view([rows, ...this.#dims], (first % this.maxRows) * slotSize)
  }
}
