/** Pages of a data set's rows and of its quarantine. */
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { openDataset } from '../datasets/dataset-store.ts'
import type { QuarantinedRow } from '../datasets/readers.ts'
import { fail } from '../errors.ts'
import { readNdjson } from '../util/ndjson.ts'
import { systemCode } from '../util/storage-error.ts'
import { openFile, openRecords, streamFile } from './stored-file.ts'

export interface PageOptions {
  /** Rows before the page. */
  offset: number
  /** The most rows on it. */
  limit: number
}

export interface Page<T> {
  data: T[]
  /** Rows in all. */
  total: number
  /** Whether rows follow; a page of long rows may end before its limit. */
  hasMore: boolean
}

/** A page ends after this much text, so that an answer stays small whatever the rows are. */
const maxPageLength = 4 * 1024 * 1024

export async function readRowPage(
  name: string,
  home: string,
  page: PageOptions,
): Promise<Page<unknown>> {
  const { dataset, file } = await openRecords(name, home)
  return { ...(await readPage(file, page)), total: dataset.manifest.rows }
}

/** Of the kept rows; the total counts those that were not kept, too. */
export async function readQuarantinePage(
  name: string,
  home: string,
  page: PageOptions,
): Promise<Page<QuarantinedRow>> {
  const { path, manifest } = await openDataset(name, home)
  const total = manifest.quarantined
  if (total === 0) return { data: [], total, hasMore: false }
  const file = await openFile(join(path, 'quarantine.ndjson')).catch((error: unknown) => {
    if (systemCode((error as Error).cause) === 'ENOENT') return null
    throw error
  })
  if (!file) return { data: [], total, hasMore: false }
  const { data, hasMore } = await readPage(file, page)
  return { data: data as QuarantinedRow[], total, hasMore }
}

/** Of the rows of one of our own files, which it closes. */
async function readPage(
  file: FileHandle,
  { offset, limit }: PageOptions,
): Promise<{ data: unknown[]; hasMore: boolean }> {
  const data: unknown[] = []
  let length = 0
  for await (const row of readNdjson(streamFile(file), { skip: offset })) {
    if (data.length >= limit || length > maxPageLength) return { data, hasMore: true }
    if ('problem' in row) fail('BAD_FILE', `line ${row.line} of a stored file: ${row.problem}`)
    data.push(row.value)
    length += row.raw.length
  }
  return { data, hasMore: false }
}
