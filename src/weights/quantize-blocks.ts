/**
 * Floats ↔ integers in blocks. The scale of a block is not simply the one under which its largest value
 * fits: several are tried, each is improved to the least-squares scale of the integers it gives, and the
 * one with the smallest squared error stays.
 */
import type { Bits } from './block-layout.ts'

export interface QuantizedRows {
  /** As they lie in the file; `block-layout.ts`. */
  readonly blocks: Uint8Array<ArrayBuffer>
  readonly scales: Float32Array<ArrayBuffer>
}

export interface BlockOptions {
  readonly bits: Bits
  readonly blockSize: number
  /** False: the largest value decides (round to nearest); for comparison. */
  readonly search?: boolean
}

/** How much further than the largest value a candidate's range reaches, in steps of the integer grid. */
const STRETCHES = [-0.9, -0.6, -0.3, 0.3, 0.6, 0.9, 1.2]

/** What is kept of a block while candidates are compared. */
class BlockSearch {
  readonly #zero: number
  readonly #values: Float32Array
  readonly #tried: Int16Array
  readonly #best: Int16Array
  #bestScale = 0
  #bestGain = -1

  constructor({ bits, blockSize }: BlockOptions) {
    this.#zero = 2 ** (bits - 1)
    this.#values = new Float32Array(blockSize)
    this.#tried = new Int16Array(blockSize)
    this.#best = new Int16Array(blockSize)
  }

  get scale(): number {
    return this.#bestScale
  }

  /** Integers from −2^(bits−1), of the best candidate. */
  get integers(): Int16Array {
    return this.#best
  }

  /** Takes the block at `start` and finds its scale. */
  quantize(data: Float32Array, start: number, search: boolean): void {
    const values = this.#values
    let [extreme, magnitude] = [0, 0]
    for (let i = 0; i < values.length; i++) {
      const value = data[start + i]!
      values[i] = value
      if (Math.abs(value) > magnitude) [extreme, magnitude] = [value, Math.abs(value)]
    }
    this.#bestScale = 0
    this.#bestGain = -1
    this.#best.fill(0)
    // Nothing to represent, or so little that the scale's inverse is no number.
    if (!(magnitude > 1e-30)) return
    // The side with the largest value gets the side of the grid that reaches one further.
    this.#try(-this.#zero / extreme, search)
    if (!search) return
    this.#try(this.#zero / extreme, true)
    for (const stretch of STRETCHES) this.#try(-(this.#zero + stretch) / extreme, true)
  }

  /**
   * With integers q fixed, Σ(x − s·q)² is least at s = Σxq / Σq², where it is Σx² − (Σxq)² / Σq²;
   * so the candidate with the largest (Σxq)² / Σq² wins.
   */
  #try(inverse: number, refine: boolean): void {
    const [values, tried, zero] = [this.#values, this.#tried, this.#zero]
    let [products, squares] = [0, 0]
    for (let i = 0; i < values.length; i++) {
      const rounded = Math.round(values[i]! * inverse)
      const q = rounded < -zero ? -zero : rounded > zero - 1 ? zero - 1 : rounded
      tried[i] = q
      products += values[i]! * q
      squares += q * q
    }
    const gain = squares > 0 ? (products * products) / squares : 0
    if (gain <= this.#bestGain) return
    this.#bestGain = gain
    this.#bestScale = refine && squares > 0 ? products / squares : 1 / inverse
    this.#best.set(tried)
  }
}

/** Whole rows; their length is a multiple of the block size. */
export function quantizeRows(data: Float32Array, options: BlockOptions): QuantizedRows {
  const { bits, blockSize, search = true } = options
  const count = data.length / blockSize
  const blocks = new Uint8Array((data.length * bits) / 8)
  const scales = new Float32Array(count)
  const block = new BlockSearch(options)
  for (let b = 0; b < count; b++) {
    block.quantize(data, b * blockSize, search)
    scales[b] = block.scale
    if (bits === 8) store8(blocks, b * blockSize, block.integers)
    else store4(blocks, (b * blockSize) / 2, block.integers)
  }
  return { blocks, scales }
}

function store8(blocks: Uint8Array, start: number, integers: Int16Array): void {
  for (let i = 0; i < integers.length; i++) blocks[start + i] = integers[i]! + 128
}

function store4(blocks: Uint8Array, start: number, integers: Int16Array): void {
  for (let i = 0; i < integers.length; i += 2)
    blocks[start + i / 2] = (integers[i]! + 8) | ((integers[i + 1]! + 8) << 4)
}

/** The floats that the integers stand for. */
export function dequantizeRows(
  rows: QuantizedRows,
  options: BlockOptions,
): Float32Array<ArrayBuffer> {
  const { bits, blockSize } = options
  const { blocks, scales } = rows
  const data = new Float32Array((blocks.length * 8) / bits)
  for (let i = 0; i < data.length; i++) {
    const q = bits === 8 ? blocks[i]! - 128 : ((blocks[i >> 1]! >> ((i & 1) * 4)) & 15) - 8
    data[i] = q * scales[Math.floor(i / blockSize)]!
  }
  return data
}
