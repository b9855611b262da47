/**
 * NDJSON: lines in, lines out. Gunzips what is gzip, caps the length of a line, and reports a bad line instead of
 * stopping; what a row means is the readers' business (`src/datasets`).
 */
import { createHash } from 'node:crypto'
import { open, rename, rm, type FileHandle } from 'node:fs/promises'
import { temporaryBeside, writeFully } from './atomic-file.ts'
import { fileChunks, gunzipped, type ByteChunks } from './byte-chunks.ts'
import { storageError } from './storage-error.ts'

/** The longest line read, in bytes; a longer one is a bad line, not a crash. */
export const maxLineBytes = 16 * 1024 * 1024

/** A line of a file, 1-based. Either its parsed value or what is wrong with it; `raw` is its text. */
export type NdjsonLine =
  { line: number; value: unknown; raw: string } | { line: number; problem: string; raw: string }

/**
 * Streams the lines of a file or of chunks of bytes, gunzipped where they are gzip (a file named `.gz` has to be).
 * Blank lines are skipped but counted, and so are the first `skip` lines.
 * Fails BAD_FILE when the file cannot be read or its gzip data are broken; never on a single bad line.
 */
export async function* readNdjson(
  source: string | ByteChunks,
  { skip = 0 }: { skip?: number } = {},
): AsyncGenerator<NdjsonLine> {
  const isPath = typeof source === 'string'
  const chunks = isPath ? fileChunks(source) : source
  let number = 0
  try {
    const required = isPath && source.endsWith('.gz')
    for await (const lines of splitLines(gunzipped(chunks, { required }))) {
      for (const bytes of lines) {
        number += 1
        const line = number > skip ? parseLine(bytes, number) : null
        if (line) yield line
      }
    }
  } catch (error) {
    throw isPath ? storageError(error, `cannot read ${source}`) : error
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
/** Drops a byte order mark, which may only begin a file. */
const utf8Start = new TextDecoder('utf-8', { fatal: true })

type LineBytes = Uint8Array | 'too long'

function parseLine(bytes: LineBytes, line: number): NdjsonLine | null {
  if (bytes.length === 0) return null
  if (bytes === 'too long') {
    return { line, problem: `the line is longer than ${maxLineBytes} bytes`, raw: '' }
  }
  let raw: string
  try {
    raw = (line === 1 ? utf8Start : utf8).decode(bytes).trim()
  } catch {
    return { line, problem: 'the line is not UTF-8', raw: new TextDecoder().decode(bytes) }
  }
  if (raw === '') return null
  try {
    return { line, value: JSON.parse(raw) as unknown, raw }
  } catch (error) {
    return { line, problem: `the line is not JSON: ${(error as Error).message}`, raw }
  }
}

/** Cuts chunks at line feeds: the lines that end in each chunk. Holds at most `maxLineBytes` of an unfinished line. */
async function* splitLines(chunks: ByteChunks): AsyncGenerator<LineBytes[]> {
  let held: Uint8Array[] = []
  let heldBytes = 0
  const take = (piece: Uint8Array): void => {
    heldBytes += piece.length
    if (heldBytes > maxLineBytes) held = []
    else held.push(piece)
  }
  const finish = (): LineBytes => {
    const line = heldBytes > maxLineBytes ? 'too long' : joined(held)
    held = []
    heldBytes = 0
    return line
  }
  for await (const chunk of chunks) {
    const lines: LineBytes[] = []
    let start = 0
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      take(chunk.subarray(start, end))
      start = end + 1
      lines.push(finish())
    }
    if (start < chunk.length) take(chunk.subarray(start))
    if (lines.length > 0) yield lines
  }
  if (heldBytes > 0) yield [finish()]
}

const joined = (pieces: readonly Uint8Array[]): Uint8Array =>
  pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)

/** What was written. */
export interface WrittenNdjson {
  rows: number
  bytes: number
  /** Of the file's bytes, hex. */
  sha256: string
}

/** Rows going into a file; one of `finish` and `abort` has to be called. */
export interface NdjsonWriter {
  write(row: unknown): Promise<void>
  /** Flushes to the disk and closes. */
  finish(): Promise<WrittenNdjson>
  /** Closes; what is in the file stays for the caller to remove. */
  abort(): Promise<void>
}

/** A new file of one JSON value per line, in memory for at most one block. Fails BAD_FILE, DISK_FULL. */
export async function createNdjsonWriter(path: string): Promise<NdjsonWriter> {
  const wrapped = (error: unknown): never => {
    throw storageError(error, `cannot write ${path}`)
  }
  const file = await open(path, 'wx').catch(wrapped)
  const block = createBlockWriter(file)
  let rows = 0
  return {
    async write(row) {
      rows += 1
      await block.add(`${JSON.stringify(row)}\n`).catch(wrapped)
    },
    async finish() {
      const written = await block.flush().catch(wrapped)
      await file.sync().catch(wrapped)
      await file.close().catch(wrapped)
      return { rows, ...written }
    },
    abort: () => file.close().catch(() => {}),
  }
}

function createBlockWriter(file: FileHandle) {
  const hash = createHash('sha256')
  let text = ''
  let bytes = 0
  const flush = async (): Promise<void> => {
    const block = Buffer.from(text, 'utf8')
    text = ''
    hash.update(block)
    bytes += block.length
    await writeFully(file, block)
  }
  return {
    async add(line: string): Promise<void> {
      text += line
      if (text.length > 1 << 18) await flush()
    },
    async flush(): Promise<{ bytes: number; sha256: string }> {
      await flush()
      return { bytes, sha256: hash.digest('hex') }
    },
  }
}

/**
 * Writes one JSON value per line: to a file beside `path`, flushed to disk, then renamed into place.
 * On any error nothing is left behind and an older file at `path` stays.
 */
export async function writeNdjson(
  path: string,
  rows: Iterable<unknown> | AsyncIterable<unknown>,
): Promise<WrittenNdjson> {
  const beside = temporaryBeside(path, 'part')
  const writer = await createNdjsonWriter(beside)
  try {
    for await (const row of rows) await writer.write(row)
    const written = await writer.finish()
    await rename(beside, path)
    return written
  } catch (error) {
    await writer.abort()
    await rm(beside, { force: true })
    throw storageError(error, `cannot write ${path}`)
  }
}
