/**
 * Model folders: by name or path, and our `steerlm.json` inside. Weights, tokenizer and config are other files'
 * business. User models stand before bundled ones of the same name.
 */
import { open, readFile, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, isAbsolute, join, resolve } from 'node:path'
import { z } from 'zod'
import { ModelManifest } from '../../schemas/model-manifest.ts'
import { fail } from '../errors.ts'

export interface ModelPlaces {
  /** $STEERLM_HOME; its `models/` holds the user's models. */
  home: string
  /** The models of the project. */
  bundledDir: string
}

const manifestFile = 'steerlm.json'
const namePattern = /^[a-z0-9][a-z0-9._-]*$/i
const maxManifestBytes = 16 * 1024 * 1024

/** A model that can be named. */
export interface ListedModel {
  name: string
  dir: string
  manifest: ModelManifest
}

/**
 * The folder of a model: a name (user's first, then bundled), or a path to a folder with `config.json` (with a
 * separator, or relative with `./`). Fails MODEL_NOT_FOUND with the known names.
 */
export async function resolveModel(name: string, places: ModelPlaces): Promise<string> {
  if (namePattern.test(name)) {
    for (const parent of parents(places)) {
      const dir = join(parent, name)
      if (await isModelFolder(dir)) return dir
    }
  }
  if (name.includes('/') || name.includes('\\') || isAbsolute(name)) {
    const dir = resolve(name)
    if (await isModelFolder(dir)) return dir
  }
  const known = (await modelNames(places)).map((model) => model.name)
  const list = known.length === 0 ? 'none is installed' : `there are: ${known.join(', ')}`
  return fail('MODEL_NOT_FOUND', `"${name.slice(0, 200)}"; ${list}`, { param: 'model' })
}

/** Every model by name, sorted; fails BAD_CHECKPOINT when one has a broken manifest. */
export async function listModels(places: ModelPlaces): Promise<ListedModel[]> {
  const found = await modelNames(places)
  return Promise.all(
    found.map(async ({ name, dir }) => ({ name, dir, manifest: await readManifest(dir) })),
  )
}

/** The manifest; a folder without one is a plain language model that cannot be steered. */
export async function readManifest(dir: string): Promise<ModelManifest> {
  const path = join(dir, manifestFile)
  let text: string
  try {
    const { size } = await stat(path)
    if (size > maxManifestBytes) fail('BAD_CHECKPOINT', `${path} has ${size} bytes`)
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
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
  const reason = z.prettifyError(parsed.error).replaceAll(/\s*\n\s*/g, ' ')
  return fail('BAD_CHECKPOINT', `${path}: ${reason}`, { cause: parsed.error })
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

/** Where a user's model of this name is written. Fails BAD_ARGUMENT on a name that could leave the folder. */
export function userModelPath(name: string, home: string): string {
  if (!namePattern.test(name) || name.length > 100) {
    fail('BAD_ARGUMENT', `model name "${name.slice(0, 100)}": expected letters, digits, . _ -`, {
      param: 'name',
    })
  }
  return join(home, 'models', name)
}

function parents({ home, bundledDir }: ModelPlaces): string[] {
  return [join(home, 'models'), bundledDir]
}

async function modelNames(places: ModelPlaces): Promise<{ name: string; dir: string }[]> {
  const byName = new Map<string, string>()
  for (const parent of parents(places)) {
    const entries = await readdir(parent).catch(() => [])
    for (const name of entries) {
      const dir = join(parent, name)
      if (namePattern.test(name) && !byName.has(name) && (await isModelFolder(dir))) {
        byName.set(name, dir)
      }
    }
  }
  return [...byName].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, dir]) => ({ name, dir }))
}

async function isModelFolder(dir: string): Promise<boolean> {
  return stat(join(dir, 'config.json')).then(
    (found) => found.isFile(),
    () => false,
  )
}
