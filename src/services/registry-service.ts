/**
 * The registry beside a running server: a change is served before the answer says so, and what is in use is not
 * deleted. Publishing itself is `src/registry`.
 */
import { SteerError, fail } from '../errors.ts'
import { locateModel, locatePublished } from '../registry/locate-model.ts'
import type { ModelPlaces } from '../registry/model-folder.ts'
import { parseModelReference, servedAlias } from '../registry/model-name.ts'
import type {
  ModelAlias,
  ModelVersion,
  PublishedModel,
  PublishOptions,
  Registry,
} from '../registry/registry.ts'
import { readModelState, versionDir } from '../registry/registry-store.ts'
import { pin, readPins, unpin } from '../registry/served-pins.ts'
import {
  deleteWorkspaceModel,
  listWorkspace,
  workspaceModel,
  type WorkspaceModel,
} from '../registry/workspace.ts'
import type { ServedState, Serving } from './serving.ts'

/** `served`: how the name that the change is about stands now; null where the server does not serve it. */
export type WithServed<T> = T & { readonly served: ServedState | null }

/** Each fails MODEL_NOT_FOUND on what is not there, IN_USE on a deletion of what is needed. */
export interface RegistryService {
  list(): Promise<PublishedModel[]>
  get(model: string): Promise<PublishedModel>
  version(model: string, version: number): Promise<ModelVersion>
  card(model: string, version: number): Promise<string>
  /** `from` is a name, never a path. */
  publish(options: Omit<PublishOptions, 'paths'>): Promise<WithServed<ModelVersion>>
  setAlias(model: string, alias: string, version: number): Promise<WithServed<ModelAlias>>
  rollback(model: string, alias: string): Promise<WithServed<ModelAlias>>
  deleteAlias(model: string, alias: string): Promise<void>
  deleteVersion(model: string, version: number): Promise<void>
  /** `force`: with its aliases, which ends serving it. */
  deleteModel(model: string, options?: { force?: boolean }): Promise<void>
  workspace(): Promise<WorkspaceModel[]>
  deleteWorkspaceModel(name: string): Promise<void>
  served(): ServedState[]
  /** Serves a version, an alias or a workspace model beside the others; again: loads it again. Fails as loading fails. */
  serve(name: string): Promise<ServedState>
  unload(name: string): Promise<void>
  /** What a client may mean by deleting a served model: ends serving and deletes it. */
  deleteServed(name: string): Promise<void>
}

export interface RegistryServiceOptions {
  readonly registry: Registry
  readonly serving: Pick<Serving, 'refresh' | 'retry' | 'states' | 'loadedFolders'>
  readonly places: ModelPlaces
  /** Why a model, `name@version` or a workspace model's name, may not be deleted; null: it may. */
  readonly isModelInUse?: (name: string) => Promise<string | null>
}

export function createRegistryService(options: RegistryServiceOptions): RegistryService {
  const { registry, serving, places, isModelInUse = async () => null } = options
  const { home } = places

  const state = (name: string): ServedState | null =>
    serving.states().find((served) => served.name === name) ?? null

  /** Of the names that a move of these aliases is about, the first that is served. */
  const served = (model: string, aliases: readonly string[]): ServedState | null => {
    const names = aliases.map((alias) => (alias === servedAlias ? model : `${model}@${alias}`))
    return names.map(state).find((found) => found !== null) ?? null
  }

  const requireUnused = async (name: string, dir: string): Promise<void> => {
    const servedAs = serving.loadedFolders().get(dir)
    if (servedAs !== undefined) fail('IN_USE', `"${name}" is served as "${servedAs}"`)
    const reason = await isModelInUse(name)
    if (reason !== null) fail('IN_USE', `"${name}": ${reason}`)
  }

  const afterAlias = async (alias: ModelAlias): Promise<WithServed<ModelAlias>> => {
    await serving.refresh()
    return { ...alias, served: served(alias.model, [alias.alias]) }
  }

  const unload = async (name: string): Promise<void> => {
    if (!(await unpin(home, name))) {
      const found = state(name)
      if (found) fail('IN_USE', `"${name}" is served because it is ${reasons[found.because]}`)
      fail('MODEL_NOT_FOUND', `"${name.slice(0, 200)}" is not served`, { param: 'name' })
    }
    await serving.refresh()
  }

  const deleteVersion = async (model: string, version: number): Promise<void> => {
    const found = await registry.version(model, version)
    const [alias] = found.aliases
    if (alias !== undefined) fail('IN_USE', `"${model}@${version}" is ${model}@${alias}`)
    await requireUnused(`${model}@${version}`, found.dir)
    await registry.deleteVersion(model, version)
  }

  const deleteModel = async (model: string, { force = false } = {}): Promise<void> => {
    const { versions } = await registry.get(model)
    for (const { version } of versions) {
      const name = `${model}@${version}`
      if (!force) await requireUnused(name, versionDir(home, model, version))
      const reason = await isModelInUse(name)
      if (reason !== null) fail('IN_USE', `"${name}": ${reason}`)
    }
    await registry.deleteModel(model, { force })
    for (const name of (await readPins(home)).keys()) {
      const isOfModel = name.startsWith(`${model}@`)
      if (isOfModel) await unpin(home, name)
    }
    await serving.refresh()
  }

  const removeWorkspaceModel = async (name: string): Promise<void> => {
    await requireUnused(name, await workspaceModel(name, home))
    await deleteWorkspaceModel(name, home)
  }

  return {
    list: () => registry.list(),
    get: (model) => registry.get(model),
    version: (model, version) => registry.version(model, version),
    card: (model, version) => registry.card(model, version),
    async publish(publishing) {
      const version = await registry.publish({ ...publishing, paths: false })
      await serving.refresh()
      return { ...version, served: served(version.model, publishing.aliases ?? []) }
    },
    setAlias: async (model, alias, version) =>
      afterAlias(await registry.setAlias(model, alias, version)),
    rollback: async (model, alias) => afterAlias(await registry.rollback(model, alias)),
    async deleteAlias(model, alias) {
      await registry.deleteAlias(model, alias)
      await serving.refresh()
    },
    deleteVersion,
    deleteModel,
    workspace: () => listWorkspace(home),
    deleteWorkspaceModel: removeWorkspaceModel,
    served: () => serving.states(),
    async serve(given) {
      const name = await servedName(given, places)
      const served = state(name)
      if (served && served.because !== 'requested') {
        await serving.retry(name)
        return state(name) ?? served
      }
      await pin(home, name)
      await serving.refresh()
      const found = state(name) ?? fail('MODEL_NOT_FOUND', `"${name}"`, { param: 'name' })
      if (found.error && found.because === 'requested') {
        await unpin(home, name)
        await serving.refresh()
        throw asClientError(found.error, name)
      }
      return found
    },
    unload,
    async deleteServed(name) {
      const { model, alias, version } = parseModelReference(name) ?? unknown(name)
      if (version !== null || alias !== null) {
        const found = (await locatePublished(home, model, version ?? alias!)) ?? unknown(name)
        const { aliases } = await registry.version(model, found.version!)
        if (aliases.length === 0 && (await unpin(home, name))) await serving.refresh()
        return deleteVersion(model, found.version!)
      }
      if ((await readModelState(home, model)).versions.length > 0) {
        return deleteModel(model, { force: true })
      }
      const found = state(name)
      if (found && found.because !== 'requested') {
        fail('IN_USE', `"${name}" is served because it is ${reasons[found.because]}`)
      }
      if (found) await unload(name)
      return removeWorkspaceModel(name)
    },
  }
}

const reasons: Readonly<Record<ServedState['because'], string>> = {
  configured: 'one of the models that the server was started with',
  published: `published as "${servedAlias}"`,
  requested: 'asked for',
  companion: 'the attribute model of another',
}

/** `name@prod` is served as `name`. Fails MODEL_NOT_FOUND unless there is such a model. */
async function servedName(given: string, places: ModelPlaces): Promise<string> {
  const { model, alias, version } = parseModelReference(given) ?? unknown(given)
  if (version === null && alias === null) {
    await locateModel(model, places, { paths: false })
    return model
  }
  const found = await locatePublished(places.home, model, version ?? alias!)
  if (!found) return unknown(given)
  return alias === servedAlias ? model : given
}

const unknown = (name: string): never =>
  fail('MODEL_NOT_FOUND', `"${name.slice(0, 200)}" is neither published nor in the workspace`, {
    param: 'name',
  })

/** What is wrong with a model is the caller's business here, who asked to load it. */
function asClientError(error: SteerError, name: string): SteerError {
  if (error.status < 500) return error
  return new SteerError('BAD_CHECKPOINT', `"${name}" cannot be loaded: ${error.detail}`, {
    cause: error,
    param: 'name',
  })
}
