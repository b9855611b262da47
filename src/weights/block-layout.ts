/**
 * How a matrix [rows, columns] lies in a safetensors file as integers: every row is cut into blocks of
 * neighbouring columns, and each block has one scale. That is the layout which ONNX Runtime's MatMulNBits
 * and GatherBlockQuantized read, so a graph points straight into the file.
 *
 *   `<name>.blocks`  U8  [rows, columns/b, b·bits/8]   4 bits: the even column in the low half of a byte
 *   `<name>.scales`  F32 [rows, columns/b]
 *
 * w = (q − 2^(bits−1)) · scale. Scales may be negative.
 */

export type Bits = 4 | 8

/** Columns of a block; 16 where the columns are no multiple of it. */
export const BLOCK_SIZE = 32

export interface BlockLayout {
  readonly bits: Bits
  readonly blockSize: number
  readonly blocksShape: readonly [rows: number, blocks: number, bytes: number]
  readonly scalesShape: readonly [rows: number, blocks: number]
}

export const blocksName = (name: string): string => `${name}.blocks`
export const scalesName = (name: string): string => `${name}.scales`

/** Null for a tensor that stays as it is: no matrix, or columns that no block size divides. */
export function blockLayout(shape: readonly number[], bits: Bits): BlockLayout | null {
  const [rows, columns] = shape
  if (shape.length !== 2 || rows === undefined || columns === undefined) return null
  const blockSize = [BLOCK_SIZE, 16].find((size) => columns % size === 0)
  if (blockSize === undefined) return null
  const blocks = columns / blockSize
  return {
    bits,
    blockSize,
    blocksShape: [rows, blocks, (blockSize * bits) / 8],
    scalesShape: [rows, blocks],
  }
}
