/** Adapters beside a running server: loaded and unloaded by their names, without a restart. */
import { stat } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { fail } from '../errors.ts'
import { deleteAdapter, importAdapter, listAdapters, type StoredAdapter } from '../registry/adapters.ts' // prettier-ignore
import type { ModelPlaces } from '../registry/model-folder.ts'
import { checkModelName } from '../registry/model-name.ts'
import { readAdapter } from '../weights/peft-adapter.ts'
import type { ServedAdapter } from './adapter-view.ts'
import { checkedImportPath } from './job-places.ts'
import type { Serving } from './serving.ts'

export interface AdapterStatus extends Pick<StoredAdapter, 'name' | 'base' | 'created'> {
  /** Whether requests can name it here. */
  readonly served: boolean
}

export interface AdapterService {
  list(): Promise<AdapterStatus[]>
  /** `path` lies below the import folder. Served when this resolves. Fails ALREADY_EXISTS, BAD_FILE, BAD_CHECKPOINT, MODEL_NOT_FOUND. */
  load(options: { name: string; path: string; base?: string }): Promise<AdapterStatus>
  /** Streams that use it go on. Fails MODEL_NOT_FOUND. */
  unload(name: string): Promise<void>
}

export interface AdapterServiceOptions {
  readonly places: ModelPlaces
  readonly importDir: string
  readonly serving: Pick<Serving, 'list' | 'refresh' | 'loadedFolders'>
}

export function createAdapterService({
  places,
  importDir,
  serving,
}: AdapterServiceOptions): AdapterService {
  const describe = ({ name, base, created }: StoredAdapter): AdapterStatus => {
    const served = serving.list().some(({ info }) => info.id === name && info.parent !== undefined)
    return { name, base, created, served }
  }
  /** A served model need not lie in the data folder: its name stands for its folder. */
  const folderOf = (base: string): string | undefined =>
    [...serving.loadedFolders()].find(([, name]) => name === base)?.[0]

  return {
    list: async () => (await listAdapters(places.home)).map(describe),
    async load({ name, path, base: given }) {
      const from = await checkedImportPath(path, importDir, 'lora_path')
      if (serving.list().some(({ info }) => info.id === name)) {
        fail('ALREADY_EXISTS', `"${name}" is served already`, { param: 'lora_name' })
      }
      const base = given ?? basename((await readAdapter(from)).base ?? '')
      const baseDir = folderOf(base) ?? fail('MODEL_NOT_FOUND', `the base "${base}" is not served`, { param: 'base_model_name' }) // prettier-ignore
      const stored = await importAdapter({ from, name, base, baseDir, places })
      await serving.refresh()
      return describe(stored)
    },
    async unload(name) {
      await deleteAdapter(name, places.home)
      await serving.refresh()
    },
  }
}

/**
 * The adapters that a server is started with, each `NAME=DIR` or a folder that gives the name. They belong to the model
 * that they name themselves where that is among `models`, else to the first of these. Fails BAD_CHECKPOINT.
 */
export function configuredAdapters({
  adapters,
  models,
}: {
  readonly adapters: readonly string[]
  readonly models: readonly string[]
}): Promise<ServedAdapter[]> {
  return Promise.all(adapters.map((text) => configuredAdapter(text, models)))
}

async function configuredAdapter(text: string, models: readonly string[]): Promise<ServedAdapter> {
  const [, given, path = ''] = /^(?:([^=/\\]+)=)?(.+)$/.exec(text)!
  const dir = resolve(path)
  const adapter = await readAdapter(dir)
  const bases = models.map((model) => basename(model))
  const own = basename(adapter.base ?? '')
  const base = bases.includes(own) || bases.length === 0 ? own : bases[0]!
  const created = Math.floor((await stat(dir)).mtimeMs / 1000)
  return { name: checkModelName(given ?? basename(dir)), base, dir, key: dir, created }
}
