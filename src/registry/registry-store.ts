/**
 * The registry's folders, and reading them: `$STEERLM_HOME/registry/<model>/changes/` says what there is,
 * `versions/<n>/` holds the model folders. A version without its change is not there (yet, or any more).
 */
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { fail } from '../errors.ts'
import { countChanges, readChanges } from './change-log.ts'
import { checkModelName, modelNamePattern } from './model-name.ts'
import { foldChanges, type ModelState } from './model-state.ts'

/** `version.json` in a version's folder; stays when the version is deleted. */
export const VersionRecord = z.strictObject({
  model: z.string(),
  version: z.int().positive(),
  /** Of the names and contents of all files. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  files: z.array(z.strictObject({ path: z.string(), bytes: z.int(), sha256: z.string() })),
  bytes: z.int(),
  /** The model that it was published from. */
  from: z.string(),
  note: z.string().nullable(),
  kind: z.enum(['language-model', 'attribute-model']),
  /** Names, in label-line order. */
  attributes: z.array(z.string()),
  createdAt: z.iso.datetime(),
  /** The process that published it, to find what a killed one left behind. */
  publisher: z.string(),
})
export type VersionRecord = z.infer<typeof VersionRecord>

export const versionFile = 'version.json'

export const registryDir = (home: string): string => join(home, 'registry')
export const modelDir = (home: string, model: string): string =>
  join(registryDir(home), checkModelName(model))
export const changesDir = (home: string, model: string): string =>
  join(modelDir(home, model), 'changes')
export const versionsDir = (home: string, model: string): string =>
  join(modelDir(home, model), 'versions')
export const versionDir = (home: string, model: string, version: number): string =>
  join(versionsDir(home, model), String(version))

/** The state of a model; empty where nothing of that name was published. */
export async function readModelState(home: string, model: string): Promise<ModelState> {
  const dir = changesDir(home, model)
  return foldChanges(await readChanges(dir), dir)
}

/** Names with at least one version, sorted. */
export async function publishedModels(home: string): Promise<string[]> {
  const names = await modelFolders(home)
  const states = await Promise.all(names.map((name) => readModelState(home, name)))
  return names.filter((_, i) => states[i]!.versions.length > 0)
}

/** Every name that was ever published, sorted. */
export async function modelFolders(home: string): Promise<string[]> {
  const names = await readdir(registryDir(home)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  return names.filter((name) => modelNamePattern.test(name)).sort()
}

/** A text that differs after every change to any model. Costs a folder listing a model. */
export async function registryRevision(home: string): Promise<string> {
  const names = await modelFolders(home)
  const counts = await Promise.all(names.map((name) => countChanges(changesDir(home, name))))
  return names.map((name, i) => `${name}:${counts[i]}`).join()
}

/** Fails BAD_FILE when the record of an existing version is broken. */
export async function readVersionRecord(
  home: string,
  model: string,
  version: number,
): Promise<VersionRecord> {
  const path = join(versionDir(home, model, version), versionFile)
  try {
    return VersionRecord.parse(JSON.parse(await readFile(path, 'utf8')))
  } catch (error) {
    return fail('BAD_FILE', `${path}: ${(error as Error).message}`, { cause: error })
  }
}
