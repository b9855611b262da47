/** Files of any known type and format → a stored data set, in memory for a few rows at most. */
import { createHash } from 'node:crypto'
import { readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { AttributeSet } from '../../schemas/attributes.ts'
import type { DatasetManifest } from '../../schemas/records.ts'
import { fail, SteerError } from '../errors.ts'
import { temporaryBeside } from '../util/atomic-file.ts'
import { fileChunks, hashed, type ByteChunks } from '../util/byte-chunks.ts'
import { sha256File } from '../util/hash.ts'
import { storageError } from '../util/storage-error.ts'
import { datasetPath, writeDataset } from './dataset-store.ts'
import type { FileRow, FileType } from './files/file-row.ts'
import { isParquetFile, readParquet } from './files/parquet.ts'
import { readRows, typeOfName } from './files/read-rows.ts'
import type { StoredRecord } from './formats/format.ts'
import type { Quarantine } from './quarantine.ts'
import { recordsOfRows, rowFormat, type ReadOptions, type RecordFormat } from './readers.ts'

/** Attributes of one set; the most that a model can have, too. */
const maxAttributes = 64

export interface ImportDatasetOptions extends Pick<ReadOptions, 'map' | 'where'> {
  /** A path of a file or of a folder of files, or bytes that come from elsewhere with the name they have there. */
  file: string | { name: string; chunks: ByteChunks }
  format: RecordFormat
  name: string
  home: string
  /** Only these attributes may occur, with values between their least and most; other rows are set aside. */
  attributes?: AttributeSet
  /** Unless the name or the content say it. */
  fileType?: FileType
  overwrite?: boolean
  /** Of the data, after decompression. */
  maxBytes?: number
  beforePlacing?: () => Promise<void>
}

/**
 * Stores the valid rows. Fails BAD_RECORD when not one row is valid (with the first reason), BAD_FILE when a file
 * cannot be read, BODY_TOO_LARGE, and as `writeDataset` does.
 */
export async function importDataset(options: ImportDatasetOptions): Promise<DatasetManifest> {
  const { file, format, name, home, overwrite, beforePlacing } = options
  const { kind } = rowFormat(format, options)
  const source = createSource(options)
  const fileName = typeof file === 'string' ? file : file.name
  try {
    return await writeDataset({
      name,
      home,
      overwrite,
      beforePlacing,
      kind,
      records: (quarantine) => validRecords(source, options, quarantine),
      source: () => source.facts(),
    })
  } catch (error) {
    if (!(error instanceof SteerError && error.code === 'BAD_RECORD')) throw error
    return fail('BAD_RECORD', `${fileName}: ${error.detail}`, { cause: error })
  }
}

interface SourceFile {
  /** Of a folder; undefined for a single file. */
  name?: string
  rows: AsyncIterable<FileRow>
}

interface Source {
  files(): AsyncGenerator<SourceFile>
  leftOut: number
  /** For the manifest; complete after the last row. */
  facts(): Record<string, unknown>
}

function createSource(options: ImportDatasetOptions): Source {
  const { file, format, map, where } = options
  const read: { file: string; sha256: () => string }[] = []
  const source: Source = {
    leftOut: 0,
    async *files() {
      if (typeof file === 'string' && (await isFolder(file))) {
        for (const name of await dataFiles(file)) {
          yield { name, rows: await openFile(join(file, name), options, read) }
        }
      } else if (typeof file === 'string') yield { rows: await openFile(file, options, read) }
      else yield { rows: openChunks(file, options, read) }
    },
    facts() {
      const files = read.map((each) => ({ file: each.file, sha256: each.sha256() }))
      return {
        ...(typeof file === 'string' && read.length > 1
          ? { folder: basename(file), files }
          : files[0]),
        format,
        ...(map && { map }),
        ...(where && { where, leftOut: source.leftOut }),
      }
    },
  }
  return source
}

type ReadFiles = { file: string; sha256: () => string }[]

async function openFile(
  path: string,
  options: ImportDatasetOptions,
  read: ReadFiles,
): Promise<AsyncIterable<FileRow>> {
  if (!(await isParquetFile(path))) {
    return openChunks({ name: path, chunks: fileChunks(path) }, options, read)
  }
  const sha256 = await sha256File(path).catch((error: unknown) => {
    throw storageError(error, `cannot read ${path}`)
  })
  read.push({ file: basename(path), sha256: () => sha256 })
  return readParquet(path, options.maxBytes)
}

function openChunks(
  file: { name: string; chunks: ByteChunks },
  { fileType, maxBytes, name, home }: ImportDatasetOptions,
  read: ReadFiles,
): AsyncIterable<FileRow> {
  const hash = createHash('sha256')
  read.push({ file: basename(file.name), sha256: () => hash.digest('hex') })
  return readRows(hashed(file.chunks, hash), {
    fileName: file.name,
    fileType,
    maxBytes,
    spool: () => temporaryBeside(datasetPath(name, home), 'part'),
  })
}

const isFolder = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => null))?.isDirectory() ?? false

/** The files of a folder and its folders whose names say that they hold rows, by name. */
async function dataFiles(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true })
  const found = names.filter((name) => typeOfName(name) !== null && !/(^|[\\/])\./.test(name))
  if (found.length === 0) {
    fail('BAD_FILE', `${folder}: no file named .jsonl, .ndjson, .json, .csv, .tsv or .parquet`)
  }
  return found.sort()
}

/** How many bad rows in a row from the beginning show that the file is something else. */
const hopelessRows = 100_000

async function* validRecords(
  source: Source,
  options: ImportDatasetOptions,
  quarantine: Quarantine,
): AsyncGenerator<StoredRecord> {
  const { format } = options
  const checkAttributes = createAttributeCheck(options.attributes)
  const onLeftOut = () => void (source.leftOut += 1)
  let rows = 0
  let first = 'it has no rows'
  const noneValid = (): never => {
    const left = source.leftOut > 0 ? ` (${source.leftOut} were left out by where)` : ''
    return fail('BAD_RECORD', `no valid row of the format "${format}"; ${first}${left}`)
  }
  for await (const file of source.files()) {
    const from = file.name === undefined ? {} : { file: file.name }
    const setAside: Quarantine['add'] = async (row) => {
      const place = file.name === undefined ? '' : `${file.name} `
      if (quarantine.count() === 0) first = `${place}line ${row.line}: ${row.problem}`
      await quarantine.add({ ...from, ...row })
      if (rows === 0 && quarantine.count() >= hopelessRows) noneValid()
    }
    const read = recordsOfRows(file.rows, format, setAside, { ...options, onLeftOut })
    for await (const { record, line } of read) {
      const problem = checkAttributes(record)
      if (problem === null) {
        rows += 1
        yield record
      } else await setAside({ line, problem, raw: JSON.stringify(record).slice(0, 2000) })
    }
  }
  if (rows === 0) noneValid()
}

/** What is wrong with a record's attributes: names or values that the set does not have, or too many names in all. */
function createAttributeCheck(set?: AttributeSet): (record: StoredRecord) => string | null {
  const known = new Set<string>()
  const specs = new Map(set?.map((spec) => [spec.name, spec]))
  return (record) => {
    if (!('messages' in record)) return null
    const replies = 'replies' in record ? record.replies : []
    const pairs = [...record.messages, ...replies].flatMap(({ attributes = {} }) =>
      Object.entries(attributes),
    )
    if (set) {
      for (const [name, value] of pairs) {
        const spec = specs.get(name)
        if (!spec) return `attribute "${name}": expected one of ${[...specs.keys()].join(', ')}`
        if (value < spec.min || value > spec.max)
          return `attribute "${name}": expected ${spec.min} to ${spec.max}, found ${value}`
      }
    }
    const fresh = new Set(pairs.map(([name]) => name).filter((name) => !known.has(name)))
    if (known.size + fresh.size > maxAttributes) {
      return `a data set has at most ${maxAttributes} attributes; one too many: "${[...fresh][0]}"`
    }
    for (const name of fresh) known.add(name)
    return null
  }
}
