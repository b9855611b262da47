/** Statistics of stored data sets: from the file that was written with the set, else counted once and kept. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { StoredStats } from '../../schemas/records.ts'
import { createStatsCollector, datasetStats, type DatasetStats } from '../datasets/dataset-stats.ts'
import { openDataset, type Dataset } from '../datasets/dataset-store.ts'

/** Counted statistics that are kept, the last used ones. */
const maxKept = 50

/** Reads by name. Two readers of a set that has to be counted share one count. */
export function createStatsReader(home: string): (name: string) => Promise<DatasetStats> {
  const counted = new Map<string, Promise<DatasetStats>>()

  const count = (dataset: Dataset): Promise<DatasetStats> => {
    const { sha256, kind } = dataset.manifest
    const running =
      counted.get(sha256) ??
      (kind === 'tokens'
        ? Promise.resolve(createStatsCollector().result())
        : datasetStats(dataset.conversations()))
    counted.delete(sha256)
    counted.set(sha256, running)
    if (counted.size > maxKept) counted.delete(counted.keys().next().value!)
    running.catch(() => counted.delete(sha256))
    return running
  }

  return async (name) => {
    const dataset = await openDataset(name, home)
    return (await readStored(dataset)) ?? (await count(dataset))
  }
}

async function readStored(dataset: Dataset): Promise<DatasetStats | null> {
  const text = await readFile(join(dataset.path, 'stats.json'), 'utf8').catch(() => '')
  try {
    const { sha256, stats } = StoredStats.parse(JSON.parse(text))
    return sha256 === dataset.manifest.sha256 ? stats : null
  } catch {
    return null
  }
}
