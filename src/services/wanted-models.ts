/**
 * What a server is to serve: the models it was started with, what is published as `prod`, what it was asked for, and
 * the attribute models that measure these. Reads the data folder; loads nothing.
 */
import { join } from 'node:path'
import type { ModelManifest } from '../../schemas/model-manifest.ts'
import { SteerError, fail } from '../errors.ts'
import { listModels, locateModel, type LocatedModel } from '../registry/locate-model.ts'
import {
  attributeModelOf,
  isModelFolder,
  modelFoldersIn,
  readManifest,
  workspaceDir,
  type ModelPlaces,
} from '../registry/model-folder.ts'
import { parseModelReference, servedAlias } from '../registry/model-name.ts'
import type { ModelState } from '../registry/model-state.ts'
import { modelFolders, readModelState, versionDir } from '../registry/registry-store.ts'
import { readPins } from '../registry/served-pins.ts'
import type { EngineSource } from './engine-pool.ts'

export interface Candidate extends EngineSource {
  /** Of a published model. */
  readonly version: number | null
}

export type ServedBecause = 'configured' | 'published' | 'requested' | 'companion'

export interface WantedModel {
  /** What requests call it. */
  readonly name: string
  readonly because: ServedBecause
  /** The best first; the others stand in for one that cannot be loaded. */
  readonly candidates: readonly Candidate[]
  /** The aliases of each of the model's versions. */
  readonly aliases: ReadonlyMap<number, readonly string[]>
  /** Differs after every change to the model: what could not be loaded is tried again then. */
  readonly revision: number
}

export interface WantedOptions {
  readonly places: ModelPlaces
  /** Names or paths; none: the bundled models. */
  readonly configured: readonly string[]
  /** Told of a published model that cannot be read; the others are served. */
  readonly onProblem: (model: string, error: SteerError) => void
}

export async function wantedModels(options: WantedOptions): Promise<WantedModel[]> {
  const { places } = options
  const states = await readStates(options)
  const wanted = new Map<string, WantedModel>()
  const add = (model: WantedModel): void => {
    if (!wanted.has(model.name) && model.candidates.length > 0) wanted.set(model.name, model)
  }
  for (const name of await configuredNames(options)) {
    add(await configuredModel(name, places, states))
  }
  for (const [name, state] of states) {
    const candidates = versionCandidates(places.home, name, servedAlias, state)
    add({ name, because: 'published', candidates, ...changing(state) })
  }
  for (const [name, change] of await readPins(places.home)) {
    add(await requestedModel(name, change, places, states))
  }
  for (const model of await companions([...wanted.values()], places, states)) add(model)
  return [...wanted.values()]
}

/** The names that a server must be able to serve from the start. */
async function configuredNames({ places, configured }: WantedOptions): Promise<string[]> {
  if (configured.length > 0) return [...new Set(configured)]
  return (await modelFoldersIn(places.bundledDir)).map(({ name }) => name)
}

async function readStates({ places, onProblem }: WantedOptions): Promise<Map<string, ModelState>> {
  const states = new Map<string, ModelState>()
  for (const name of await modelFolders(places.home)) {
    try {
      states.set(name, await readModelState(places.home, name))
    } catch (error) {
      if (!(error instanceof SteerError)) throw error
      onProblem(name, error)
    }
  }
  return states
}

/** What is published under the name stands before the folder of that name. */
async function configuredModel(
  name: string,
  places: ModelPlaces,
  states: ReadonlyMap<string, ModelState>,
): Promise<WantedModel> {
  const reference = parseModelReference(name)
  if (!reference) {
    const folder = await locateModel(name, places).catch(() => null)
    const candidates = folder ? [folderCandidate(folder)] : []
    return { name: folder?.name ?? name, because: 'configured', candidates, ...changing() }
  }
  const { model, version, alias } = reference
  const state = states.get(model)
  const ref = version ?? alias ?? servedAlias
  const versions = versionCandidates(places.home, model, ref, state)
  const folder = name === model ? await folderOf(name, places) : null
  const candidates = folder ? [...versions, folderCandidate(folder)] : versions
  return { name, because: 'configured', candidates, ...changing(state) }
}

async function requestedModel(
  name: string,
  change: number,
  places: ModelPlaces,
  states: ReadonlyMap<string, ModelState>,
): Promise<WantedModel> {
  const { model, alias, version } = parseModelReference(name)!
  const ref = version ?? alias
  if (ref === null) {
    const folder = await folderOf(name, places)
    const candidates = folder ? [folderCandidate(folder, change)] : []
    return { name, because: 'requested', candidates, ...changing() }
  }
  const state = states.get(model)
  const candidates = versionCandidates(places.home, model, ref, state)
  const { aliases, revision } = changing(state)
  return { name, because: 'requested', candidates, aliases, revision: revision + change }
}

/** A version, or what an alias points to with the versions that it pointed to before. */
function versionCandidates(
  home: string,
  model: string,
  versionOrAlias: number | string,
  state?: ModelState,
): Candidate[] {
  const versions = state ? versionsOf(versionOrAlias, state) : []
  return versions.map((version) => {
    const dir = versionDir(home, model, version)
    return { key: dir, dir, id: `${model}@${version}`, version }
  })
}

function changing(state?: ModelState): Pick<WantedModel, 'aliases' | 'revision'> {
  const aliases = new Map<number, string[]>()
  for (const [alias, { version }] of state?.aliases ?? []) {
    aliases.set(version, [...(aliases.get(version) ?? []), alias].sort())
  }
  return { aliases, revision: state?.changes ?? 0 }
}

function versionsOf(versionOrAlias: number | string, state: ModelState): number[] {
  if (typeof versionOrAlias === 'number') {
    return state.versions.filter((version) => version === versionOrAlias)
  }
  const alias = state.aliases.get(versionOrAlias)
  return alias ? [alias.version, ...alias.earlier.toReversed()] : []
}

type Folder = Pick<LocatedModel, 'name' | 'dir'>

async function folderOf(name: string, places: ModelPlaces): Promise<Folder | null> {
  for (const parent of [workspaceDir(places.home), places.bundledDir]) {
    const dir = join(parent, name)
    if (await isModelFolder(dir)) return { name, dir }
  }
  return null
}

/** A folder's content may change: one that was asked for again is loaded again. */
const folderCandidate = ({ name, dir }: Folder, change = 0): Candidate => ({
  key: `${dir}#${change}`,
  dir,
  id: name,
  version: null,
})

/** Attribute models for the steerable models that none of the others measures. */
async function companions(
  chosen: readonly WantedModel[],
  places: ModelPlaces,
  states: ReadonlyMap<string, ModelState>,
): Promise<WantedModel[]> {
  const manifests = await Promise.all(chosen.map((model) => manifestOf(model.candidates[0]!.dir)))
  const judges = manifests.filter((manifest) => manifest?.kind === 'attribute-model')
  const added: WantedModel[] = []
  for (const manifest of manifests) {
    if (manifest?.kind !== 'language-model' || manifest.attributes.length === 0) continue
    const named = await namedCompanion(manifest, chosen, places)
    if (!named && judges.some((judge) => measures(judge!, manifest))) continue
    const found = named ?? (await listModels(places)).find((model) => measures(model.manifest, manifest)) // prettier-ignore
    if (!found) continue
    judges.push(found.manifest)
    const model = await configuredModel(found.name, places, states)
    added.push({ ...model, because: 'companion' })
  }
  return added
}

/** The attribute model that labelled the training data, unless it is served anyway. */
async function namedCompanion(
  manifest: ModelManifest,
  chosen: readonly WantedModel[],
  places: ModelPlaces,
): Promise<{ name: string; manifest: ModelManifest } | null> {
  const name = attributeModelOf(manifest)
  if (name === null) return null
  const located = await locateModel(name, places, { paths: false }).catch(() => null)
  const isServed = chosen.some(({ candidates }) => candidates[0]!.dir === located?.dir)
  if (!located || isServed) return null
  const own = await manifestOf(located.dir)
  return own && measures(own, manifest) ? { name: located.name, manifest: own } : null
}

/** Null where the folder is broken: loading it says what is wrong. */
async function manifestOf(dir: string): Promise<ModelManifest | null> {
  return readManifest(dir).catch(() => null)
}

/** The same attributes in another order measure the same. */
export function measures(judge: ModelManifest, model: ModelManifest): boolean {
  const names = (of: ModelManifest): string =>
    of.attributes
      .map((spec) => spec.name)
      .toSorted()
      .join()
  return judge.kind === 'attribute-model' && names(judge) === names(model)
}

/** Fails MODEL_NOT_FOUND when nothing is to be served. */
export function requireSome(wanted: readonly WantedModel[], places: ModelPlaces): void {
  if (wanted.length > 0) return
  fail('MODEL_NOT_FOUND', `no model in ${places.bundledDir}; import one or name one with --model`)
}
