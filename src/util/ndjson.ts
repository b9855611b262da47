/**
 * NDJSON files: lines in, lines out. Reads `.gz` by its ending, caps the length of a line, and reports
 * a bad line instead of stopping; what a row means is the readers' business (`src/datasets`).
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { createGunzip } from 'node:zlib'
import { SteerError, fail } from '../errors.ts'

/** The longest line read, in bytes; a longer one is a bad line, not a crash. */
export const maxLineBytes = 16 * 1024 * 1024

/** A line of a file, 1-based. Either its parsed value or what is wrong with it. */
export type NdjsonLine =
  { line: number; value: unknown } | { line: number; problem: string; raw: string }

/**
 * Streams the lines of an NDJSON file (gunzips `*.gz`). Blank lines are skipped but counted.
 * Fails BAD_FILE when the file cannot be read or is not a gzip file; never on a single bad line.
 */
export async function* readNdjson(path: string): AsyncGenerator<NdjsonLine> {
  let number = 0
  for await (const bytes of splitLines(readChunks(path))) {
    number += 1
    const line = parseLine(bytes, number)
    if (line) yield line
  }
}

function parseLine(bytes: Uint8Array | 'too long', line: number): NdjsonLine | null {
  if (bytes === 'too long') {
    return { line, problem: `the line is longer than ${maxLineBytes} bytes`, raw: '' }
  }
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: line !== 1 }).decode(bytes).trim()
  } catch {
    return { line, problem: 'the line is not UTF-8', raw: new TextDecoder().decode(bytes) }
  }
  if (text === '') return null
  try {
    return { line, value: JSON.parse(text) as unknown }
  } catch (error) {
    return { line, problem: `the line is not JSON: ${messageOf(error)}`, raw: text }
  }
}

async function* readChunks(path: string): AsyncGenerator<Buffer> {
  const file = createReadStream(path, { highWaterMark: 1 << 18 })
  const source = path.endsWith('.gz') ? file.pipe(createGunzip()) : file
  // An error of the file does not travel through `pipe`.
  if (source !== file) file.on('error', (error) => source.destroy(error))
  try {
    for await (const chunk of source) yield chunk as Buffer
  } catch (error) {
    fail('BAD_FILE', `cannot read ${path}: ${messageOf(error)}`, { cause: error })
  } finally {
    file.destroy()
  }
}

/** Cuts chunks at line feeds; holds at most `maxLineBytes` of an unfinished line. */
async function* splitLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<Uint8Array | 'too long'> {
  let held: Buffer[] = []
  let heldBytes = 0
  const take = (piece: Buffer): void => {
    heldBytes += piece.length
    if (heldBytes > maxLineBytes) held = []
    else held.push(piece)
  }
  const finish = (): Uint8Array | 'too long' => {
    const line = heldBytes > maxLineBytes ? 'too long' : Buffer.concat(held)
    held = []
    heldBytes = 0
    return line
  }
  for await (const chunk of chunks) {
    let start = 0
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      take(chunk.subarray(start, end))
      start = end + 1
      yield finish()
    }
    if (start < chunk.length) take(chunk.subarray(start))
  }
  if (heldBytes > 0) yield finish()
}

/** What `writeNdjson` wrote. */
export interface WrittenNdjson {
  rows: number
  bytes: number
  /** Of the file's bytes, hex. */
  sha256: string
}

/**
 * Writes one JSON value per line: to a file beside `path`, flushed to disk, then renamed into place.
 * On any error nothing is left behind and an older file at `path` stays.
 */
export async function writeNdjson(
  path: string,
  rows: Iterable<unknown> | AsyncIterable<unknown>,
): Promise<WrittenNdjson> {
  const beside = `${path}.${process.pid}.part`
  const hash = createHash('sha256')
  const written = { rows: 0, bytes: 0 }
  const file = await open(beside, 'w').catch((error: unknown) =>
    fail('BAD_FILE', `cannot write ${path}: ${messageOf(error)}`, { cause: error }),
  )
  try {
    const flush = async (text: string): Promise<void> => {
      const bytes = Buffer.from(text, 'utf8')
      hash.update(bytes)
      written.bytes += bytes.length
      await file.appendFile(bytes)
    }
    let text = ''
    for await (const row of rows) {
      text += JSON.stringify(row) + '\n'
      written.rows += 1
      if (text.length > 1 << 18) {
        await flush(text)
        text = ''
      }
    }
    await flush(text)
    await file.sync()
    await file.close()
    await rename(beside, path)
  } catch (error) {
    await file.close().catch(() => {})
    await rm(beside, { force: true })
    if (error instanceof SteerError) throw error
    fail('BAD_FILE', `cannot write ${path}: ${messageOf(error)}`, { cause: error })
  }
  return { ...written, sha256: hash.digest('hex') }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
