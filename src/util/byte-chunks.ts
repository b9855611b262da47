/**
 * Steps over a stream of bytes as an async iterable of chunks: gunzip, limit, hash. Each holds one chunk at a time, so
 * memory does not grow with the stream, and each passes on why the stream before it broke.
 */
import type { Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { fail } from '../errors.ts'
import { storageError } from './storage-error.ts'

export type ByteChunks = AsyncIterable<Uint8Array>

/** The bytes of a file. Fails BAD_FILE when it cannot be read. */
export async function* fileChunks(path: string): AsyncGenerator<Uint8Array> {
  const file = createReadStream(path, { highWaterMark: 1 << 18 })
  try {
    for await (const chunk of file) yield chunk as Buffer
  } catch (error) {
    throw storageError(error, `cannot read ${path}`)
  } finally {
    file.destroy()
  }
}

/** How often gzip may be wrapped in gzip: once as a file, once by the transport. */
const maxGzipLayers = 2

/**
 * Gunzips what begins as a gzip file and passes on anything else, whatever the name says: no text begins with these
 * two bytes. Fails BAD_FILE on broken or truncated gzip data; `required` also on data that are not gzip.
 */
export async function* gunzipped(
  chunks: ByteChunks,
  options: { required?: boolean; layers?: number } = {},
): AsyncGenerator<Uint8Array> {
  const { required = false, layers = maxGzipLayers } = options
  const source = chunks[Symbol.asyncIterator]()
  let isGzip = false
  try {
    const head = await readHead(source)
    isGzip = head[0] === 0x1f && head[1] === 0x8b
    if (!isGzip && required && head.length > 0) fail('BAD_FILE', 'the data are not a gzip file')
    const whole = withHead(head, source)
    if (isGzip && layers > 0) yield* gunzipped(gunzip(whole), { layers: layers - 1 })
    else yield* whole
  } finally {
    const closed = Promise.resolve(source.return?.())
    // The unzipper may be waiting for a client that sends nothing more; whoever stopped reading need not wait, too.
    if (isGzip) closed.catch(() => {})
    else await closed
  }
}

/** The first chunks until there are two bytes. */
async function readHead(source: AsyncIterator<Uint8Array>): Promise<Uint8Array> {
  let head: Uint8Array = new Uint8Array()
  while (head.length < 2) {
    const next = await source.next()
    if (next.done) break
    head = head.length === 0 ? next.value : Buffer.concat([head, next.value])
  }
  return head
}

async function* withHead(
  head: Uint8Array,
  source: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  if (head.length > 0) yield head
  for (let next = await source.next(); !next.done; next = await source.next()) yield next.value
}

async function* gunzip(chunks: ByteChunks): AsyncGenerator<Uint8Array> {
  const unzip = createGunzip({ chunkSize: 1 << 16 })
  // Its failure destroys `unzip` with the same error, which the loop below throws.
  pipeline(Readable.from(chunks), unzip).catch(() => {})
  try {
    for await (const chunk of unzip) yield chunk as Buffer
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code?.startsWith('Z_')) {
      fail('BAD_FILE', `the gzip data are not valid: ${(error as Error).message}`, { cause: error })
    }
    throw error
  } finally {
    unzip.destroy()
  }
}

/** Fails BODY_TOO_LARGE once more than `maxBytes` have come. */
export async function* limited(chunks: ByteChunks, maxBytes: number): AsyncGenerator<Uint8Array> {
  let bytes = 0
  for await (const chunk of chunks) {
    bytes += chunk.length
    if (bytes > maxBytes) {
      fail('BODY_TOO_LARGE', `expected at most ${maxBytes} bytes of data (decompressed)`)
    }
    yield chunk
  }
}

/** Feeds the bytes that pass to a hash. */
export async function* hashed(chunks: ByteChunks, hash: Hash): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    hash.update(chunk)
    yield chunk
  }
}
