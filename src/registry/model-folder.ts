/**
 * Model folders and our `steerlm.json` inside. Weights, tokenizer and config are other files' business; finding a
 * model by its name is `locate-model.ts`.
 */
import { open, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { ModelManifest } from '../../schemas/model-manifest.ts'
import { fail } from '../errors.ts'
import { readFailure, readRegularFile } from '../util/read-regular-file.ts'
import { checkModelName, modelNamePattern } from './model-name.ts'

export interface ModelPlaces {
  /** $STEERLM_HOME; its `models/` holds the user's models. */
  home: string
  /** The models of the project. */
  bundledDir: string
}

const manifestFile = 'steerlm.json'
const maxManifestBytes = 16 * 1024 * 1024

/** A model that can be named. */
export interface ModelFolder {
  readonly name: string
  readonly dir: string
}

/** The folder of the user's models. */
export const workspaceDir = (home: string): string => join(home, 'models')

/** Folders with a `config.json` in `parent`, by name; none where there is no such folder. */
export async function modelFoldersIn(parent: string): Promise<ModelFolder[]> {
  const names = await readdir(parent).catch(() => [])
  const folders = names
    .filter((name) => modelNamePattern.test(name))
    .sort()
    .map((name) => ({ name, dir: join(parent, name) }))
  const found = await Promise.all(folders.map(({ dir }) => isModelFolder(dir)))
  return folders.filter((_, i) => found[i])
}

/** The manifest; a folder without one is a plain language model that cannot be steered. */
export async function readManifest(dir: string): Promise<ModelManifest> {
  const path = join(dir, manifestFile)
  let text: string
  try {
    text = (await readRegularFile(path, maxManifestBytes)).toString()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ENOENT' && code !== 'ENOTDIR') {
      fail('BAD_CHECKPOINT', `${path}: ${readFailure(error)}`, { cause: error })
    }
    const name = basename(resolve(dir))
    return { kind: 'language-model', name, template: 'chat', attributes: [] }
  }
  return parseManifest(text, path)
}

function parseManifest(text: string, path: string): ModelManifest {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    fail('BAD_CHECKPOINT', `${path} is not JSON: ${(error as Error).message}`, { cause: error })
  }
  const parsed = ModelManifest.safeParse(value)
  if (parsed.success) return parsed.data
  const reasons = parsed.error.issues
    .slice(0, 3)
    .map((issue) => `${issue.path.join('.') || 'the file'}: ${issue.message}`)
  return fail('BAD_CHECKPOINT', `${path}: ${reasons.join('; ')}`, { cause: parsed.error })
}

/** Checks and writes the manifest: beside, flushed, renamed. Fails BAD_CHECKPOINT on a bad one. */
export async function writeManifest(dir: string, manifest: ModelManifest): Promise<void> {
  const path = join(dir, manifestFile)
  const text = JSON.stringify(manifest, null, 2) + '\n'
  parseManifest(text, path)
  const beside = `${path}.${process.pid}.part`
  try {
    const file = await open(beside, 'w')
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(beside, path)
  } finally {
    await rm(beside, { force: true })
  }
}

/** The attribute model that labelled the data of the last stage that says so; null where none does. */
export function attributeModelOf({ stages = [] }: ModelManifest): string | null {
  const named = stages.flatMap((stage) => {
    const apm = (stage as { apm?: unknown } | null)?.apm
    return typeof apm === 'string' ? [apm] : []
  })
  return named.at(-1) ?? null
}

/** Where a user's model of this name is written. Fails BAD_ARGUMENT on a name that could leave the folder. */
export function userModelPath(name: string, home: string): string {
  return join(workspaceDir(home), checkModelName(name))
}

export async function isModelFolder(dir: string): Promise<boolean> {
  return stat(join(dir, 'config.json')).then(
    (found) => found.isFile(),
    () => false,
  )
}
