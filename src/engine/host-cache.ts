/**
 * Keys and values in the processor's memory: one array per layer and kind, [slots, Nkv, C, D] f32. A run over slots
 * first … first + B − 1 gets that part of each array, so nothing is ever copied for a run.
 */
import type { ModelConfig } from '../arch/index.ts'
import { fail } from '../errors.ts'
import { createTensor } from '../ort/index.ts'
import { cacheFloatsPerToken, type CacheMemory, type CacheSize, type LayerTensors } from './cache-memory.ts' // prettier-ignore

interface LayerArrays {
  readonly key: Float32Array
  readonly value: Float32Array
}

/** The system hands out the pages only when they are written to. */
function allocate(config: ModelConfig, size: CacheSize): LayerArrays[] {
  const length = size.slots * config.kvHeads * size.contextLength * config.headDim
  try {
    return Array.from({ length: config.layers }, () => ({
      key: new Float32Array(length),
      value: new Float32Array(length),
    }))
  } catch (cause) {
    const bytes = 8 * length * config.layers
    const asked = `${size.slots} slots of ${size.contextLength} tokens`
    return fail('BAD_ARGUMENT', `${asked} need ${bytes} bytes of cache, too much here`, { cause })
  }
}

export class HostCache implements CacheMemory {
  readonly maxRows = Infinity
  readonly #config: ModelConfig
  readonly #contextLength: number
  readonly #layers: readonly LayerArrays[]
  /** Elements of one slot in a layer's array. */
  readonly #slotSize: number

  constructor(config: ModelConfig, size: CacheSize) {
    this.#config = config
    this.#contextLength = size.contextLength
    this.#layers = allocate(config, size)
    this.#slotSize = config.kvHeads * size.contextLength * config.headDim
  }

  tensors(first: number, rows: number): LayerTensors[] {
    const { kvHeads, headDim } = this.#config
    const dims = [rows, kvHeads, this.#contextLength, headDim]
    const [begin, end] = [first * this.#slotSize, (first + rows) * this.#slotSize]
    return this.#layers.map(({ key, value }) => ({
      key: createTensor('float32', dims, key.subarray(begin, end)),
      value: createTensor('float32', dims, value.subarray(begin, end)),
    }))
  }

  copyPrefix(from: number, to: number, count: number): void {
    const { kvHeads, headDim } = this.#config
    const headSize = this.#contextLength * headDim
    for (const { key, value } of this.#layers) {
      for (let head = 0; head < kvHeads; head += 1) {
        const source = from * this.#slotSize + head * headSize
        const target = to * this.#slotSize + head * headSize
        key.copyWithin(target, source, source + count * headDim)
        value.copyWithin(target, source, source + count * headDim)
      }
    }
  }

  readBlock(slot: number, start: number, into: Float32Array): void {
    this.#eachPiece(slot, start, into, (array, at, piece) => {
      piece.set(array.subarray(at, at + piece.length))
    })
  }

  writeBlock(slot: number, start: number, from: Float32Array): void {
    this.#eachPiece(slot, start, from, (array, at, piece) => array.set(piece, at))
  }

  async settleCopies(): Promise<void> {}

  dispose(): void {}

  /** Parts of `block` [layers, 2, Nkv, tokens, D] and where each lies in the layers' arrays. */
  #eachPiece(
    slot: number,
    start: number,
    block: Float32Array,
    visit: (array: Float32Array, at: number, piece: Float32Array) => void,
  ): void {
    const { kvHeads, headDim } = this.#config
    const size = (block.length / cacheFloatsPerToken(this.#config)) * headDim
    const first = slot * this.#slotSize + start * headDim
    let from = 0
    for (const { key, value } of this.#layers) {
      for (const array of [key, value]) {
        for (let head = 0; head < kvHeads; head += 1) {
          const at = first + head * this.#contextLength * headDim
          visit(array, at, block.subarray(from, from + size))
          from += size
        }
      }
    }
  }
}
