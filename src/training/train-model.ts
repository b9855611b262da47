/**
 * One training from rows in memory to trained tensors: all weights or LoRA, language modelling or
 * regression. Reads the base checkpoint; what is done with the result is the caller's business.
 */
import { architectureOf } from '../arch/architectures.ts'
import type { Architecture } from '../arch/architecture.ts'
import { uniformPositions, type ModelConfig } from '../arch/model-config.ts'
import { fileWeights } from '../arch/weights.ts'
import { fail } from '../errors.ts'
import type { Device } from '../ort/index.ts'
import { createRandom } from '../util/random.ts'
import type { Checkpoint } from '../weights/checkpoint.ts'
import type { Adapter } from '../weights/peft-adapter.ts'
import {
  countedTargets,
  knownLabels,
  languageModelFeed,
  rankingFeed,
  regressionFeed,
  type RankedRow,
  type ScoredRow,
  type TokenRow,
} from './feeds.ts'
import {
  checkpointParams,
  freshState,
  linearLayerNames,
  loraShapes,
  randomLora,
  randomParams,
  type Shapes,
} from './initial-state.ts'
import { growVocabulary, type TokenParts } from './grow-vocabulary.ts'
import { runLoop, type LoopResult, type StepMetrics, type StepSource } from './loop.ts'
import { createRowSource, stepsPerEpoch, type RowSourceOptions } from './row-source.ts'
import type { ScheduleKind } from './schedule.ts'
import { HEAD_BIAS, HEAD_WEIGHT, type LoraShape, type Objective } from './train-graph.ts'
import { TrainSession } from './train-session.ts'

export interface HyperParameters {
  readonly maxSteps: number
  readonly epochs: number
  readonly batchSize: number
  readonly accumulate: number
  readonly maxTokens: number
  readonly lr: number
  readonly lrSchedule: ScheduleKind
  readonly warmupSteps: number
  readonly weightDecay: number
  readonly adamBeta1: number
  readonly adamBeta2: number
  readonly adamEps: number
  readonly clipNorm: number
  readonly seed: number
  readonly shuffle: boolean
}

/** Where the weights come from: a checkpoint, or a random model of the given shape. */
export interface TrainBase {
  readonly config: ModelConfig
  readonly checkpoint?: Checkpoint
  /** Tokens that `config` has and the checkpoint has not. */
  readonly tokenParts?: TokenParts
}

export type TrainRows =
  | {
      readonly kind: 'lm'
      readonly train: readonly TokenRow[]
      readonly validation: readonly TokenRow[]
    }
  | {
      readonly kind: 'regression'
      readonly head: HeadStart
      readonly train: readonly ScoredRow[]
      readonly validation: readonly ScoredRow[]
    }
  | {
      readonly kind: 'ranking'
      readonly head: HeadStart
      /** The attribute that the pairs are compared by. */
      readonly column: number
      readonly train: readonly RankedRow[]
      readonly validation: readonly RankedRow[]
    }

/** Where the attribute head starts: weights [A, H] of an earlier training or none (zeros), and the biases [A]. */
export interface HeadStart {
  readonly weight?: Float32Array
  readonly bias: readonly number[]
}

export interface TrainModelOptions {
  readonly base: TrainBase
  readonly rows: TrainRows
  readonly hyper: HyperParameters
  readonly lora?: { readonly rank: number; readonly alpha: number; readonly init?: Adapter }
  readonly workDir: string
  readonly resume: boolean
  readonly checkpointEvery: number
  readonly evalEvery: number
  /** Identifies data and base in the checkpoint's settings. */
  readonly identity: Readonly<Record<string, unknown>>
  readonly threads: number
  /** Default `cpu`. */
  readonly device?: Device
  readonly onStart?: (totalSteps: number) => void
  readonly onStep?: (metrics: StepMetrics) => void
  readonly onEvaluation?: (step: number, loss: number) => void
  readonly onCheckpoint?: (step: number) => void
  readonly pause?: () => Promise<void>
  readonly signal?: AbortSignal
}

export interface TrainedModel {
  readonly tensors: ReadonlyMap<string, Float32Array>
  readonly shapes: Shapes
  readonly adapter?: Adapter
  readonly result: LoopResult
}

interface Start {
  readonly params: Map<string, Float32Array>
  readonly shapes: Map<string, readonly number[]>
  readonly lora?: LoraShape
}

async function startLora(options: TrainModelOptions, architecture: Architecture): Promise<Start> {
  const { base, hyper } = options
  const { rank, alpha, init } = options.lora!
  if (!base.checkpoint) return fail('BAD_ARGUMENT', '--lora: needs a base checkpoint')
  const targets = init?.targets ?? new Set(linearLayerNames(architecture, base.config))
  const lora = { rank, scale: alpha / rank, targets }
  const shapes = loraShapes(architecture, base.config, lora)
  if (!init)
    return { params: randomLora(shapes, createRandom(hyper.seed).fork('lora')), shapes, lora }
  const params = new Map<string, Float32Array>()
  for (const [name, shape] of shapes) {
    const data = init.tensors.get(name)
    const size = shape[0]! * shape[1]!
    if (data?.length !== size)
      fail(
        'BAD_CHECKPOINT',
        `adapter tensor "${name}": expected [${shape}], file has ${data?.length ?? 'none'}`,
      )
    params.set(name, data!)
  }
  return { params, shapes, lora }
}

async function startAllWeights(
  options: TrainModelOptions,
  architecture: Architecture,
): Promise<Start> {
  const { config, checkpoint } = options.base
  const random = createRandom(options.hyper.seed).fork('weights')
  const params = checkpoint
    ? await checkpointParams(checkpoint, architecture, config)
    : randomParams(architecture, config, random)
  const { tokenParts } = options.base
  for (const name of architecture.vocabularyWeights) {
    const rows = params.get(name)
    if (tokenParts && rows)
      params.set(name, growVocabulary(rows, config.vocabSize, config.hiddenSize, tokenParts))
  }
  return { params, shapes: new Map(architecture.weights(config)) }
}

function addHead(start: Start, options: TrainModelOptions): void {
  if (options.rows.kind === 'lm') return
  const { weight, bias } = options.rows.head
  const attributes = bias.length
  const { hiddenSize } = options.base.config
  start.shapes.set(HEAD_WEIGHT, [attributes, hiddenSize])
  start.shapes.set(HEAD_BIAS, [attributes])
  start.params.set(HEAD_WEIGHT, weight ?? new Float32Array(attributes * hiddenSize))
  start.params.set(HEAD_BIAS, Float32Array.from(bias))
  // A language model's own head takes no part in the score.
  for (const name of ['lm_head.weight']) {
    start.shapes.delete(name)
    start.params.delete(name)
  }
}

type Tokens = readonly number[]

function checkLength(rows: readonly Tokens[], extra: number, limit: number) {
  rows.forEach((tokens, i) => {
    if (tokens.length - extra > limit)
      fail(
        'ROW_TOO_LONG',
        `row ${i + 1} has ${tokens.length} tokens; at most ${limit + extra} fit (--max-tokens)`,
      )
  })
}

/** A token outside the vocabulary would stop ONNX Runtime in the middle of a step. */
function checkTokens(rows: readonly Tokens[], vocabSize: number) {
  rows.forEach((tokens, i) => {
    const wrong = tokens.find((token) => token >= vocabSize)
    if (wrong !== undefined)
      fail('BAD_RECORD', `row ${i + 1}: token ${wrong}; the vocabulary has ${vocabSize} tokens`)
  })
}

/** Beyond it LongRoPE has other positions in training than in scoring. */
function checkScorable(config: ModelConfig, maxTokens: number): void {
  const limit = uniformPositions(config)
  if (limit < config.maxPositions && maxTokens > limit)
    fail('BAD_ARGUMENT', `--max-tokens ${maxTokens}: attribute models of this base score ${limit}`)
}

interface Task {
  readonly objective: Objective
  training(): StepSource
  /** Rows in file order, one micro-batch a step. */
  validation(): StepSource
}

/** How rows of one kind are counted, measured and fed. */
type RowKind<Row> = Pick<RowSourceOptions<Row>, 'counted' | 'length' | 'feed'>

const tokenRows: RowKind<TokenRow> = {
  counted: countedTargets,
  length: (row) => row.tokens.length - 1,
  feed: languageModelFeed,
}

const scoredRows: RowKind<ScoredRow> = {
  counted: knownLabels,
  length: (row) => row.tokens.length,
  feed: regressionFeed,
}

const rankedRows: RowKind<RankedRow> = {
  counted: () => 1,
  length: ({ replies }) => replies.reduce((sum, { length }) => sum + length, 0),
  feed: rankingFeed,
}

function makeTask<Row>(
  objective: Objective,
  kind: RowKind<Row>,
  rows: { readonly train: readonly Row[]; readonly validation: readonly Row[] },
  hyper: HyperParameters,
): Task {
  const { batchSize, accumulate, seed, shuffle } = hyper
  const common = { ...kind, batchSize, seed }
  return {
    objective,
    training: () => createRowSource({ ...common, rows: rows.train, accumulate, shuffle }),
    validation: () =>
      createRowSource({ ...common, rows: rows.validation, accumulate: 1, shuffle: false }),
  }
}

/** The token rows of training and validation, in order. */
function tokensOf(rows: TrainRows): readonly (readonly Tokens[])[] {
  if (rows.kind === 'ranking')
    return [rows.train, rows.validation].map((part) => part.flatMap(({ replies }) => replies))
  return [rows.train, rows.validation].map((part) => part.map(({ tokens }) => tokens))
}

function checkCounted(rows: readonly TokenRow[]): void {
  rows.forEach((row, i) => {
    if (countedTargets(row) === 0) fail('BAD_RECORD', `row ${i + 1}: no token counts in the loss`)
  })
}

function describeTask({ base, rows, hyper }: TrainModelOptions): Task {
  if (rows.kind !== 'lm') checkScorable(base.config, hyper.maxTokens)
  for (const part of tokensOf(rows)) {
    checkTokens(part, base.config.vocabSize)
    checkLength(part, rows.kind === 'lm' ? 1 : 0, hyper.maxTokens)
  }
  if (rows.kind === 'lm') {
    for (const part of [rows.train, rows.validation]) checkCounted(part)
    return makeTask({ kind: 'lm' }, tokenRows, rows, hyper)
  }
  const attributes = rows.head.bias.length
  if (rows.kind === 'regression')
    return makeTask({ kind: 'regression', attributes }, scoredRows, rows, hyper)
  return makeTask({ kind: 'ranking', attributes, column: rows.column }, rankedRows, rows, hyper)
}

/** Mean over all counted targets or labels. */
async function validationLoss(
  session: TrainSession,
  source: StepSource,
  steps: number,
): Promise<number> {
  let [sum, weight] = [0, 0]
  for (let i = 0; i < steps; i++) {
    const batch = await source.next()
    sum += (await session.evaluate(batch.feeds[0]!)) * batch.counted
    weight += batch.counted
  }
  return sum / weight
}

/** Throws ROW_TOO_LONG, BAD_RECORD, BAD_CHECKPOINT, LOSS_NOT_FINITE, or CANCELLED on abort. */
export async function trainModel(options: TrainModelOptions): Promise<TrainedModel> {
  const { base, hyper, rows } = options
  const architecture = architectureOf(base.config)
  const task = describeTask(options)
  const start = await (options.lora
    ? startLora(options, architecture)
    : startAllWeights(options, architecture))
  addHead(start, options)
  const { checkpoint } = base
  const session = await TrainSession.create(
    {
      config: base.config,
      architecture,
      objective: task.objective,
      trainables: start.shapes,
      frozen: (b) =>
        checkpoint
          ? fileWeights(b, checkpoint)
          : (name) => fail('INTERNAL', `internal: no weight ${name}`),
      lora: start.lora,
      maxTokens: Math.max(hyper.maxTokens, 1),
      adam: {
        beta1: hyper.adamBeta1,
        beta2: hyper.adamBeta2,
        epsilon: hyper.adamEps,
        clipNorm: hyper.clipNorm,
      },
      weightDecay: hyper.weightDecay,
      threads: options.threads,
      device: options.device,
      weightsDirectory: checkpoint?.dir,
      accumulate: hyper.accumulate,
    },
    freshState(start.params),
  )
  try {
    const perEpoch = stepsPerEpoch(rows.train.length, hyper.batchSize)
    const totalSteps = hyper.maxSteps > 0 ? hyper.maxSteps : Math.ceil(perEpoch * hyper.epochs)
    if (totalSteps < 1) fail('BAD_ARGUMENT', '--epochs: 0 passes leave nothing to train')
    options.onStart?.(totalSteps)
    const result = await runLoop({
      session,
      shapes: start.shapes,
      source: task.training(),
      schedule: {
        kind: hyper.lrSchedule,
        lr: hyper.lr,
        warmupSteps: hyper.warmupSteps,
        totalSteps,
      },
      workDir: options.workDir,
      resume: options.resume,
      checkpointEvery: options.checkpointEvery,
      evalEvery: options.evalEvery,
      settings: {
        ...hyper,
        ...options.identity,
        totalSteps,
        lora: options.lora?.rank ?? 0,
        loraAlpha: options.lora?.alpha ?? 0,
      },
      evaluate: rows.validation.length
        ? () =>
            validationLoss(
              session,
              task.validation(),
              stepsPerEpoch(rows.validation.length, hyper.batchSize),
            )
        : undefined,
      onStep: options.onStep,
      onEvaluation: options.onEvaluation,
      onCheckpoint: options.onCheckpoint,
      pause: options.pause,
      signal: options.signal,
    })
    await session.pull()
    const adapter = options.lora && {
      rank: options.lora.rank,
      alpha: options.lora.alpha,
      targets: start.lora!.targets,
      tensors: new Map([...start.params].filter(([name]) => /\.lora_[AB]$/.test(name))),
    }
    return { tensors: start.params, shapes: start.shapes, adapter, result }
  } finally {
    session.dispose()
  }
}
