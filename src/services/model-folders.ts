/**
 * Where models lie: bundled folders and the user's ($STEERLM_HOME/models). Finds the folders to serve by name,
 * and the attribute model that belongs to a language model. Reads manifests, no weights.
 */
import { readdir, stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import type { ModelManifest } from '../../schemas/model-manifest.ts'
import { SteerError, fail } from '../errors.ts'
import { readModelManifest } from './model-runtime.ts'

export interface ModelFolder {
  /** The name requests use: the folder's. */
  id: string
  dir: string
  manifest: ModelManifest
}

export interface ModelPlaces {
  /** Searched first to last. The first holds the user's models, the last the bundled ones. */
  roots: readonly string[]
}

/**
 * The folders for `names`; with none given, every model of the last root. A name with a slash is a path.
 * The attribute model of a steerable language model comes along where one is found.
 * Fails MODEL_NOT_FOUND or BAD_CHECKPOINT.
 */
export async function findModels(
  names: readonly string[],
  places: ModelPlaces,
): Promise<ModelFolder[]> {
  const bundled = places.roots.slice(-1)
  const chosen =
    names.length === 0
      ? await listModels({ roots: bundled })
      : await Promise.all([...new Set(names)].map((name) => findModel(name, places)))
  if (chosen.length === 0) {
    fail('MODEL_NOT_FOUND', `no model in ${bundled.join()}; import one or name one with --model`)
  }
  return withAttributeModels(chosen, places)
}

/** Every valid model folder of the places, by name; the first root with a name wins. */
export async function listModels(places: ModelPlaces): Promise<ModelFolder[]> {
  const found = new Map<string, ModelFolder>()
  for (const root of places.roots) {
    for (const name of await subfolders(root)) {
      const dir = join(root, name)
      if (found.has(name) || !(await isModel(dir))) continue
      const manifest = await readModelManifest(dir).catch(skipInvalid)
      if (manifest) found.set(name, { id: name, dir, manifest })
    }
  }
  return [...found.values()]
}

async function findModel(name: string, places: ModelPlaces): Promise<ModelFolder> {
  const isPath = /[\\/]/.test(name)
  const candidates = isPath ? [resolve(name)] : places.roots.map((root) => join(root, name))
  for (const dir of name === '.' || name === '..' ? [] : candidates) {
    if (!(await isModel(dir))) continue
    return { id: basename(dir), dir, manifest: await readModelManifest(dir) }
  }
  const known = (await listModels(places)).map((model) => model.id).join(', ') || 'none'
  return fail(
    'MODEL_NOT_FOUND',
    `"${name}" has no config.json in ${candidates.join(' or ')}; known: ${known}`,
    {
      param: '--model',
    },
  )
}

async function withAttributeModels(
  chosen: ModelFolder[],
  places: ModelPlaces,
): Promise<ModelFolder[]> {
  const all = [...chosen]
  for (const { manifest } of chosen) {
    const isSteerable = manifest.kind === 'language-model' && manifest.attributes.length > 0
    if (!isSteerable || all.some((model) => measures(model, manifest))) continue
    const companion = (await listModels(places)).find((model) => measures(model, manifest))
    if (companion) all.push(companion)
  }
  return all
}

function measures(model: ModelFolder, manifest: ModelManifest): boolean {
  const names = (of: ModelManifest): string =>
    of.attributes
      .map((spec) => spec.name)
      .toSorted()
      .join()
  return model.manifest.kind === 'attribute-model' && names(model.manifest) === names(manifest)
}

async function isModel(dir: string): Promise<boolean> {
  return stat(join(dir, 'config.json')).then(
    (entry) => entry.isFile(),
    () => false,
  )
}

/** A folder that is not there has no models. */
async function subfolders(root: string): Promise<string[]> {
  const entries = await readdir(root, { withFileTypes: true }).catch(() => [])
  const names = entries.filter((entry) => entry.isDirectory() || entry.isSymbolicLink())
  return names.map((entry) => entry.name).toSorted()
}

/** A broken folder must not keep the others from being found; naming it reports what is wrong. */
function skipInvalid(error: unknown): null {
  if (error instanceof SteerError) return null
  throw error
}
