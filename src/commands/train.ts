/** `steerlm train pretrain|apm|sft`: the steps of SteerLM that train. */
import { readFile, rm } from 'node:fs/promises'
import type { Calibration } from '../../schemas/calibration.ts'
import { calibrateScorer, type RatedTokens } from '../apm/calibrate-scorer.ts'
import { openModel, parseModelConfig, uniformPositions, type ModelConfig } from '../arch/index.ts'
import type { AttributeSet } from '../../schemas/attributes.ts'
import { openDataset, type Dataset } from '../datasets/dataset-store.ts'
import { fail } from '../errors.ts'
import { readAttributeSet } from './read-attribute-set.ts'
import { userModelPath, type ModelPlaces } from '../registry/model-folder.ts'
import { readAdapter, writeAdapter } from '../weights/peft-adapter.ts'
import { clearTraining } from '../training/checkpoint-store.ts'
import { checkpointParams } from '../training/initial-state.ts'
import { mergeLora } from '../training/merge-lora.ts'
import type { HyperParameters, TrainedModel, TrainRows } from '../training/train-model.ts'
import { architectureOf } from '../arch/architectures.ts'
import { helpText, parseFlags, type FlagValues } from '../util/args.ts'
import { sha256Json } from '../util/hash.ts'
import type { Checkpoint } from '../weights/checkpoint.ts'
import { join } from 'node:path'
import type { TokenParts } from '../training/grow-vocabulary.ts'
import { attributeFlags, attributeRows, checkAttributeFlags } from './attribute-training.ts'
import { addLabelTokens } from './label-tokens.ts'
import { trainRidge, type RidgeTraining } from './ridge-training.ts'
import { runTraining, trainingWorkDir } from './run-training.ts'
import { hyperParameters, trainingFlags } from './training-flags.ts'
import {
  conditionedRows,
  pretrainRows,
  rawRows,
  seenCombinations,
  splitByPrompt,
  splitRows,
} from './training-rows.ts'
import { modelPlaces, openModelFolder, openModelText, type OpenedModel } from './workplace.ts'
import { readRawConfig, writeModel } from './write-model.ts'

const flags = {
  data: { type: 'string', required: true, help: 'data set to train on' },
  name: { type: 'string', required: true, help: 'name of the model that comes out' },
  base: { type: 'string', help: 'model to start from' },
  config: {
    type: 'string',
    help: 'pretrain from nothing: a config.json; --tokenizer is needed too',
  },
  tokenizer: { type: 'string', help: 'pretrain from nothing: folder with tokenizer.json' },
  attributes: { type: 'string', help: 'attribute set; default: that of the base model' },
  template: { type: 'string', choices: ['chat', 'nemo'], help: "default: the base model's" },
  'label-dropout': {
    type: 'number',
    default: 0.1,
    min: 0,
    max: 1,
    help: 'sft: share of hidden labels',
  },
  'label-tokens': {
    type: 'boolean',
    default: false,
    help: 'sft: one token for every name:value of the label line',
  },
  ...attributeFlags,
  validation: {
    type: 'number',
    default: 0,
    min: 0,
    max: 0.5,
    help: 'share of rows held back; apm: by prompt, and calibrated on them',
  },
  lora: { type: 'integer', default: 0, min: 0, help: 'rank of LoRA adapters; 0: all weights' },
  alpha: { type: 'number', default: 16, min: 0, help: 'LoRA α' },
  'init-adapter': { type: 'string', help: 'PEFT folder to go on from' },
  dtype: {
    type: 'string',
    default: 'f32',
    choices: ['f32', 'f16'],
    help: 'of the written weights',
  },
  ...trainingFlags,
} as const

type Values = FlagValues<typeof flags>
type Kind = 'pretrain' | 'apm' | 'sft'

interface Base {
  readonly config: ModelConfig
  readonly rawConfig: Record<string, unknown>
  readonly checkpoint?: Checkpoint
  readonly text: OpenedModel
  readonly tokenParts?: TokenParts
}

function parseRawConfig(text: string, path: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch (cause) {
    return fail('BAD_FILE', `--config: ${path}: not JSON`, { cause })
  }
}

async function openBase(kind: Kind, values: Values, places: ModelPlaces): Promise<Base> {
  const chosen = {
    attributes: values.attributes === undefined ? undefined : readAttributeSet(values.attributes),
    kind: values.template as 'chat' | 'nemo' | undefined,
  }
  if (values.base !== undefined) {
    const text = await openModelText(values.base, places, chosen)
    return { ...(await openFloatModel(text.dir)), rawConfig: await readRawConfig(text.dir), text }
  }
  if (kind !== 'pretrain' || values.config === undefined || values.tokenizer === undefined)
    return fail(
      'BAD_ARGUMENT',
      '--base: expected a model (or, for pretrain, --config and --tokenizer)',
    )
  const raw = await readFile(values.config, 'utf8').catch((cause: unknown) =>
    fail('BAD_FILE', `--config: ${values.config} cannot be read`, { cause }),
  )
  const rawConfig = parseRawConfig(raw, values.config)
  const config = parseModelConfig(rawConfig, values.config)
  const text = await openModelFolder(values.tokenizer, chosen)
  return { config, rawConfig, text }
}

/** Gradients need floats, and the rounding of a quantised model would be learnt as if it were meant. */
async function openFloatModel(dir: string): Promise<Awaited<ReturnType<typeof openModel>>> {
  const opened = await openModel(dir)
  if (opened.config.quantization === null) return opened
  await opened.checkpoint.close()
  const why = 'is quantised; train the model that it was made from'
  return fail('BAD_ARGUMENT', `--base: ${dir} ${why}`, { param: 'base' })
}

/** The base with a token for every `name:value`, where --label-tokens asks for it. */
async function withLabelTokens(base: Base, kind: Kind, values: Values, dir: string): Promise<Base> {
  if (!values['label-tokens']) return base
  if (kind !== 'sft' || values.lora > 0 || values['init-adapter'] !== undefined)
    fail('BAD_ARGUMENT', '--label-tokens: is for sft of all weights')
  const { attributes } = base.text.manifest
  const set = values.attributes === undefined ? attributes : readAttributeSet(values.attributes)
  return { ...base, ...(await addLabelTokens(base, set, dir)) }
}

interface Prepared {
  readonly rows: TrainRows
  readonly combinations?: { values: number[]; count: number }[]
  /** Rated rows that the training does not see, of an attribute model. */
  readonly heldOut?: readonly RatedTokens[]
}

async function prepare(
  kind: Kind,
  values: Values,
  base: Base,
  dataset: Dataset,
): Promise<Prepared> {
  const { template, manifest } = base.text
  const attributes =
    values.attributes === undefined ? manifest.attributes : readAttributeSet(values.attributes)
  const { validation, seed } = values
  // Unlabelled conversations can be learnt without attributes; then there are no label lines.
  const isRated = Object.keys(dataset.manifest.attributes).length > 0
  const needsAttributes = kind === 'apm' || (kind === 'sft' && isRated)
  if (needsAttributes && dataset.manifest.kind === 'conversations' && attributes.length === 0)
    fail('BAD_ARGUMENT', `--attributes: expected a set, because ${values.base} has none`)
  if (kind === 'apm') return attributeRows(dataset, base.text, attributes, values)
  if (dataset.manifest.kind === 'tokens')
    return { rows: { kind: 'lm', ...splitRows(await rawRows(dataset), validation, seed) } }
  if (kind === 'pretrain')
    return {
      rows: {
        kind: 'lm',
        ...splitByPrompt(await pretrainRows(dataset, template), validation, seed),
      },
    }
  const labelDropout = values['label-dropout']
  const rows = await conditionedRows(dataset, template, { labelDropout, seed })
  return {
    rows: { kind: 'lm', ...splitByPrompt(rows, validation, seed) },
    combinations: await seenCombinations(dataset, attributes),
  }
}

interface Outcome {
  readonly kind: Kind
  readonly values: Values
  readonly base: Base
  readonly dataset: Dataset
  readonly prepared: Prepared
  readonly hyper: HyperParameters
  readonly trained: TrainedModel
  /** With --method ridge. */
  readonly ridge?: RidgeTraining['chosen']
}

const fitHead = (values: Values, { text }: Base, { rows }: Prepared): Promise<RidgeTraining> =>
  trainRidge({
    name: values.name,
    dir: text.dir,
    rows,
    seed: values.seed,
    threads: values.threads || undefined,
  })

/** The attribute model whose values the data set holds, as its maker noted it. */
function labelledBy({ manifest: { source } }: Dataset): string | undefined {
  const bootstrap = source.bootstrap as { apm?: unknown } | undefined
  const name = source.apm ?? bootstrap?.apm
  return typeof name === 'string' ? name : undefined
}

function manifestOf(outcome: Outcome) {
  const { kind, values, base, dataset, prepared, hyper, trained, ridge } = outcome
  const { manifest } = base.text
  const attributes =
    kind === 'pretrain'
      ? []
      : values.attributes === undefined
        ? manifest.attributes
        : readAttributeSet(values.attributes)
  const stage = {
    command: `train ${kind}`,
    base: values.base === undefined ? null : base.text.name,
    apm: labelledBy(dataset),
    data: {
      name: dataset.manifest.name,
      sha256: dataset.manifest.sha256,
      rows: dataset.manifest.rows,
    },
    hyperParameters: ridge ? { seed: values.seed, attributes: ridge } : hyper,
    method: kind === 'apm' ? values.method : undefined,
    loss: kind === 'apm' ? values.loss : undefined,
    labelDropout: kind === 'sft' ? values['label-dropout'] : undefined,
    labelTokens: kind === 'sft' ? values['label-tokens'] : undefined,
    lora: trained.adapter
      ? { rank: trained.adapter.rank, alpha: trained.adapter.alpha }
      : undefined,
    result: trained.result,
  }
  return {
    kind: kind === 'apm' ? ('attribute-model' as const) : ('language-model' as const),
    name: values.name,
    template: (values.template ?? manifest.template) as 'chat' | 'nemo',
    attributes,
    combinations: prepared.combinations,
    stages: [...(manifest.stages ?? []), stage],
    createdAt: new Date().toISOString(),
  }
}

/**
 * The whole model after training: the base with the adapter merged in, or with the trained weights
 * in place of its own (an attribute model keeps the output head that it does not use), and the
 * attribute head.
 */
async function finalWeights({ base, trained }: Outcome) {
  const { checkpoint, config } = base
  const architecture = architectureOf(config)
  const shapes = new Map(architecture.weights(config))
  const tensors = checkpoint
    ? await checkpointParams(checkpoint, architecture, config)
    : new Map<string, Float32Array>()
  if (trained.adapter) mergeLora(tensors, trained.adapter)
  for (const [name, data] of trained.tensors) {
    if (trained.adapter?.tensors.has(name)) continue
    tensors.set(name, data)
    shapes.set(name, trained.shapes.get(name)!)
  }
  return { tensors, shapes }
}

/** On the rows held back, where there are enough of them. */
async function calibrate(
  { prepared: { heldOut = [] }, values }: Outcome,
  dir: string,
  attributes: AttributeSet,
): Promise<Calibration | undefined> {
  if (heldOut.length === 0) return undefined
  const threads = values.threads || undefined
  const calibration = await calibrateScorer(dir, heldOut, { attributes, threads })
  return Object.keys(calibration).length > 0 ? calibration : undefined
}

async function writeOutcome(outcome: Outcome, path: string): Promise<void> {
  const { values, base, trained } = outcome
  const { adapter } = trained
  const manifest = manifestOf(outcome)
  await writeModel({
    path,
    textFrom: base.text.dir,
    config: base.rawConfig,
    ...(await finalWeights(outcome)),
    manifest,
    dtype: values.dtype as 'f32' | 'f16',
    more: async (dir) => {
      if (adapter) await writeAdapter(join(dir, 'adapter'), adapter, trained.shapes, values.base!)
      return { calibration: await calibrate(outcome, dir, manifest.attributes) }
    },
  })
}

/** Trains and writes the model folder; prints where it lies and the loss. */
export async function run(argv: string[]): Promise<number> {
  const { values, positionals, help } = parseFlags(argv, flags)
  if (help) {
    console.log(helpText('steerlm train pretrain|apm|sft --data N --base M --name OUT', flags))
    return 0
  }
  const kind = positionals[0] as Kind
  if (positionals.length !== 1 || !['pretrain', 'apm', 'sft'].includes(kind))
    fail('BAD_ARGUMENT', `train: expected pretrain, apm or sft, got "${positionals.join(' ')}"`)
  checkAttributeFlags(kind, values)
  const places = modelPlaces(values.home)
  const path = userModelPath(values.name, places.home)
  const dataset = await openDataset(values.data, places.home)
  const opened = await openBase(kind, values, places)
  const textDir = `${trainingWorkDir(places.home, values.name)}-text`
  const base = await withLabelTokens(opened, kind, values, textDir)
  try {
    const prepared = await prepare(kind, values, base, dataset)
    const hyper = hyperParameters(values, uniformPositions(base.config))
    const init = values['init-adapter'] ? await readAdapter(values['init-adapter']) : undefined
    const rank = init?.rank ?? values.lora
    const ridge = values.method === 'ridge' ? await fitHead(values, base, prepared) : undefined
    const trained =
      ridge?.trained ??
      (await runTraining({
        name: values.name,
        home: places.home,
        values,
        hyper,
        base,
        rows: prepared.rows,
        lora: rank > 0 ? { rank, alpha: init?.alpha ?? values.alpha, init } : undefined,
        identity: {
          data: dataset.manifest.sha256,
          base: values.base ?? '',
          config: sha256Json(base.rawConfig),
          kind,
          attributes: values.attributes ?? '',
          template: values.template ?? '',
          labelDropout: values['label-dropout'],
          validation: values.validation,
          labelTokens: values['label-tokens'],
          loss: values.loss,
          preferred: values.preferred ?? '',
          attributeWeights: values['attribute-weights'] ?? '',
          raterWeights: values['rater-weights'],
          initAdapter: values['init-adapter'] ?? '',
        },
      }))
    const outcome = { kind, values, base, dataset, prepared, hyper, trained, ridge: ridge?.chosen }
    await writeOutcome(outcome, path)
    await clearTraining(trainingWorkDir(places.home, values.name))
    await rm(textDir, { recursive: true, force: true })
    const { steps, loss, evaluations } = trained.result
    const validation = evaluations.at(-1)?.loss
    if (values.json)
      console.log(JSON.stringify({ name: values.name, path, steps, loss, validation }))
    else console.log(`${path}: ${steps} steps, loss ${loss.toFixed(4)}`)
    return 0
  } finally {
    await base.checkpoint?.close()
  }
}
