/**
 * The data sets of a data folder, for clients and jobs: import from a stream or a file, read, delete. Files are the
 * truth; nothing is kept in memory but statistics of older sets. Several processes may work on one folder.
 */
import { stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { DatasetManifest } from '../../schemas/records.ts'
import type { DatasetStats } from '../datasets/dataset-stats.ts'
import { datasetPath, listDatasets, openDataset } from '../datasets/dataset-store.ts'
import { importDataset, type ImportDatasetOptions } from '../datasets/import-dataset.ts'
import type { QuarantinedRow } from '../datasets/readers.ts'
import { fail } from '../errors.ts'
import { removeDirAtomic } from '../util/atomic-file.ts'
import { fileChunks, type ByteChunks } from '../util/byte-chunks.ts'
import { sweepLeftovers } from '../util/leftovers.ts'
import { storageError } from '../util/storage-error.ts'
import { createStatsReader } from './dataset-statistics.ts'
import { readQuarantinePage, readRowPage, type Page, type PageOptions } from './dataset-pages.ts'
import { downloadDataset, type Download, type DownloadFormat } from './dataset-download.ts'
import { guardFreeSpace } from './free-space.ts'

export interface StoredDataset {
  manifest: DatasetManifest
  /** Of the records. */
  bytes: number
}

export interface ImportOptions extends Pick<
  ImportDatasetOptions,
  'name' | 'format' | 'map' | 'where' | 'attributes' | 'fileType'
> {
  /** Replaces a set of that name; without it an existing one fails ALREADY_EXISTS. */
  overwrite?: boolean
}

export interface Datasets {
  /** By name. */
  list(): Promise<StoredDataset[]>
  /** Fails DATASET_NOT_FOUND. */
  get(name: string): Promise<StoredDataset>
  /** Fails unless a set of that name may be written: BAD_ARGUMENT, ALREADY_EXISTS, IN_USE. */
  checkWritable(options: { name: string; overwrite?: boolean }): Promise<void>
  /**
   * Stores the valid rows of bytes that come in, gzipped or not; all or nothing. `fileName` is the client's.
   * Fails as `checkWritable`, and BAD_RECORD (no valid row), BAD_FILE (gzip), BODY_TOO_LARGE, DISK_FULL.
   */
  importChunks(
    options: ImportOptions & { chunks: ByteChunks; fileName: string },
  ): Promise<StoredDataset>
  /** The same from a file of this machine; `fileName` is what the set remembers as its source. */
  importFile(options: ImportOptions & { path: string; fileName?: string }): Promise<StoredDataset>
  rows(name: string, page: PageOptions): Promise<Page<unknown>>
  /** The rows that were not valid. */
  quarantine(name: string, page: PageOptions): Promise<Page<QuarantinedRow>>
  stats(name: string): Promise<{ dataset: StoredDataset; stats: DatasetStats }>
  /** Goes on to the end whatever happens to the set meanwhile. */
  download(name: string, format: DownloadFormat): Promise<Download>
  /** Fails DATASET_NOT_FOUND, IN_USE. */
  delete(name: string): Promise<void>
  /** Removes what killed processes left; to be called once, before anything else. Returns the names. */
  sweep(): Promise<string[]>
}

export interface DatasetsOptions {
  /** $STEERLM_HOME. */
  home: string
  /** The most that one upload may hold after gunzipping. */
  maxUploadBytes?: number
  /** Who uses the set now (such as `job 1f…`); null: nobody. Neither deleted nor replaced while in use. */
  isInUse?: (name: string) => Promise<string | null>
  /** What an upload leaves free on the disk, for the rest of the server. */
  reserveBytes?: number
}

export const defaultMaxUploadBytes = 16 * 1024 ** 3

export function createDatasets(options: DatasetsOptions): Datasets {
  const { home, maxUploadBytes = defaultMaxUploadBytes, isInUse = async () => null } = options
  const folder = join(home, 'datasets')
  const statsOf = createStatsReader(home)

  const refuseInUse = async (name: string): Promise<void> => {
    const user = await isInUse(name)
    if (user !== null) fail('IN_USE', `data set "${name}" is used by ${user}`, { param: 'name' })
  }

  const get = async (name: string): Promise<StoredDataset> => {
    const { manifest, path } = await openDataset(name, home)
    return withBytes(manifest, path)
  }

  const checkWritable: Datasets['checkWritable'] = async ({ name, overwrite = false }) => {
    const isTaken = await isThere(datasetPath(name, home))
    if (isTaken && !overwrite) fail('ALREADY_EXISTS', `data set "${name}"`, { param: 'name' })
    if (isTaken) await refuseInUse(name)
  }

  const importChunks: Datasets['importChunks'] = async (given) => {
    const { overwrite = false, fileName, chunks: _chunks, ...rest } = given
    const { name } = rest
    await checkWritable({ name, overwrite })
    const chunks = guardFreeSpace(given.chunks, home, options.reserveBytes)
    try {
      const manifest = await importDataset({
        ...rest,
        file: { name: fileName, chunks },
        home,
        overwrite,
        maxBytes: maxUploadBytes,
        // A job may have begun with the older set since.
        ...(overwrite && { beforePlacing: () => refuseInUse(name) }),
      })
      return await withBytes(manifest, datasetPath(name, home))
    } catch (error) {
      throw storageError(error, `cannot store data set "${name}"`)
    }
  }

  return {
    async list() {
      const manifests = await listDatasets(home)
      return Promise.all(manifests.map((each) => withBytes(each, datasetPath(each.name, home))))
    },
    get,
    checkWritable,
    importChunks,
    importFile: ({ path, fileName = basename(path), ...given }) =>
      importChunks({ ...given, fileName, chunks: fileChunks(path) }),
    rows: (name, page) => readRowPage(name, home, page),
    quarantine: (name, page) => readQuarantinePage(name, home, page),
    stats: async (name) => ({ dataset: await get(name), stats: await statsOf(name) }),
    download: (name, format) => downloadDataset(name, home, format),
    async delete(name) {
      await openDataset(name, home)
      await refuseInUse(name)
      if (!(await removeDirAtomic(datasetPath(name, home)))) await openDataset(name, home)
    },
    sweep: () => sweepLeftovers(folder),
  }
}

async function withBytes(manifest: DatasetManifest, path: string): Promise<StoredDataset> {
  const found = await stat(join(path, 'records.ndjson')).catch(() => null)
  return { manifest, bytes: found?.size ?? 0 }
}

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )
