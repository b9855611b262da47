/** Open files of the data folder: once open they are read to their end, whatever happens to their names meanwhile. */
import { createReadStream } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { openDataset, type Dataset } from '../datasets/dataset-store.ts'
import { storageError } from '../util/storage-error.ts'

/** Fails BAD_FILE. */
export async function openFile(path: string): Promise<FileHandle> {
  return open(path, 'r').catch((error: unknown) => {
    throw storageError(error, `cannot read ${path}`)
  })
}

/** The bytes of an open file from its start; closes it at the end or when the stream is destroyed. */
export function streamFile(file: FileHandle): Readable {
  return createReadStream('', { fd: file, start: 0, highWaterMark: 1 << 18 })
}

/** Of 10 ms each, for a set that is replaced again and again. */
const maxTries = 100

/** A data set and its open records, which belong together even when the set is being replaced. */
export async function openRecords(
  name: string,
  home: string,
): Promise<{ dataset: Dataset; file: FileHandle }> {
  for (let tries = 1; ; tries += 1) {
    const dataset = await openDataset(name, home)
    const file = await openFile(join(dataset.path, 'records.ndjson')).catch((error: unknown) => {
      if (tries < maxTries) return null
      throw error
    })
    const { sha256, createdAt } = (await openDataset(name, home)).manifest
    const isSame = sha256 === dataset.manifest.sha256 && createdAt === dataset.manifest.createdAt
    if (file && (isSame || tries === maxTries)) return { dataset, file }
    await file?.close()
    await delay(10)
  }
}
