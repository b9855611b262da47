/** Writes safetensors files: aligned, sorted, flushed, and renamed into place when whole. */
import { fail } from '../errors.ts'
import { streamFileAtomic, writeFully, writeFullyAt } from '../util/atomic-file.ts'
import { dtypeBytes, type Dtype } from './safetensors-header.ts'

export interface TensorSpec {
  readonly name: string
  readonly dtype: Dtype
  readonly shape: readonly number[]
}

export interface TensorToWrite extends TensorSpec {
  readonly data: ArrayBufferView
}

const bytesOf = ({ dtype, shape }: TensorSpec): number =>
  shape.reduce((bytes, dim) => bytes * dim, dtypeBytes[dtype])

/** Widest types first, then by name: every tensor begins at a multiple of its element size. */
const byWidthAndName = (a: TensorSpec, b: TensorSpec): number =>
  byWidth(a, b) || (a.name < b.name ? -1 : 1)

const byWidth = (a: TensorSpec, b: TensorSpec): number => dtypeBytes[b.dtype] - dtypeBytes[a.dtype]

const whereIs = (path: string, name: string) => `internal: writing ${path}: tensor "${name}"`

function checkNames(tensors: readonly TensorSpec[], path: string): void {
  const names = new Set<string>()
  for (const { name } of tensors) {
    if (name === '__metadata__' || names.has(name))
      fail('INTERNAL', `${whereIs(path, name)}: the name is taken`)
    names.add(name)
  }
}

function checkSizes(tensors: readonly TensorToWrite[], path: string): void {
  for (const { name, dtype, shape, data } of tensors) {
    const expected = bytesOf({ name, dtype, shape })
    const got = data.byteLength
    if (expected !== got)
      fail('INTERNAL', `${whereIs(path, name)}: [${shape}] ${dtype}: ${expected} bytes, got ${got}`)
  }
}

/** Length and JSON, padded with spaces so that the data begins at a multiple of 8. */
function headerBytes(
  sorted: readonly TensorSpec[],
  metadata?: Readonly<Record<string, string>>,
): Uint8Array {
  // pairs, not an object: JSON.stringify would move names like "0" to the front
  const pairs: [string, unknown][] = metadata ? [['__metadata__', metadata]] : []
  let offset = 0
  for (const spec of sorted) {
    const { name, dtype, shape } = spec
    const end = offset + bytesOf(spec)
    pairs.push([name, { dtype, shape, data_offsets: [offset, end] }])
    offset = end
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
  checkNames(sorted, path)
  checkSizes(sorted, path)
  await streamFileAtomic(path, async (file) => {
    await writeFully(file, headerBytes(sorted, metadata))
    for (const { data } of sorted)
      await writeFully(file, new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
  })
}

/** Writes the next bytes of a tensor. */
export type WriteTensorPart = (name: string, bytes: ArrayBufferView) => Promise<void>

/**
 * Writes the file from pieces that come in any order of tensors, each tensor from its start to its end,
 * so that no more than a piece must be in memory. Tensors lie in the order given, widest types first.
 */
export async function writeSafetensorsInParts(
  path: string,
  specs: readonly TensorSpec[],
  fill: (write: WriteTensorPart) => Promise<void>,
  metadata?: Readonly<Record<string, string>>,
): Promise<void> {
  const sorted = specs.toSorted(byWidth)
  checkNames(sorted, path)
  const header = headerBytes(sorted, metadata)
  const open = new Map<string, { next: number; end: number }>()
  let end = header.length
  for (const spec of sorted) open.set(spec.name, { next: end, end: (end += bytesOf(spec)) })
  await streamFileAtomic(path, async (file) => {
    await writeFully(file, header)
    await fill(async (name, { buffer, byteOffset, byteLength }) => {
      const place = open.get(name)
      if (!place || place.next + byteLength > place.end)
        return fail('INTERNAL', `${whereIs(path, name)}: no room for ${byteLength} bytes`)
      const at = place.next
      place.next += byteLength
      await writeFullyAt(file, new Uint8Array(buffer, byteOffset, byteLength), at)
    })
    for (const [name, place] of open)
      if (place.next !== place.end)
        fail('INTERNAL', `${whereIs(path, name)}: lacks ${place.end - place.next} bytes`)
  })
}
