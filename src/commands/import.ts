/** `steerlm import`: a Hugging Face checkpoint, a folder or from the hub, into the workspace; checked first. */
import { copyFile, link, mkdir, readdir, realpath, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { QuantizationScheme } from '../../schemas/model-manifest.ts'
import { openModel, readModelConfig } from '../arch/index.ts'
import { fail } from '../errors.ts'
import { attributeSet } from '../labels/attribute-sets.ts'
import { readManifest, userModelPath, writeManifest } from '../registry/model-folder.ts'
import { loadTokenizer } from '../text/tokenizer.ts'
import { helpText, parseFlags } from '../util/args.ts'
import { writeFolder } from '../util/folder.ts'
import { quantizeModel } from './quantize-model.ts'
import { openImportSource } from './import-source.ts'
import { modelPlaces } from './workplace.ts'
import { MODEL_FILE } from './write-model.ts'

const flags = {
  name: { type: 'string', help: "name in the workspace; default: the folder's or the hub's" },
  attributes: { type: 'string', help: 'attribute set that the model was trained to follow' },
  quantize: {
    type: 'string',
    choices: QuantizationScheme.options,
    help: 'store the weights so; default: as they are',
  },
  json: { type: 'boolean', default: false, help: 'print the result as JSON' },
  home: { type: 'string', help: 'data folder (STEERLM_HOME, ~/.steerlm)' },
} as const

/** `shared`: nobody writes into the files, so that they need not take space twice. */
async function copyModel(from: string, to: string, shared: boolean): Promise<void> {
  await mkdir(dirname(to), { recursive: true })
  await writeFolder(to, async (dir) => {
    for (const entry of await readdir(from)) {
      if (!MODEL_FILE.test(entry) || !(await stat(join(from, entry))).isFile()) continue
      const [source, target] = [join(from, entry), join(dir, entry)]
      const linked =
        shared &&
        (await link(await realpath(source), target).then(
          () => true,
          () => false,
        ))
      if (!linked) await copyFile(source, target)
    }
  })
}

export async function run(argv: string[]): Promise<number> {
  const { values, positionals, help } = parseFlags(argv, flags)
  if (help) {
    console.log(helpText('steerlm import DIR|OWNER/NAME[@REVISION] [--name N]', flags))
    return 0
  }
  const given = positionals[0]
  if (given === undefined || positionals.length !== 1)
    fail('BAD_ARGUMENT', `import: expected one folder or hub id, got "${positionals.join(' ')}"`)
  const { home } = modelPlaces(values.home)
  if (values.name !== undefined) userModelPath(values.name, home)
  const { dir: from, source, ...found } = await openImportSource(given, home)
  const name = values.name ?? found.name
  const path = userModelPath(name, home)
  await readModelConfig(from)
  await loadTokenizer(from)
  const { config, checkpoint } = await openModel(from)
  const stated = await readManifest(from)
  const attributes = values.attributes ? attributeSet(values.attributes) : stated.attributes
  const manifest = { ...stated, name, attributes, ...(source && { source }) }
  try {
    if (values.quantize === undefined) {
      await copyModel(from, path, source !== undefined)
      await writeManifest(path, manifest)
    } else {
      const scheme = QuantizationScheme.parse(values.quantize)
      await quantizeModel({ from, to: path, scheme, config, checkpoint, manifest })
    }
  } finally {
    await checkpoint.close()
  }
  const { architecture, layers, hiddenSize, vocabSize } = config
  if (values.json)
    console.log(JSON.stringify({ name, path, architecture, layers, hiddenSize, vocabSize, source }))
  else console.log(`${name}: ${architecture}, ${layers} layers, hidden size ${hiddenSize}, ${path}`)
  return 0
}
