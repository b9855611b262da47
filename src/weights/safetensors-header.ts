/**
 * The header of a safetensors file, treated as hostile: sizes, names, types, shapes and offsets are
 * checked before anything is believed. (https://github.com/huggingface/safetensors, format section)
 */
import { z } from 'zod'
import { fail } from '../errors.ts'

export const MAX_HEADER_BYTES = 100_000_000

/** Bytes of one element. */
export const dtypeBytes = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  I64: 8,
  U64: 8,
  F64: 8,
} as const

export type Dtype = keyof typeof dtypeBytes

export interface TensorEntry {
  readonly dtype: Dtype
  readonly shape: readonly number[]
  /** Absolute position in the file. */
  readonly offset: number
  readonly length: number
}

export interface Header {
  readonly metadata: Readonly<Record<string, string>>
  readonly tensors: ReadonlyMap<string, TensorEntry>
}

const size = z.int().min(0)
const entry = z.strictObject({
  dtype: z.enum(Object.keys(dtypeBytes) as [Dtype, ...Dtype[]]),
  shape: z.array(size).max(64),
  data_offsets: z.tuple([size, size]),
})

function parseObject(text: string, where: string): Record<string, unknown> {
  if (!text.startsWith('{')) fail('BAD_CHECKPOINT', `${where}: the header does not start with "{"`)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    fail('BAD_CHECKPOINT', `${where}: the header is not JSON`, { cause })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    fail('BAD_CHECKPOINT', `${where}: the header is not a JSON object`)
  return value as Record<string, unknown>
}

function parseEntry(name: string, raw: unknown, dataStart: number, where: string): TensorEntry {
  const parsed = entry.safeParse(raw)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!
    return fail(
      'BAD_CHECKPOINT',
      `${where}: tensor "${name}": ${issue.path.join('.')}: ${issue.message}`,
    )
  }
  const {
    dtype,
    shape,
    data_offsets: [begin, end],
  } = parsed.data
  const expected = shape.reduce((n, dim) => n * dim, dtypeBytes[dtype])
  if (!Number.isSafeInteger(expected))
    fail('BAD_CHECKPOINT', `${where}: tensor "${name}": shape [${shape}] is too large`)
  if (end - begin !== expected)
    fail(
      'BAD_CHECKPOINT',
      `${where}: tensor "${name}": expected ${expected} bytes for ${dtype} [${shape}], offsets give ${end - begin}`,
    )
  return { dtype, shape, offset: dataStart + begin, length: end - begin }
}

/** Tensors must fill the data part without gaps or overlaps. */
function checkLayout(
  tensors: ReadonlyMap<string, TensorEntry>,
  span: [number, number],
  where: string,
) {
  let position = span[0]
  const ordered = [...tensors].sort(([, a], [, b]) => a.offset - b.offset || a.length - b.length)
  for (const [name, { offset, length }] of ordered) {
    if (offset !== position)
      fail(
        'BAD_CHECKPOINT',
        `${where}: tensor "${name}": expected to begin at byte ${position}, begins at ${offset}`,
      )
    position += length
  }
  if (position !== span[1])
    fail('BAD_CHECKPOINT', `${where}: tensors end at byte ${position}, the file has ${span[1]}`)
}

/** The header's length from the file's first 8 bytes. */
export function parseHeaderLength(bytes: Uint8Array, fileBytes: number, where: string): number {
  if (bytes.length < 8)
    fail('BAD_CHECKPOINT', `${where}: expected at least 8 bytes, file has ${fileBytes}`)
  const length = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true)
  if (length > BigInt(MAX_HEADER_BYTES))
    fail(
      'BAD_CHECKPOINT',
      `${where}: header of ${length} bytes; at most ${MAX_HEADER_BYTES} are read`,
    )
  if (8 + Number(length) > fileBytes)
    fail(
      'BAD_CHECKPOINT',
      `${where}: header of ${length} bytes does not fit a file of ${fileBytes}`,
    )
  return Number(length)
}

/** Checks everything; throws BAD_CHECKPOINT with the tensor, what was expected and what came. */
export function parseHeader(bytes: Uint8Array, fileBytes: number, where: string): Header {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    return fail('BAD_CHECKPOINT', `${where}: the header is not UTF-8`, { cause })
  }
  const dataStart = 8 + bytes.length
  const { __metadata__: metadata = {}, ...entries } = parseObject(text, where)
  const meta = z.record(z.string(), z.string()).safeParse(metadata)
  if (!meta.success) fail('BAD_CHECKPOINT', `${where}: __metadata__ must map strings to strings`)
  const tensors = new Map(
    Object.entries(entries).map(([name, raw]) => [name, parseEntry(name, raw, dataStart, where)]),
  )
  checkLayout(tensors, [dataStart, fileBytes], where)
  return { metadata: meta.data!, tensors }
}
