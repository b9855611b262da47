/**
 * Stored data sets: `<home>/datasets/<name>/` with `records.ndjson`, `manifest.json`, `stats.json` and, when rows of the
 * source were not valid, `quarantine.ndjson`. Folders are written beside and renamed into place.
 */
import { readFile, readdir, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import {
  ConversationRecord,
  DatasetManifest,
  PreferenceRecord,
  TokenRecord,
  type Message,
  type StoredStats,
} from '../../schemas/records.ts'
import { attributeSets } from '../labels/attribute-sets.ts'
import type { AttributeSet } from '../../schemas/attributes.ts'
import { fail } from '../errors.ts'
import { writeFolder } from '../util/folder.ts'
import { createNdjsonWriter, readNdjson, writeNdjson, type WrittenNdjson } from '../util/ndjson.ts'
import { createStatsCollector } from './dataset-stats.ts'
import { toNemoRecord } from './nemo-format.ts'
import { createQuarantine, type Quarantine } from './quarantine.ts'
import type { StoredRecord } from './formats/format.ts'
import { describeIssues } from './readers.ts'

export const datasetNamePattern = /^[a-z0-9][a-z0-9._-]*$/i
export const maxDatasetNameLength = 100
type Records = Iterable<StoredRecord> | AsyncIterable<StoredRecord>

export interface WriteDatasetOptions {
  name: string
  /** $STEERLM_HOME. */
  home: string
  /** The rows, or what makes them and sets bad ones aside. */
  records: Records | ((quarantine: Quarantine) => Records)
  kind?: DatasetManifest['kind']
  /** Where the rows came from: file and hash, or models and settings; asked for after the last row. */
  source?: Record<string, unknown> | (() => Record<string, unknown>)
  /** Replaces a set of that name; without it an existing one fails ALREADY_EXISTS. */
  overwrite?: boolean
  /** Called when all is written but not yet in place; may throw to stop it. */
  beforePlacing?: () => Promise<void>
}

/** Writes a data set and returns its manifest. Fails BAD_ARGUMENT (name), ALREADY_EXISTS, BAD_FILE, DISK_FULL. */
export async function writeDataset(options: WriteDatasetOptions): Promise<DatasetManifest> {
  const { name, home, overwrite = false } = options
  const path = datasetPath(name, home)
  if (!overwrite && (await isThere(path))) {
    fail('ALREADY_EXISTS', `data set "${name}"`, { param: 'name' })
  }
  return writeFolder(path, (dir) => fillFolder(dir, options), { replace: overwrite })
}

async function fillFolder(dir: string, options: WriteDatasetOptions): Promise<DatasetManifest> {
  const { name, records, kind = 'conversations', source = {} } = options
  const stats = createStatsCollector()
  const quarantine = createQuarantine(join(dir, 'quarantine.ndjson'))
  const writer = await createNdjsonWriter(join(dir, 'records.ndjson'))
  let written: WrittenNdjson
  try {
    for await (const record of typeof records === 'function' ? records(quarantine) : records) {
      if ('messages' in record) stats.add(asConversation(record))
      await writer.write(record)
    }
    written = await writer.finish()
    await quarantine.finish()
  } catch (error) {
    await writer.abort()
    await quarantine.abort()
    throw error
  }
  const { sha256, rows } = written
  const result = stats.result()
  const manifest: DatasetManifest = {
    name,
    kind,
    rows,
    sha256,
    quarantined: quarantine.count(),
    attributes: Object.fromEntries(
      Object.entries(result.attributes).map(([attribute, { count, mean, sd }]) => [
        attribute,
        { count, mean, sd },
      ]),
    ),
    source: typeof source === 'function' ? source() : source,
    createdAt: new Date().toISOString(),
  }
  const stored: StoredStats = { sha256, stats: result }
  await writeFile(join(dir, 'stats.json'), JSON.stringify(stored) + '\n')
  await writeFile(join(dir, 'manifest.json'), JSON.stringify(manifest, null, 2) + '\n')
  await options.beforePlacing?.()
  return manifest
}

/** Preferences count as a conversation with all their replies. */
function asConversation(record: ConversationRecord | PreferenceRecord): ConversationRecord {
  if (!('replies' in record)) return record
  const replies = record.replies.map(({ rank: _rank, ...reply }): Message => ({
    role: 'assistant',
    ...reply,
  }))
  return { messages: [...record.messages, ...replies] }
}

/** A stored data set. The records stream from disk at every call and are checked again. */
export interface Dataset {
  readonly manifest: DatasetManifest
  readonly path: string
  /** Each fails BAD_ARGUMENT on a set of another kind. */
  conversations(): AsyncGenerator<ConversationRecord>
  preferences(): AsyncGenerator<PreferenceRecord>
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
    preferences: () => readStored(file, manifest, 'preferences', PreferenceRecord),
    tokenRows: () => readStored(file, manifest, 'tokens', TokenRecord),
  }
}

async function readManifest(path: string, name: string, home: string): Promise<DatasetManifest> {
  const file = join(path, 'manifest.json')
  let text: string
  try {
    text = await readThroughReplacement(file, path)
  } catch (error) {
    const names = (await listDatasets(home)).map((set) => set.name)
    const known = names.length === 0 ? 'there is none yet' : `there are: ${shortList(names)}`
    return fail('DATASET_NOT_FOUND', `"${name}"; ${known}`, { cause: error, param: 'dataset' })
  }
  return parseManifest(text) ?? fail('BAD_FILE', `${file} is not the manifest of a data set`)
}

/** While a set is being replaced there is an instant without one; then its older folder stands beside. */
async function readThroughReplacement(file: string, path: string): Promise<string> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await readFile(file, 'utf8')
    } catch (error) {
      const beside = await readdir(dirname(path)).catch(() => [])
      const isReplaced = beside.some((other) => isOldOf(other, basename(path)))
      if (!isReplaced || tries > 100) throw error
      await delay(10)
    }
  }
}

const isOldOf = (other: string, name: string): boolean =>
  other.startsWith(`.${name}.`) && other.endsWith('.old')

const shortList = (names: readonly string[]): string =>
  names.slice(0, 20).join(', ') + (names.length > 20 ? ` and ${names.length - 20} more` : '')

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
  const names = entries.filter(
    (entry) => entry.isDirectory() && datasetNamePattern.test(entry.name),
  )
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

/** NeMo's order of the names it knows, then the others by alphabet. */
export function labelOrder(names: readonly string[]): AttributeSet {
  const known = attributeSets.steerlm
  const others = names.filter((name) => !known.some((spec) => spec.name === name)).sort()
  return [...known, ...others.map((name) => ({ ...known[0]!, name }))]
}

/** Where a data set of this name lies. Fails BAD_ARGUMENT on a name that could leave the folder. */
export function datasetPath(name: string, home: string): string {
  if (!datasetNamePattern.test(name) || name.length > maxDatasetNameLength) {
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
