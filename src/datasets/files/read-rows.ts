/**
 * The rows of a data file of any type: lines of JSON, a JSON array, CSV, TSV or Parquet, gzipped or not. The type is
 * the one given, else that of the file's name, else what the first bytes look like.
 */
import { open, rm } from 'node:fs/promises'
import { fail } from '../../errors.ts'
import { writeFully } from '../../util/atomic-file.ts'
import { fileChunks, gunzipped, limited, type ByteChunks } from '../../util/byte-chunks.ts'
import { readNdjson } from '../../util/ndjson.ts'
import { storageError } from '../../util/storage-error.ts'
import { readCsv } from './csv.ts'
import { fileTypes, type FileRow, type FileType } from './file-row.ts'
import { readJsonArray } from './json-array.ts'
import { isParquetFile, parquetMagic, readParquet } from './parquet.ts'

export interface RowsOptions {
  /** Of the file, for its type; '' where there is none. */
  fileName?: string
  fileType?: FileType
  /** Of the data, after decompression. */
  maxBytes?: number
  /** Where a Parquet file is put that comes as a stream; without it one fails BAD_REQUEST. */
  spool?: () => string
}

/** Fails BAD_FILE when the data cannot be read; never on a single bad row. */
export async function* readRows(
  chunks: ByteChunks,
  { fileName = '', fileType, maxBytes = Infinity, spool }: RowsOptions = {},
): AsyncGenerator<FileRow> {
  const required = fileName.toLowerCase().endsWith('.gz')
  const plain = limited(gunzipped(chunks, { required }), maxBytes)
  const { head, whole } = await peek(plain)
  const type = typeOf(head, fileName, fileType)
  if (type === 'csv') yield* readCsv(whole, ',')
  else if (type === 'tsv') yield* readCsv(whole, '\t')
  else if (type === 'json') yield* readJsonArray(whole)
  else if (type === 'jsonl') yield* readNdjson(whole)
  else yield* readSpooled(whole, maxBytes, spool)
}

/** The extension of a file's name that names a type; `.gz` does not count. */
export function typeOfName(fileName: string): FileType | null {
  const extension = /\.([a-z]+)(\.gz)?$/i.exec(fileName)?.[1]?.toLowerCase()
  if (extension === 'ndjson') return 'jsonl'
  return fileTypes.find((type) => type === extension) ?? null
}

function typeOf(head: Uint8Array, fileName: string, given?: FileType): FileType {
  const text = Buffer.from(head).toString('latin1')
  if (given) return given
  if (text.startsWith(parquetMagic)) return 'parquet'
  const named = typeOfName(fileName)
  // Files named .json hold an array or lines.
  if (named !== null && named !== 'json') return named
  // An array of rows begins with an object, or ends at once.
  return /^(\u00ef\u00bb\u00bf)?\s*\[\s*(\{|\]|$)/.test(text) ? 'json' : 'jsonl'
}

const headBytes = 64

async function peek(chunks: ByteChunks): Promise<{ head: Uint8Array; whole: ByteChunks }> {
  const source = chunks[Symbol.asyncIterator]()
  let head: Uint8Array = new Uint8Array()
  while (head.length < headBytes) {
    const next = await source.next()
    if (next.done) break
    head = Buffer.concat([head, next.value])
  }
  const whole = async function* (): AsyncGenerator<Uint8Array> {
    try {
      if (head.length > 0) yield head
      for (let next = await source.next(); !next.done; next = await source.next()) yield next.value
    } finally {
      await source.return?.()
    }
  }
  return { head, whole: whole() }
}

async function* readSpooled(
  chunks: ByteChunks,
  maxBytes: number,
  spool?: () => string,
): AsyncGenerator<FileRow> {
  if (!spool) return fail('BAD_REQUEST', 'a Parquet file is not expected here')
  const path = spool()
  try {
    await writeAll(path, chunks)
    yield* readParquet(path, maxBytes)
  } finally {
    await rm(path, { force: true })
  }
}

async function writeAll(path: string, chunks: ByteChunks): Promise<void> {
  const wrapped = (error: unknown): never => {
    throw storageError(error, `cannot write ${path}`)
  }
  const file = await open(path, 'wx').catch(wrapped)
  try {
    for await (const chunk of chunks) await writeFully(file, chunk).catch(wrapped)
  } finally {
    await file.close()
  }
}

/** The rows of a file of this machine; a Parquet file is read where it lies. */
export async function* readRowsOfFile(path: string): AsyncGenerator<FileRow> {
  if (await isParquetFile(path)) yield* readParquet(path)
  else yield* readRows(fileChunks(path), { fileName: path })
}
