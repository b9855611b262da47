/** Removes what deletions and killed processes leave in the registry's folders. May run at any time, in any process. */
import { readFile, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isLeftBehind } from './owner-tag.ts'
import {
  changesDir,
  readModelState,
  versionDir,
  versionFile,
  versionsDir,
} from './registry-store.ts'

/** Deleted versions keep their `version.json`, which keeps the number taken. */
export async function sweepModel(home: string, model: string): Promise<void> {
  const { versions, deleted } = await readModelState(home, model)
  const dir = versionsDir(home, model)
  for (const name of await namesIn(dir)) {
    const path = join(dir, name)
    if (name.startsWith('.')) await removeIfLeft(name, path)
    else if (deleted.includes(Number(name))) await emptyVersion(path)
    else if (!versions.includes(Number(name))) await removeOrphan(path)
  }
  const changes = changesDir(home, model)
  for (const name of await namesIn(changes)) {
    if (name.startsWith('.')) await removeIfLeft(name, join(changes, name))
  }
}

/** After a change that could not be written. */
export async function removeUnpublished(
  home: string,
  model: string,
  version: number,
): Promise<void> {
  const { versions } = await readModelState(home, model)
  if (versions.includes(version)) return
  await rm(versionDir(home, model, version), { recursive: true, force: true })
}

const namesIn = (dir: string): Promise<string[]> => readdir(dir).catch(() => [])

async function removeIfLeft(tag: string, path: string): Promise<void> {
  const isLeft = await isLeftBehind(tag, path).catch(() => false)
  if (isLeft) await rm(path, { recursive: true, force: true })
}

async function emptyVersion(path: string): Promise<void> {
  for (const name of await namesIn(path)) {
    if (name !== versionFile) await rm(join(path, name), { recursive: true, force: true })
  }
}

/** A folder that took its number and whose publisher was killed before the change. */
async function removeOrphan(path: string): Promise<void> {
  const text = await readFile(join(path, versionFile), 'utf8').catch(() => '')
  await removeIfLeft(/"publisher": "([^"]+)"/.exec(text)?.[1] ?? '', path)
}
