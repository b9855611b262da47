/** `steerlm models list|show|publish|alias|rollback|delete`: the registry, with or without a running server. */
import { fail } from '../errors.ts'
import { listModels } from '../registry/locate-model.ts'
import type { ModelPlaces } from '../registry/model-folder.ts'
import { parseModelReference, servedAlias } from '../registry/model-name.ts'
import { createRegistry, type ModelAlias, type Registry } from '../registry/registry.ts'
import { readModelState } from '../registry/registry-store.ts'
import { deleteWorkspaceModel } from '../registry/workspace.ts'
import { helpText, parseFlags, type FlagValues } from '../util/args.ts'
import { modelPlaces } from './workplace.ts'

const flags = {
  as: { type: 'string', help: "publish: the published model's name; default: the model's own" },
  alias: { type: 'string', multiple: true, help: 'publish: moved to the new version; repeatable' },
  note: { type: 'string', help: 'publish: a sentence on the version' },
  card: { type: 'boolean', default: false, help: 'show: print the model card' },
  verify: { type: 'boolean', default: false, help: 'show: read all files again and compare' },
  remove: { type: 'boolean', default: false, help: 'alias: delete it' },
  force: { type: 'boolean', default: false, help: 'delete: although it has aliases' },
  workspace: { type: 'boolean', default: false, help: 'delete: the model of the workspace' },
  json: { type: 'boolean', default: false, help: 'print the result as JSON' },
  home: { type: 'string', help: 'data folder (STEERLM_HOME, ~/.steerlm)' },
} as const

const usage = `steerlm models list | show NAME[@VERSION] | publish MODEL | alias NAME ALIAS [VERSION]
       | rollback NAME [ALIAS] | delete NAME[@VERSION]`

interface Call {
  readonly registry: Registry
  readonly places: ModelPlaces
  readonly values: FlagValues<typeof flags>
  print(value: unknown, text: string): void
}

type Verb = (call: Call, ...args: string[]) => Promise<void>

/** Each with the number of arguments that it takes. */
const verbs: Readonly<Record<string, readonly [min: number, max: number, Verb]>> = {
  list: [0, 0, list],
  show: [1, 1, show],
  publish: [1, 1, publish],
  alias: [2, 3, alias],
  rollback: [1, 2, rollback],
  delete: [1, 1, remove],
}

export async function run(argv: string[]): Promise<number> {
  const { values, positionals, help } = parseFlags(argv, flags)
  if (help) {
    console.log(helpText(usage, flags))
    return 0
  }
  const [verb = '', ...args] = positionals
  const found = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined
  if (!found || args.length < found[0] || args.length > found[1]) {
    const detail = `models: got "${positionals.join(' ')}"; usage: ${usage.replaceAll(/\s+/g, ' ')}`
    fail('BAD_ARGUMENT', detail)
  }
  const places = modelPlaces(values.home)
  const print = (value: unknown, text: string): void =>
    console.log(values.json ? JSON.stringify(value) : text)
  await found[2]({ registry: createRegistry(places), places, values, print }, ...args)
  return 0
}

async function list({ registry, places, print }: Call): Promise<void> {
  const [published, named] = await Promise.all([registry.list(), listModels(places)])
  const others = named.filter(({ source }) => source !== 'published')
  const lines = [
    ...published.flatMap(({ name, versions }) =>
      versions.map(({ version, aliases, from, note }) => {
        const marks = aliases.map((item) => `@${item}`).join(' ')
        return [`${name}@${version}`, marks, `from ${from}`, note ?? ''].filter(Boolean).join('  ')
      }),
    ),
    ...others.map(({ name, source, manifest }) => `${name}  ${source} ${manifest.kind}`),
  ]
  const json = others.map(({ name, source, manifest }) => ({ name, source, kind: manifest.kind }))
  print({ published, others: json }, lines.join('\n'))
}

async function show({ registry, places, values, print }: Call, name = ''): Promise<void> {
  const version = await wantedVersion(name, places)
  const { model } = parseModelReference(name)!
  if (values.verify) await registry.verify(model, version)
  if (values.card) {
    const card = await registry.card(model, version)
    return print({ model, version, card }, card.trimEnd())
  }
  const found = await registry.version(model, version)
  const { aliases } = await registry.get(model)
  const lines = [
    `${model}@${version}: ${found.kind}, ${found.bytes} bytes, sha256 ${found.sha256}`,
    `published ${found.createdAt} from ${found.from}${found.note === null ? '' : `: ${found.note}`}`,
    ...aliases.map((item) => `@${item.alias} → ${item.version}${earlierText(item)}`),
    ...(values.verify ? ['all files are as they were published'] : []),
  ]
  print({ ...found, aliasesOfModel: aliases }, lines.join('\n'))
}

const earlierText = ({ history }: ModelAlias): string =>
  history.length > 1 ? ` (${history.map(({ version }) => version).join(', ')})` : ''

async function publish({ registry, values, print }: Call, from = ''): Promise<void> {
  const model = values.as ?? parseModelReference(from)?.model
  if (model === undefined) fail('BAD_ARGUMENT', '--as: a model given as a path needs a name')
  const options = { model, from, aliases: values.alias, note: values.note ?? null }
  const version = await registry.publish(options)
  const marks = version.aliases.map((item) => ` @${item}`).join('')
  print(version, `${model}@${version.version}${marks}: ${version.bytes} bytes, ${version.sha256}`)
}

async function alias(call: Call, model = '', name = '', version?: string): Promise<void> {
  const { registry, values, print } = call
  if (values.remove) {
    await registry.deleteAlias(model, name)
    return print({ model, alias: name, deleted: true }, `${model}@${name} is deleted`)
  }
  const number = Number(version)
  if (!Number.isInteger(number) || number < 1) {
    fail('BAD_ARGUMENT', `alias: expected the number of a version, got "${version ?? ''}"`)
  }
  const moved = await registry.setAlias(model, name, number)
  print(moved, `${model}@${name} → ${moved.version}`)
}

async function rollback(call: Call, model = '', name: string = servedAlias): Promise<void> {
  const moved = await call.registry.rollback(model, name)
  call.print(moved, `${model}@${name} → ${moved.version}`)
}

async function remove({ registry, places, values, print }: Call, name = ''): Promise<void> {
  if (values.workspace) await deleteWorkspaceModel(name, places.home)
  else if (name.includes('@')) {
    const version = await wantedVersion(name, places)
    await registry.deleteVersion(parseModelReference(name)!.model, version)
  } else await registry.deleteModel(name, { force: values.force })
  print({ name, deleted: true }, `${name} is deleted`)
}

/** The version that a name means: its own, its alias's, or the newest. Fails MODEL_NOT_FOUND. */
async function wantedVersion(name: string, places: ModelPlaces): Promise<number> {
  const reference = parseModelReference(name)
  if (!reference) fail('MODEL_NOT_FOUND', `"${name.slice(0, 200)}"`, { param: 'model' })
  const { model, alias, version } = reference
  const state = await readModelState(places.home, model)
  const found = version ?? (alias === null ? state.versions.at(-1) : state.aliases.get(alias)?.version) // prettier-ignore
  return found ?? fail('MODEL_NOT_FOUND', `"${name}" is not published`, { param: 'model' })
}
