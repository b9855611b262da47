/** `steerlm adapter list|import|export|merge|delete`: LoRA adapters in PEFT's folders, with or without a running server. */
import { copyFile, mkdir, readdir } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { architectureOf, checkAdapterFits, openModel } from '../arch/index.ts'
import { fail } from '../errors.ts'
import { deleteAdapter, findAdapter, importAdapter, listAdapters, peftFiles } from '../registry/adapters.ts' // prettier-ignore
import { locateModel } from '../registry/locate-model.ts'
import { readManifest, userModelPath, workspaceDir, type ModelPlaces } from '../registry/model-folder.ts' // prettier-ignore
import { checkpointParams } from '../training/initial-state.ts'
import { mergeLora } from '../training/merge-lora.ts'
import { helpText, parseFlags, type FlagValues } from '../util/args.ts'
import { readAdapter } from '../weights/peft-adapter.ts'
import { readRawConfig, writeModel } from './write-model.ts'
import { modelPlaces } from './workplace.ts'

const flags = {
  name: { type: 'string', help: "import: the adapter's name; merge: the new model's" },
  base: { type: 'string', help: 'the model that it belongs to; default: what the adapter says' },
  dtype: { type: 'string', choices: ['f32', 'f16'], help: 'merge: how weights are stored; default: f32' }, // prettier-ignore
  json: { type: 'boolean', default: false, help: 'print the result as JSON' },
  home: { type: 'string', help: 'data folder (STEERLM_HOME, ~/.steerlm)' },
} as const

const usage = `steerlm adapter list | import DIR [--name N] [--base MODEL] | export NAME DIR
       | merge NAME|DIR --name MODEL [--base MODEL] | delete NAME`

interface Call {
  readonly places: ModelPlaces
  readonly values: FlagValues<typeof flags>
  print(value: unknown, text: string): void
}

type Verb = (call: Call, ...args: string[]) => Promise<void>

/** Each with the number of arguments that it takes. */
const verbs: Readonly<Record<string, readonly [count: number, Verb]>> = {
  list: [0, list],
  import: [1, importOne],
  export: [2, exportOne],
  merge: [1, merge],
  delete: [1, remove],
}

export async function run(argv: string[]): Promise<number> {
  const { values, positionals, help } = parseFlags(argv, flags)
  if (help) {
    console.log(helpText(usage, flags))
    return 0
  }
  const [verb = '', ...args] = positionals
  const found = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined
  if (!found || args.length !== found[0]) {
    const detail = `adapter: got "${positionals.join(' ')}"; usage: ${usage.replaceAll(/\s+/g, ' ')}`
    fail('BAD_ARGUMENT', detail)
  }
  const print = (value: unknown, text: string): void =>
    console.log(values.json ? JSON.stringify(value) : text)
  await found[1]({ places: modelPlaces(values.home), values, print }, ...args)
  return 0
}

async function list({ places, print }: Call): Promise<void> {
  const adapters = await listAdapters(places.home)
  const shown = adapters.map(({ name, base, created }) => ({ name, base, created }))
  print({ adapters: shown }, shown.map(({ name, base }) => `${name}  for ${base}`).join('\n'))
}

async function importOne({ places, values, print }: Call, from = ''): Promise<void> {
  const name = values.name ?? basename(resolve(from))
  const { base, dir } = await importAdapter({ from, name, places, ...(values.base && { base: values.base }) }) // prettier-ignore
  print({ name, base, path: dir }, `${name}: an adapter for ${base}, ${dir}`)
}

/** An adapter's folder, or the one that a training with `--lora` left in its model's. */
async function adapterFolder(name: string, places: ModelPlaces): Promise<string> {
  try {
    return (await findAdapter(name, places.home)).dir
  } catch (error) {
    const trained = join(workspaceDir(places.home), basename(name), 'adapter')
    const files: string[] = await readdir(trained).catch(() => [])
    if (files.includes(peftFiles[0]!)) return trained
    throw error
  }
}

async function exportOne({ places, print }: Call, name = '', target = ''): Promise<void> {
  const from = await adapterFolder(name, places)
  const to = resolve(target)
  await mkdir(to, { recursive: true })
  if ((await readdir(to)).length > 0) fail('BAD_ARGUMENT', `${to}: expected a new or empty folder`)
  for (const file of peftFiles) await copyFile(join(from, file), join(to, file))
  print({ name, path: to }, `${name}: ${to}`)
}

/** W + (α/r)·B·A as a model of its own. */
async function merge({ places, values, print }: Call, given = ''): Promise<void> {
  const { name: target } = values
  if (target === undefined) return fail('BAD_ARGUMENT', '--name: the merged model needs a name')
  const path = userModelPath(target, places.home)
  const stored = await findAdapter(given, places.home).catch(() => null)
  const from = stored?.dir ?? resolve(given)
  const adapter = await readAdapter(from)
  const baseName = values.base ?? stored?.base ?? basename(adapter.base ?? '')
  const base = await locateModel(baseName, places)
  const { config, checkpoint } = await openModel(base.dir)
  try {
    checkAdapterFits(adapter, config, from)
    const architecture = architectureOf(config)
    const tensors = await checkpointParams(checkpoint, architecture, config)
    mergeLora(tensors, adapter)
    const manifest = { ...(await readManifest(base.dir)), name: target }
    await writeModel({
      path,
      textFrom: base.dir,
      config: await readRawConfig(base.dir),
      tensors,
      shapes: architecture.weights(config),
      manifest,
      dtype: (values.dtype as 'f32' | 'f16' | undefined) ?? 'f32',
    })
  } finally {
    await checkpoint.close()
  }
  print({ name: target, base: base.name, path }, `${target}: ${base.name} with ${given}, ${path}`)
}

async function remove({ places, print }: Call, name = ''): Promise<void> {
  await deleteAdapter(name, places.home)
  print({ name, deleted: true }, `${name} is deleted`)
}
