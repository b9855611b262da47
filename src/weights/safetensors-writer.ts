/** Writes safetensors files: aligned, sorted, flushed, and renamed into place when whole. */
import { fail } from '../errors.ts'
import { streamFileAtomic, writeFully } from '../util/atomic-file.ts'
import { dtypeBytes, type Dtype } from './safetensors-header.ts'

export interface TensorToWrite {
  readonly name: string
  readonly dtype: Dtype
  readonly shape: readonly number[]
  readonly data: ArrayBufferView
}

/** Widest types first, then by name: every tensor begins at a multiple of its element size. */
const byWidthAndName = (a: TensorToWrite, b: TensorToWrite): number =>
  dtypeBytes[b.dtype] - dtypeBytes[a.dtype] || (a.name < b.name ? -1 : 1)

function checkTensors(sorted: readonly TensorToWrite[], path: string): void {
  const names = new Set<string>()
  for (const { name, dtype, shape, data } of sorted) {
    const expected = shape.reduce((bytes, dim) => bytes * dim, dtypeBytes[dtype])
    const where = `internal: writing ${path}: tensor "${name}"`
    if (name === '__metadata__' || names.has(name)) fail('INTERNAL', `${where}: the name is taken`)
    if (expected !== data.byteLength)
      fail('INTERNAL', `${where}: [${shape}] ${dtype}: ${expected} bytes, got ${data.byteLength}`)
    names.add(name)
  }
}

/** Length and JSON, padded with spaces so that the data begins at a multiple of 8. */
function headerBytes(
  sorted: readonly TensorToWrite[],
  metadata?: Readonly<Record<string, string>>,
): Uint8Array {
  // pairs, not an object: JSON.stringify would move names like "0" to the front
  const pairs: [string, unknown][] = metadata ? [['__metadata__', metadata]] : []
  let offset = 0
  for (const { name, dtype, shape, data } of sorted) {
    pairs.push([name, { dtype, shape, data_offsets: [offset, offset + data.byteLength] }])
    offset += data.byteLength
  }
  const members = pairs.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`)
  const text = new TextEncoder().encode(`{${members.join(',')}}`)
  const padded = Math.ceil(text.length / 8) * 8
  const bytes = new Uint8Array(8 + padded).fill(0x20)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true)
  bytes.set(text, 8)
  return bytes
}

/**
 * Writes the file, tensor by tensor; nothing is copied. The arrays must not change meanwhile.
 * The bytes depend on names, shapes, data and metadata only, not on the order given.
 */
export async function writeSafetensors(
  path: string,
  tensors: Iterable<TensorToWrite>,
  metadata?: Readonly<Record<string, string>>,
): Promise<void> {
  const sorted = [...tensors].sort(byWidthAndName)
  checkTensors(sorted, path)
  await streamFileAtomic(path, async (file) => {
    await writeFully(file, headerBytes(sorted, metadata))
    for (const { data } of sorted)
      await writeFully(file, new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
  })
}
