/**
 * Parquet files as rows, by hyparquet: one slice of a row group at a time. Parquet's footer stands at the end, so the
 * file has to lie on the disk. Sizes that the file declares are checked before anything of that size is made.
 */
import { open, stat, type FileHandle } from 'node:fs/promises'
import { parquetMetadataAsync, parquetReadObjects, type AsyncBuffer } from 'hyparquet'
import type { Compressors, FileMetaData } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { fail, SteerError } from '../../errors.ts'
import { storageError } from '../../util/storage-error.ts'
import type { FileRow } from './file-row.ts'

const maxFooterBytes = 64 * 1024 * 1024
const maxPageBytes = 512 * 1024 * 1024
const maxGroupBytes = 8 * 1024 ** 3
/** What is decoded at once: about so many bytes, at most so many rows. */
const sliceBytes = 32 * 1024 * 1024
const sliceRows = 10_000

/** The first bytes of a Parquet file, and its last. */
export const parquetMagic = 'PAR1'

/** Whether a file begins as a Parquet file; pipes are not looked into. Fails BAD_FILE when it cannot be read. */
export async function isParquetFile(path: string): Promise<boolean> {
  const wrapped = (error: unknown): never => {
    throw storageError(error, `cannot read ${path}`)
  }
  if (!(await stat(path).catch(wrapped)).isFile()) return false
  const file = await open(path, 'r').catch(wrapped)
  try {
    const head = Buffer.alloc(parquetMagic.length)
    await file.read(head, 0, head.length, 0)
    return head.toString('latin1') === parquetMagic
  } finally {
    await file.close()
  }
}

/**
 * The rows of a file. Integers beyond 2⁵³ come as texts, times as ISO texts, bytes that are no text as `{bytes: n}`,
 * which no schema takes for a text. Fails BAD_FILE on a file that is cut off or broken, BODY_TOO_LARGE when the values
 * are longer than `maxBytes` in all.
 */
export async function* readParquet(path: string, maxBytes = Infinity): AsyncGenerator<FileRow> {
  const file = await open(path, 'r').catch((error: unknown) => {
    throw storageError(error, `cannot read ${path}`)
  })
  try {
    const buffer = await asyncBuffer(file)
    const metadata = await readFooter(buffer)
    const size = createSizeLimit(maxBytes)
    for (const slice of slicesOf(metadata)) {
      const rows = await readSlice(buffer, metadata, slice)
      for (const [i, row] of rows.entries()) {
        const value = plain(row, size)
        yield {
          line: slice.start + i + 1,
          value,
          get raw() {
            return JSON.stringify(value)
          },
        }
      }
    }
  } finally {
    await file.close()
  }
}

async function asyncBuffer(file: FileHandle): Promise<AsyncBuffer> {
  const { size: byteLength } = await file.stat()
  return {
    byteLength,
    async slice(start, end = byteLength) {
      const bytes = new Uint8Array(end - start)
      const { bytesRead } = await file.read(bytes, 0, bytes.length, start)
      if (bytesRead < bytes.length) fail('BAD_FILE', 'the Parquet file ends too early')
      return bytes.buffer
    },
  }
}

async function readFooter(buffer: AsyncBuffer): Promise<FileMetaData> {
  if (buffer.byteLength < 12) fail('BAD_FILE', 'the Parquet file ends too early')
  const end = new DataView(await buffer.slice(buffer.byteLength - 8))
  const magic = String.fromCharCode(...new Uint8Array(end.buffer, 4))
  if (magic !== parquetMagic) {
    fail('BAD_FILE', 'the Parquet file has no footer; it is cut off, or still being written')
  }
  const footerBytes = end.getUint32(0, true)
  if (footerBytes > maxFooterBytes) {
    fail('BAD_FILE', `the Parquet footer has ${footerBytes} bytes, expected ${maxFooterBytes}`)
  }
  return parquetMetadataAsync(buffer).catch((error: unknown) => broken(error, 'footer'))
}

interface Slice {
  start: number
  end: number
  group: number
}

/** Each row group in equal parts of about `sliceBytes`. */
function slicesOf(metadata: FileMetaData): Slice[] {
  let start = 0
  return metadata.row_groups.flatMap((group, index) => {
    const rows = Number(group.num_rows)
    const bytes = Number(group.total_byte_size)
    if (bytes > maxGroupBytes || rows > Number.MAX_SAFE_INTEGER || rows < 0) {
      fail('BAD_FILE', `row group ${index + 1} is too large; write smaller row groups`)
    }
    const parts = Math.max(1, Math.ceil(bytes / sliceBytes), Math.ceil(rows / sliceRows))
    const step = Math.ceil(rows / parts)
    const first = start
    start += rows
    return Array.from({ length: step === 0 ? 0 : Math.ceil(rows / step) }, (_, i) => ({
      start: first + i * step,
      end: Math.min(first + (i + 1) * step, first + rows),
      group: index + 1,
    }))
  })
}

async function readSlice(
  file: AsyncBuffer,
  metadata: FileMetaData,
  { start, end, group }: Slice,
): Promise<Record<string, unknown>[]> {
  const options = { file, metadata, compressors: limited, useOffsetIndex: true }
  const rows = await parquetReadObjects({ ...options, rowStart: start, rowEnd: end }).catch(
    (error: unknown) => broken(error, `row group ${group}`),
  )
  if (rows.length !== end - start) {
    fail('BAD_FILE', `row group ${group}: expected ${end - start} rows, found ${rows.length}`)
  }
  return rows
}

/** The library throws plain errors on anything that it does not understand. */
function broken(error: unknown, where: string): never {
  if (error instanceof SteerError) throw error
  const { message } = error as Error
  return fail(
    'BAD_FILE',
    `the Parquet file is broken or of an unknown kind (${where}): ${message}`,
    {
      cause: error,
    },
  )
}

/** A page says itself how large it will be. */
const limited = Object.fromEntries(
  Object.entries(compressors as Compressors).map(([codec, decompress]) => [
    codec,
    (input: Uint8Array, length: number) => {
      if (length > maxPageBytes) fail('BAD_FILE', `a Parquet page of ${length} bytes is too large`)
      return decompress!(input, length)
    },
  ]),
) as Compressors

/** A repeated value costs the file nothing, but its rows do. */
function createSizeLimit(maxBytes: number) {
  let bytes = 0
  return (more: number): void => {
    bytes += more
    if (bytes > maxBytes) {
      fail('BODY_TOO_LARGE', `expected at most ${maxBytes} bytes of data (decompressed)`)
    }
  }
}

/** A value as JSON would hold it. */
function plain(value: unknown, size: (bytes: number) => void): unknown {
  if (typeof value === 'string') size(value.length)
  else size(8)
  if (typeof value === 'bigint') {
    const number = Number(value)
    return Number.isSafeInteger(number) ? number : String(value)
  }
  if (typeof value !== 'object' || value === null) return value ?? null
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString()
  if (value instanceof Uint8Array) return { bytes: value.length }
  if (Array.isArray(value) || ArrayBuffer.isView(value)) {
    return Array.from(value as unknown as ArrayLike<unknown>, (item) => plain(item, size))
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item, size)]))
}
