/**
 * Published models: immutable versions, aliases that move, roll back, deletion with protection. All truth is the list
 * of changes (`change-log.ts`), so any number of processes may work on one data folder, and one that is killed leaves
 * the old or the new state. Knows nothing of serving.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fail } from '../errors.ts'
import { appendChange } from './change-log.ts'
import { hashOfFiles, sealFolder } from './copy-model.ts'
import { locateModel } from './locate-model.ts'
import { cardFile } from './model-card.ts'
import type { ModelPlaces } from './model-folder.ts'
import { checkAlias, checkModelName } from './model-name.ts'
import { applyChange, type AliasChange, type Change, type ModelState } from './model-state.ts'
import { readPins } from './served-pins.ts'
import { placeVersion } from './place-version.ts'
import { removeUnpublished, sweepModel } from './sweep.ts'
import {
  changesDir,
  modelFolders,
  publishedModels,
  readModelState,
  readVersionRecord,
  versionDir,
  versionFile,
  type VersionRecord,
} from './registry-store.ts'

export interface ModelVersion extends VersionRecord {
  /** Those that point here now, sorted. */
  readonly aliases: readonly string[]
  readonly dir: string
}

export interface ModelAlias {
  readonly model: string
  readonly alias: string
  readonly version: number
  /** Where a roll back would go; null: nowhere. */
  readonly previous: number | null
  readonly history: readonly AliasChange[]
}

export interface PublishedModel {
  readonly name: string
  /** Newest first. */
  readonly versions: readonly ModelVersion[]
  /** By name. */
  readonly aliases: readonly ModelAlias[]
}

export interface PublishOptions {
  readonly model: string
  /** The model to publish, by any of its names. */
  readonly from: string
  /** Moved to the new version together with its appearance. */
  readonly aliases?: readonly string[]
  readonly note?: string | null
  /** Whether `from` may be a path; not for requests. */
  readonly paths?: boolean
}

export interface Registry {
  list(): Promise<PublishedModel[]>
  /** Fails MODEL_NOT_FOUND, like all below, where there is no such model, version or alias. */
  get(model: string): Promise<PublishedModel>
  version(model: string, version: number): Promise<ModelVersion>
  /** The version's model card, markdown. */
  card(model: string, version: number): Promise<string>
  /**
   * Copies a model folder as the next version. Fails MODEL_NOT_FOUND, or as `checkModel` does when the folder is no
   * model; then nothing is left.
   */
  publish(options: PublishOptions): Promise<ModelVersion>
  setAlias(model: string, alias: string, version: number): Promise<ModelAlias>
  /** Back to the version before the last move. Fails BAD_REQUEST when there is none. */
  rollback(model: string, alias: string): Promise<ModelAlias>
  deleteAlias(model: string, alias: string): Promise<void>
  /** Fails IN_USE while an alias points to it or a server was asked to serve it. */
  deleteVersion(model: string, version: number): Promise<void>
  /** All versions; its numbers are not given again. Fails IN_USE while it has an alias, unless `force`. */
  deleteModel(model: string, options?: { force?: boolean }): Promise<void>
  /** Reads all files of a version again. Fails BAD_FILE when they are not what was published. */
  verify(model: string, version: number): Promise<void>
  /** Removes what killed processes and unfinished deletions left behind. */
  sweep(): Promise<void>
}

export function createRegistry(places: ModelPlaces): Registry {
  const { home } = places
  const now = (): string => new Date().toISOString()

  /** Applies what `decide` makes of the state; decides anew when another process was faster. */
  const change = async (
    model: string,
    decide: (state: ModelState) => Change | null,
  ): Promise<ModelState> => {
    for (;;) {
      const state = await readModelState(home, checkModelName(model))
      const decided = decide(state)
      if (!decided) return state
      const number = state.changes + 1
      if (await appendChange(changesDir(home, model), number, decided)) {
        return applyChange(state, decided)
      }
    }
  }

  const describeVersion = async (
    model: string,
    version: number,
    state: ModelState,
  ): Promise<ModelVersion> => {
    const record = await readVersionRecord(home, model, version)
    const aliases = [...state.aliases].filter(([, target]) => target.version === version)
    const names = aliases.map(([name]) => name).sort()
    return { ...record, aliases: names, dir: versionDir(home, model, version) }
  }

  const describe = async (name: string): Promise<PublishedModel> => {
    const state = await readModelState(home, name)
    if (state.versions.length === 0) return unknownModel(name)
    const versions = state.versions.toReversed()
    return {
      name,
      versions: await Promise.all(versions.map((n) => describeVersion(name, n, state))),
      aliases: [...state.aliases.keys()].sort().map((alias) => describeAlias(name, alias, state)),
    }
  }

  return {
    async list() {
      return Promise.all((await publishedModels(home)).map(describe))
    },
    get: async (model) => describe(knownName(model)),
    async version(model, version) {
      const state = await readModelState(home, knownName(model))
      requireVersion(model, version, state)
      return describeVersion(model, version, state)
    },
    async card(model, version) {
      const { dir } = await this.version(model, version)
      return readFile(join(dir, cardFile), 'utf8')
    },
    async publish({ model, from, aliases = [], note = null, paths = true }) {
      checkModelName(model)
      aliases.forEach(checkAlias)
      const source = await locateModel(from, places, { paths })
      await sweepModel(home, model)
      const version = await placeVersion(home, model, source, note)
      try {
        const moved = [...new Set(aliases)]
        const state = await change(model, () => {
          return { type: 'publish', version, aliases: moved, at: now() }
        })
        return await describeVersion(model, version, state)
      } catch (error) {
        await removeUnpublished(home, model, version)
        throw error
      }
    },
    async setAlias(model, alias, version) {
      checkAlias(alias)
      const state = await change(model, (state) => {
        requireVersion(model, version, state)
        const unmoved = state.aliases.get(alias)?.version === version
        return unmoved ? null : { type: 'alias', alias, version, at: now() }
      })
      return describeAlias(model, alias, state)
    },
    async rollback(model, alias) {
      const state = await change(model, (state) => {
        const version = requireAlias(model, alias, state).earlier.at(-1)
        if (version === undefined) {
          const detail = `"${model}@${alias}" has no earlier version to go back to`
          return fail('BAD_REQUEST', detail, { param: 'alias' })
        }
        return { type: 'rollback', alias, version, at: now() }
      })
      return describeAlias(model, alias, state)
    },
    async deleteAlias(model, alias) {
      await change(model, (state) => {
        requireAlias(model, alias, state)
        return { type: 'delete-alias', alias, at: now() }
      })
    },
    async deleteVersion(model, version) {
      await requireUnpinned(home, (name) => name === `${model}@${version}`)
      await change(model, (state) => {
        requireVersion(model, version, state)
        for (const [alias, target] of state.aliases) {
          if (target.version === version) inUse(`"${model}@${version}" is ${model}@${alias}`)
        }
        return { type: 'delete-version', version, at: now() }
      })
      await sweepModel(home, model)
    },
    async deleteModel(model, { force = false } = {}) {
      if (!force) await requireUnpinned(home, (name) => name.startsWith(`${model}@`))
      await change(model, (state) => {
        if (state.versions.length === 0) unknownModel(model)
        const [alias] = state.aliases.keys()
        if (alias !== undefined && !force) inUse(`"${model}" has the alias ${model}@${alias}`)
        return { type: 'delete-model', at: now() }
      })
      await sweepModel(home, model)
    },
    async verify(model, version) {
      const record = await this.version(model, version)
      const { files } = await sealFolder(record.dir)
      const found = files.filter(({ path }) => path !== versionFile)
      if (hashOfFiles(found) === record.sha256) return
      const hashes = new Map(found.map((file) => [file.path, file.sha256]))
      const wrong = record.files.find(({ path, sha256 }) => hashes.get(path) !== sha256)
      const which = wrong ? `${wrong.path} is not` : 'there are more files than'
      fail('BAD_FILE', `"${model}@${version}": ${which} what was published`)
    },
    async sweep() {
      for (const model of await modelFolders(home)) await sweepModel(home, model)
    },
  }
}

/** What a server was asked to serve is in use, whichever process deletes. */
async function requireUnpinned(home: string, isMeant: (name: string) => boolean): Promise<void> {
  const pinned = [...(await readPins(home)).keys()].find(isMeant)
  if (pinned !== undefined) inUse(`"${pinned}" is served`)
}

const inUse = (detail: string): never => fail('IN_USE', detail)

function unknownModel(name: string): never {
  const detail = `"${name.slice(0, 100)}" is not published`
  return fail('MODEL_NOT_FOUND', detail, { param: 'model' })
}

/** A text that cannot be a model's name names none. */
function knownName(model: string): string {
  try {
    return checkModelName(model)
  } catch {
    return unknownModel(model)
  }
}

function requireVersion(model: string, version: number, state: ModelState): void {
  if (state.versions.length === 0) unknownModel(model)
  if (state.versions.includes(version)) return
  const known = `there are ${state.versions.join(', ')}`
  fail('MODEL_NOT_FOUND', `"${model}@${version}"; ${known}`, { param: 'version' })
}

function requireAlias(model: string, alias: string, state: ModelState) {
  if (state.versions.length === 0) unknownModel(model)
  const found = state.aliases.get(alias)
  if (found) return found
  const known = [...state.aliases.keys()].sort().join(', ') || 'none'
  const detail = `"${model}@${alias.slice(0, 100)}"; its aliases: ${known}`
  return fail('MODEL_NOT_FOUND', detail, { param: 'alias' })
}

function describeAlias(model: string, alias: string, state: ModelState): ModelAlias {
  const { version, earlier, history } = requireAlias(model, alias, state)
  return { model, alias, version, previous: earlier.at(-1) ?? null, history }
}
