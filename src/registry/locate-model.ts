/**
 * Finds a model by what a command, a job or a request calls it: a workspace model, what is published as `prod`, a
 * bundled model, `name@alias`, `name@version`, or a path.
 */
import { isAbsolute, resolve } from 'node:path'
import { basename, join } from 'node:path'
import type { ModelManifest } from '../../schemas/model-manifest.ts'
import { SteerError, fail } from '../errors.ts'
import {
  isModelFolder,
  modelFoldersIn,
  readManifest,
  workspaceDir,
  type ModelPlaces,
} from './model-folder.ts'
import { parseModelReference, servedAlias, type ModelReference } from './model-name.ts'
import { publishedModels, readModelState, versionDir } from './registry-store.ts'

export type ModelSource = 'workspace' | 'published' | 'bundled' | 'path'

export interface LocatedModel {
  /** What names exactly this model: `village@3` for a published one, else its folder's name. */
  readonly name: string
  readonly dir: string
  readonly source: ModelSource
  /** Of a published model. */
  readonly version: number | null
}

/**
 * A bare name means the workspace model, else what is published as `prod`, else the bundled one: what was trained last
 * stands before what was published from it. Text with a separator is a path, unless `paths` is false: requests must not
 * reach other folders. Fails MODEL_NOT_FOUND with the known names.
 */
export async function locateModel(
  text: string,
  places: ModelPlaces,
  { paths = true } = {},
): Promise<LocatedModel> {
  const reference = parseModelReference(text)
  const found = reference ? await locateReference(reference, places) : null
  if (found) return found
  if (paths && (text.includes('/') || text.includes('\\') || isAbsolute(text))) {
    const dir = resolve(text)
    if (await isModelFolder(dir)) return { name: basename(dir), dir, source: 'path', version: null }
  }
  const known = (await listModels(places)).map((model) => model.name)
  const list = known.length === 0 ? 'none is installed' : `there are: ${known.join(', ')}`
  return fail('MODEL_NOT_FOUND', `"${text.slice(0, 200)}"; ${list}`, { param: 'model' })
}

/** The folder of a model; see `locateModel`. */
export async function resolveModel(text: string, places: ModelPlaces): Promise<string> {
  return (await locateModel(text, places)).dir
}

async function locateReference(
  { model, alias, version }: ModelReference,
  places: ModelPlaces,
): Promise<LocatedModel | null> {
  if (version !== null || alias !== null) {
    return locatePublished(places.home, model, version ?? alias!)
  }
  return (
    (await locateFolder(workspaceDir(places.home), model, 'workspace')) ??
    (await locatePublished(places.home, model, servedAlias)) ??
    (await locateFolder(places.bundledDir, model, 'bundled'))
  )
}

async function locateFolder(
  parent: string,
  name: string,
  source: ModelSource,
): Promise<LocatedModel | null> {
  const dir = join(parent, name)
  return (await isModelFolder(dir)) ? { name, dir, source, version: null } : null
}

/** A version by its number or alias; null where there is none. */
export async function locatePublished(
  home: string,
  model: string,
  versionOrAlias: number | string,
): Promise<LocatedModel | null> {
  const state = await readModelState(home, model)
  const version =
    typeof versionOrAlias === 'number' ? versionOrAlias : state.aliases.get(versionOrAlias)?.version
  if (version === undefined || !state.versions.includes(version)) return null
  const dir = versionDir(home, model, version)
  return { name: `${model}@${version}`, dir, source: 'published', version }
}

/** A model that can be named, with its manifest. */
export interface ListedModel extends LocatedModel {
  readonly manifest: ModelManifest
}

/**
 * Every model that a bare name means, by name; those with a broken manifest are left out (naming one reports what is
 * wrong with it).
 */
export async function listModels(places: ModelPlaces): Promise<ListedModel[]> {
  const folders = [
    ...(await modelFoldersIn(workspaceDir(places.home))),
    ...(await modelFoldersIn(places.bundledDir)),
  ]
  const names = new Set([
    ...folders.map((folder) => folder.name),
    ...(await publishedModels(places.home)),
  ])
  const listed = await Promise.all([...names].sort().map((name) => listOne(name, places)))
  return listed.filter((model) => model !== null)
}

async function listOne(name: string, places: ModelPlaces): Promise<ListedModel | null> {
  const found = await locateReference({ model: name, alias: null, version: null }, places)
  if (!found) return null
  try {
    return { ...found, name, manifest: await readManifest(found.dir) }
  } catch (error) {
    if (error instanceof SteerError) return null
    throw error
  }
}
