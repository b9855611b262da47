/**
 * A file that is one JSON array: its elements one at a time, so that memory holds one element however long the array.
 * Only strings and brackets are looked at to find where an element ends; `JSON.parse` judges the rest.
 */
import { fail } from '../../errors.ts'
import type { ByteChunks } from '../../util/byte-chunks.ts'
import { maxLineBytes } from '../../util/ndjson.ts'
import type { FileRow } from './file-row.ts'

const [quote, backslash, comma] = [0x22, 0x5c, 0x2c]
const opening = new Set([0x5b, 0x7b])
const closing = new Set([0x5d, 0x7d])
const blank = new Set([0x20, 0x09, 0x0a, 0x0d, 0xef, 0xbb, 0xbf])

/** The elements of the array, `line` being their number. Fails BAD_FILE when it does not begin or end as an array. */
export async function* readJsonArray(chunks: ByteChunks): AsyncGenerator<FileRow> {
  const elements = createElementCutter()
  let line = 0
  for await (const chunk of chunks) {
    for (const bytes of elements.take(chunk)) yield parseElement(bytes, (line += 1))
  }
  elements.end()
}

function parseElement(bytes: Uint8Array | 'too long', line: number): FileRow {
  if (bytes === 'too long') {
    return { line, problem: `the row is longer than ${maxLineBytes} bytes`, raw: '' }
  }
  const raw = new TextDecoder().decode(bytes).trim()
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    return { line, value: JSON.parse(text) as unknown, raw }
  } catch (error) {
    return { line, problem: `the row is not JSON: ${(error as Error).message}`, raw }
  }
}

type State = 'before' | 'inside' | 'after'

function createElementCutter() {
  let state: State = 'before'
  let depth = 0
  let inString = false
  let escaped = false
  let held: Uint8Array[] = []
  let heldBytes = 0

  const hold = (piece: Uint8Array): void => {
    heldBytes += piece.length
    if (heldBytes > maxLineBytes) held = []
    else if (piece.length > 0) held.push(piece)
  }
  const cut = (): Uint8Array | 'too long' => {
    const element = heldBytes > maxLineBytes ? ('too long' as const) : Buffer.concat(held)
    held = []
    heldBytes = 0
    return element
  }
  /** Whether an element ends before this byte. */
  const isEnd = (byte: number): boolean => {
    if (escaped) escaped = false
    else if (inString) {
      if (byte === backslash) escaped = true
      else if (byte === quote) inString = false
    } else if (byte === quote) inString = true
    else if (opening.has(byte)) depth += 1
    else if (closing.has(byte)) depth -= 1
    else return byte === comma && depth === 0
    return depth < 0
  }
  const outside = (byte: number): void => {
    if (blank.has(byte)) return
    if (state === 'after' || byte !== 0x5b) {
      fail('BAD_FILE', `the data are not one JSON array: found more ${state} it`)
    }
    state = 'inside'
  }

  return {
    *take(chunk: Uint8Array): Generator<Uint8Array | 'too long'> {
      let start = 0
      for (let i = 0; i < chunk.length; i += 1) {
        const byte = chunk[i]!
        if (state !== 'inside') {
          outside(byte)
          start = i + 1
          continue
        }
        if (!isEnd(byte)) continue
        hold(chunk.subarray(start, i))
        start = i + 1
        const element = cut()
        const isLast = depth < 0
        if (isLast) state = 'after'
        // An empty array has no element; a missing one between commas is a bad row.
        if (!isLast || element === 'too long' || !isBlank(element)) yield element
      }
      if (state === 'inside') hold(chunk.subarray(start))
    },
    end(): void {
      if (state !== 'after') fail('BAD_FILE', 'the data end before their JSON array does')
    },
  }
}

const isBlank = (bytes: Uint8Array): boolean => bytes.every((byte) => blank.has(byte))
