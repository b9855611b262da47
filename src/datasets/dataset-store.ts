/**
 * Stored data sets: `<home>/datasets/<name>/` with `records.ndjson`, `manifest.json` and, when rows of the source
 * were not valid, `quarantine.ndjson`. Folders are written beside and renamed into place.
 */
import { readFile, readdir, stat, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { ConversationRecord, DatasetManifest, TokenRecord } from '../../schemas/records.ts'
import { attributeSets } from '../labels/attribute-sets.ts'
import type { AttributeSet } from '../../schemas/attributes.ts'
import { fail } from '../errors.ts'
import { writeFolder } from '../util/folder.ts'
import { sha256File } from '../util/hash.ts'
import { readNdjson, writeNdjson, type WrittenNdjson } from '../util/ndjson.ts'
import { createStatsCollector } from './dataset-stats.ts'
import { toNemoRecord } from './nemo-format.ts'
import { describeIssues, readRecords } from './readers.ts'
import type { QuarantinedRow, RecordFormat } from './readers.ts'

const namePattern = /^[a-z0-9][a-z0-9._-]*$/i

export interface WriteDatasetOptions {
  name: string
  /** $STEERLM_HOME. */
  home: string
  records: Iterable<StoredRecord> | AsyncIterable<StoredRecord>
  kind?: DatasetManifest['kind']
  /** Where the rows came from: file and hash, or models and settings. */
  source?: Record<string, unknown>
  /** Replaces a set of that name; without it an existing one fails ALREADY_EXISTS. */
  overwrite?: boolean
  /** Filled while `records` is read; written to `quarantine.ndjson`. */
  quarantine?: readonly QuarantinedRow[]
}

export type StoredRecord = ConversationRecord | TokenRecord

/** Writes a data set and returns its manifest. Fails BAD_ARGUMENT (name), ALREADY_EXISTS, BAD_FILE. */
export async function writeDataset(options: WriteDatasetOptions): Promise<DatasetManifest> {
  const { name, home, records, kind = 'conversations', source = {}, quarantine = [] } = options
  const path = datasetPath(name, home)
  if (!options.overwrite && (await isThere(path))) {
    fail('ALREADY_EXISTS', `data set "${name}" in ${home}`, { param: 'name' })
  }
  return writeFolder(path, async (dir) => {
    const stats = createStatsCollector()
    const counted = async function* (): AsyncGenerator<StoredRecord> {
      for await (const record of records) {
        if ('messages' in record) stats.add(record)
        yield record
      }
    }
    const written = await writeNdjson(join(dir, 'records.ndjson'), counted())
    if (quarantine.length > 0) await writeNdjson(join(dir, 'quarantine.ndjson'), quarantine)
    const attributes = Object.entries(stats.result().attributes).map(
      ([attribute, { count, mean, sd }]) => [attribute, { count, mean, sd }] as const,
    )
    const manifest: DatasetManifest = {
      name,
      kind,
      rows: written.rows,
      sha256: written.sha256,
      quarantined: quarantine.length,
      attributes: Object.fromEntries(attributes),
      source,
      createdAt: new Date().toISOString(),
    }
    await writeFile(join(dir, 'manifest.json'), JSON.stringify(manifest, null, 2) + '\n')
    return manifest
  })
}

export interface ImportDatasetOptions {
  file: string
  format: RecordFormat
  name: string
  home: string
  overwrite?: boolean
}

/**
 * Reads `file` and stores its valid rows. Fails BAD_RECORD when not one row is valid (with the first reason),
 * BAD_FILE when the file cannot be read.
 */
export async function importDataset(options: ImportDatasetOptions): Promise<DatasetManifest> {
  const { file, format, name, home, overwrite } = options
  datasetPath(name, home)
  const quarantine: QuarantinedRow[] = []
  const source = { file: basename(file), format, sha256: await hashOf(file) }
  const records = async function* (): AsyncGenerator<StoredRecord> {
    let rows = 0
    for await (const record of readRecords(file, format, (row) => quarantine.push(row))) {
      rows += 1
      yield record
    }
    if (rows > 0) return
    const first = quarantine[0]
    const reason = first ? `line ${first.line}: ${first.problem}` : 'it has no rows'
    fail('BAD_RECORD', `${file}: no valid row of the format "${format}"; ${reason}`)
  }
  const kind = format === 'tokens' ? 'tokens' : 'conversations'
  return writeDataset({
    name,
    home,
    records: records(),
    kind,
    source,
    quarantine,
    ...(overwrite === undefined ? {} : { overwrite }),
  })
}

async function hashOf(file: string): Promise<string> {
  return sha256File(file).catch((error: unknown) =>
    fail('BAD_FILE', `cannot read ${file}: ${(error as Error).message}`, { cause: error }),
  )
}

/** A stored data set. The records stream from disk at every call and are checked again. */
export interface Dataset {
  readonly manifest: DatasetManifest
  readonly path: string
  /** Fails BAD_ARGUMENT on a set of token rows. */
  conversations(): AsyncGenerator<ConversationRecord>
  /** Fails BAD_ARGUMENT on a set of conversations. */
  tokenRows(): AsyncGenerator<TokenRecord>
}

/** Fails DATASET_NOT_FOUND with the names that exist, BAD_FILE on a broken manifest. */
export async function openDataset(name: string, home: string): Promise<Dataset> {
  const path = datasetPath(name, home)
  const manifest = await readManifest(path, name, home)
  const file = join(path, 'records.ndjson')
  return {
    manifest,
    path,
    conversations: () => readStored(file, manifest, 'conversations', ConversationRecord),
    tokenRows: () => readStored(file, manifest, 'tokens', TokenRecord),
  }
}

async function readManifest(path: string, name: string, home: string): Promise<DatasetManifest> {
  const file = join(path, 'manifest.json')
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    const names = (await listDatasets(home)).map((set) => set.name)
    const known = names.length === 0 ? 'there is none yet' : `there are: ${names.join(', ')}`
    return fail('DATASET_NOT_FOUND', `"${name}"; ${known}`, { cause: error, param: 'dataset' })
  }
  return parseManifest(text) ?? fail('BAD_FILE', `${file} is not the manifest of a data set`)
}

function parseManifest(text: string): DatasetManifest | null {
  try {
    return DatasetManifest.parse(JSON.parse(text))
  } catch {
    return null
  }
}

interface RowSchema<T> {
  safeParse(value: unknown): { success: true; data: T } | { success: false; error: unknown }
}

async function* readStored<T>(
  file: string,
  manifest: DatasetManifest,
  kind: DatasetManifest['kind'],
  schema: RowSchema<T>,
): AsyncGenerator<T> {
  if (manifest.kind !== kind) {
    fail('BAD_ARGUMENT', `data set "${manifest.name}" holds ${manifest.kind}, expected ${kind}`)
  }
  for await (const row of readNdjson(file)) {
    if ('problem' in row) fail('BAD_RECORD', `${file}:${row.line}: ${row.problem}`)
    const parsed = schema.safeParse(row.value)
    if (!parsed.success) {
      const reason = describeIssues(parsed.error as Parameters<typeof describeIssues>[0])
      fail('BAD_RECORD', `${file}:${row.line}: ${reason}`)
    }
    yield parsed.data
  }
}

/** The manifests of the stored data sets by name; folders without a valid manifest are left out. */
export async function listDatasets(home: string): Promise<DatasetManifest[]> {
  const dir = join(home, 'datasets')
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => [])
  const names = entries.filter((entry) => entry.isDirectory() && namePattern.test(entry.name))
  const found: DatasetManifest[] = []
  for (const { name } of names.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const text = await readFile(join(dir, name, 'manifest.json'), 'utf8').catch(() => '')
    const manifest = parseManifest(text)
    if (manifest) found.push(manifest)
  }
  return found
}

export interface ExportDatasetOptions {
  name: string
  home: string
  format: 'records' | 'nemo'
  /** The file to write. */
  file: string
  /** Order of the label lines of the format `nemo`; otherwise NeMo's, then the other names by alphabet. */
  attributes?: AttributeSet
}

/** Writes a stored set of conversations as one file. */
export async function exportDataset(options: ExportDatasetOptions): Promise<WrittenNdjson> {
  const { name, home, format, file } = options
  const dataset = await openDataset(name, home)
  const attributes = options.attributes ?? labelOrder(Object.keys(dataset.manifest.attributes))
  const rows = async function* (): AsyncGenerator<unknown> {
    for await (const record of dataset.conversations()) {
      yield format === 'nemo' ? toNemoRecord(record, attributes) : record
    }
  }
  return writeNdjson(file, rows())
}

function labelOrder(names: readonly string[]): AttributeSet {
  const known = attributeSets.steerlm
  const others = names.filter((name) => !known.some((spec) => spec.name === name)).sort()
  return [...known, ...others.map((name) => ({ ...known[0]!, name }))]
}

/** Where a data set of this name lies. Fails BAD_ARGUMENT on a name that could leave the folder. */
export function datasetPath(name: string, home: string): string {
  if (!namePattern.test(name) || name.length > 100) {
    fail('BAD_ARGUMENT', `data set name "${name.slice(0, 100)}": expected letters, digits, . _ -`, {
      param: 'name',
    })
  }
  return join(home, 'datasets', name)
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
