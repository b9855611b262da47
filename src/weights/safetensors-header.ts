/**
 * The header of a safetensors file, treated as hostile: sizes, names, types, shapes and offsets are
 * checked before anything is believed. Same rules as the reference implementation
 * (https://github.com/huggingface/safetensors, tensor.rs); stricter in that a repeated key, there
 * "the last one wins", is an error here.
 */
import { fail } from '../errors.ts'
import { findDuplicateKey } from './duplicate-keys.ts'

export const MAX_HEADER_BYTES = 100_000_000
const MAX_DIMENSIONS = 64

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

const bad = (where: string, detail: string, cause?: unknown): never =>
  fail('BAD_CHECKPOINT', `${where}: ${detail}`, { cause })

/** A piece of the file for an error message: a hostile one may be megabytes long or deep. */
function shown(value: unknown): string {
  let text: string
  try {
    text = JSON.stringify(value) ?? 'nothing'
  } catch {
    text = 'something nested too deeply'
  }
  return text.length <= 100 ? text : `${text.slice(0, 100)}… (${text.length} characters)`
}

function parseObject(text: string, where: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    return bad(where, 'the header is not JSON', cause)
  }
  if (!isObject(value)) return bad(where, `expected an object as header, got ${shown(value)}`)
  const twice = findDuplicateKey(text)
  if (twice !== undefined) bad(where, `the header has the key ${shown(twice)} twice`)
  return value
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isSize = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0

const isDtype = (value: unknown): value is Dtype =>
  typeof value === 'string' && Object.hasOwn(dtypeBytes, value)

function isShape(value: unknown): value is number[] {
  return Array.isArray(value) && value.length <= MAX_DIMENSIONS && value.every(isSize)
}

function parseEntry(raw: unknown, dataStart: number, where: string): TensorEntry {
  if (!isObject(raw)) return bad(where, `expected an object, got ${shown(raw)}`)
  const { dtype, shape, data_offsets: offsets } = raw // other keys are ignored, as in tensor.rs
  if (!isDtype(dtype))
    return bad(where, `dtype: expected one of ${Object.keys(dtypeBytes)}, got ${shown(dtype)}`)
  if (!isShape(shape)) return bad(where, `shape: expected natural numbers, got ${shown(shape)}`)
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize))
    return bad(where, `data_offsets: expected [begin, end], got ${shown(offsets)}`)
  const [begin, end] = offsets as [number, number]
  const expected = shape.reduce((bytes, dim) => bytes * dim, dtypeBytes[dtype])
  if (!Number.isSafeInteger(expected)) bad(where, `shape ${shown(shape)} is too large`)
  if (end - begin !== expected)
    bad(where, `expected ${expected} bytes for ${dtype} ${shown(shape)}, got ${end - begin}`)
  return { dtype, shape, offset: dataStart + begin, length: expected }
}

function parseMetadata(raw: unknown, where: string): Record<string, string> {
  if (raw === undefined) return {}
  if (isObject(raw) && Object.values(raw).every((value) => typeof value === 'string'))
    return raw as Record<string, string>
  return bad(where, `__metadata__: expected an object of strings, got ${shown(raw)}`)
}

/** Tensors must fill the data part, from `begin` to `end`, without gaps or overlaps. */
function checkLayout(
  tensors: ReadonlyMap<string, TensorEntry>,
  { begin, end }: { begin: number; end: number },
  where: string,
): void {
  let position = begin
  const ordered = [...tensors].sort(([, a], [, b]) => a.offset - b.offset || a.length - b.length)
  for (const [name, { offset, length }] of ordered) {
    if (offset !== position) {
      const kind = offset < position ? 'overlaps another tensor' : 'leaves a gap'
      const [expected, got] = [position - begin, offset - begin]
      bad(where, `tensor ${shown(name)}: ${kind}: expected offset ${expected}, got ${got}`)
    }
    position += length
  }
  if (position !== end) bad(where, `the tensors end at byte ${position}, the file has ${end} bytes`)
}

/** The header's length from the file's first 8 bytes. */
export function parseHeaderLength(bytes: Uint8Array, fileBytes: number, where: string): number {
  if (bytes.length < 8) bad(where, `expected at least 8 bytes, the file has ${fileBytes}`)
  const length = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true)
  if (length > BigInt(MAX_HEADER_BYTES))
    bad(where, `a header of ${length} bytes; at most ${MAX_HEADER_BYTES} are read`)
  if (8 + Number(length) > fileBytes)
    bad(where, `a header of ${length} bytes does not fit the file of ${fileBytes} bytes`)
  return Number(length)
}

/**
 * Checks and reads the header. `bytes` is the JSON part alone, `fileBytes` the size of the whole
 * file, `where` its path. Fails with BAD_CHECKPOINT: the tensor, what was expected, what came.
 */
export function parseHeader(bytes: Uint8Array, fileBytes: number, where: string): Header {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    return bad(where, 'the header is not UTF-8', cause)
  }
  const dataStart = 8 + bytes.length
  const { __metadata__: rawMetadata, ...entries } = parseObject(text, where)
  const metadata = parseMetadata(rawMetadata, where)
  const tensors = new Map<string, TensorEntry>()
  for (const [name, raw] of Object.entries(entries))
    tensors.set(name, parseEntry(raw, dataStart, `${where}: tensor ${shown(name)}`))
  checkLayout(tensors, { begin: dataStart, end: fileBytes }, where)
  return { metadata, tensors }
}
