/**
 * The user's adapters, `$STEERLM_HOME/adapters/<name>`: folders as PEFT writes them, with `steerlm-adapter.json`, which
 * says what model they belong to.
 */
import { randomUUID } from 'node:crypto'
import { copyFile, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { AdapterManifest } from '../../schemas/adapters.ts'
import { checkAdapterFits, readModelConfig } from '../arch/index.ts'
import { fail } from '../errors.ts'
import { writeFolder } from '../util/folder.ts'
import { readAdapter } from '../weights/peft-adapter.ts'
import { locateModel } from './locate-model.ts'
import type { ModelPlaces } from './model-folder.ts'
import { checkModelName, modelNamePattern } from './model-name.ts'

const manifestFile = 'steerlm-adapter.json'
export const peftFiles = ['adapter_config.json', 'adapter_model.safetensors']

export interface StoredAdapter {
  readonly name: string
  /** The served model that it belongs to. */
  readonly base: string
  readonly dir: string
  /** Another when the folder was replaced. */
  readonly key: string
  /** Seconds since 1970. */
  readonly created: number
}

export const adaptersDir = (home: string): string => join(home, 'adapters')

/** By name; broken ones are left out. */
export async function listAdapters(home: string): Promise<StoredAdapter[]> {
  const names = await readdir(adaptersDir(home)).catch(() => [])
  const found = await Promise.all(
    names.filter((name) => modelNamePattern.test(name)).map((name) => readStored(name, home)),
  )
  return found.filter((adapter) => adapter !== null).sort((a, b) => (a.name < b.name ? -1 : 1))
}

async function readStored(name: string, home: string): Promise<StoredAdapter | null> {
  const dir = join(adaptersDir(home), name)
  const path = join(dir, manifestFile)
  try {
    const { mtimeMs, ino } = await stat(path)
    const parsed = AdapterManifest.safeParse(JSON.parse(await readFile(path, 'utf8')))
    if (!parsed.success) return null
    const key = `${dir}#${ino}-${Math.round(mtimeMs)}`
    return { name, base: parsed.data.base, dir, key, created: Math.floor(mtimeMs / 1000) }
  } catch {
    return null
  }
}

/** Fails MODEL_NOT_FOUND. */
export async function findAdapter(name: string, home: string): Promise<StoredAdapter> {
  const found = modelNamePattern.test(name) ? await readStored(name, home) : null
  return found ?? fail('MODEL_NOT_FOUND', `there is no adapter "${name.slice(0, 100)}"`, { param: 'model' }) // prettier-ignore
}

export interface AdapterImport {
  /** A PEFT folder. */
  readonly from: string
  readonly name: string
  /** Unless given, what the adapter itself says. */
  readonly base?: string
  /** The base's folder, where that is known; else it is looked for by its name or path. */
  readonly baseDir?: string
  readonly places: ModelPlaces
}

/** Checked against its base, then copied; an older one of the name is replaced. Fails BAD_CHECKPOINT, MODEL_NOT_FOUND. */
export async function importAdapter(options: AdapterImport): Promise<StoredAdapter> {
  const { from, places } = options
  const name = checkModelName(options.name)
  const adapter = await readAdapter(from)
  const stated = options.base ?? (adapter.base === undefined ? undefined : basename(adapter.base))
  if (stated === undefined) {
    fail('BAD_ARGUMENT', `${from}: the adapter does not say what model it belongs to; name it with --base`) // prettier-ignore
  }
  const isPath = stated.includes('/')
  const base = options.baseDir ?? (await locateModel(stated, places)).dir
  checkAdapterFits(adapter, await readModelConfig(base), from)
  const dir = join(adaptersDir(places.home), name)
  await writeFolder(dir, async (folder) => {
    for (const file of peftFiles) await copyFile(join(from, file), join(folder, file))
    // Requests know a model by what it is served as, whatever version that is.
    const manifest: AdapterManifest = {
      name,
      base: isPath ? basename(base) : stated,
      createdAt: new Date().toISOString(),
    }
    await writeFile(join(folder, manifestFile), `${JSON.stringify(manifest, null, 2)}\n`)
  })
  return findAdapter(name, places.home)
}

/** Gone at once, then removed. Fails MODEL_NOT_FOUND. */
export async function deleteAdapter(name: string, home: string): Promise<void> {
  const { dir } = await findAdapter(name, home)
  const hidden = join(adaptersDir(home), `.${name}.${randomUUID()}.deleted`)
  await rename(dir, hidden)
  await rm(hidden, { recursive: true, force: true })
}
