/**
 * The training graphs. `step` is forward, loss, backward, clip and AdamW in one; with gradient
 * accumulation the same nodes are split into `accumulate` (gradients added to buffers) and
 * `update` (clip and AdamW from those buffers).
 *
 * Inputs: `input_ids` int64 [B,S]; for language modelling `loss_positions`, `targets` int64 [T]
 * and `loss_weights` f32 [T] (positions index the flattened [B·S] tokens; the weights add up to 1
 * over an optimizer step); for regression `last_positions` int64 [B], `labels` and
 * `label_weights` f32 [B,A]; for ranking `last_positions` and, for every pair of rows, `chosen`, `rejected` and
 * `first` (zeros) int64 [P], `margins` f32 [P,1] and `pair_weights` f32 [P]. States: `param:n`, `m:n`, `v:n` → `param_out:n`, `m_out:n`, `v_out:n`.
 */
import type { Architecture } from '../arch/architecture.ts'
import type { BlockContext, LoraPair } from '../arch/blocks/block-context.ts'
import { explicitAttention } from '../arch/blocks/attention-cores.ts'
import type { ModelConfig } from '../arch/model-config.ts'
import { gradients } from '../autodiff/gradients.ts'
import type { Graph, Value } from '../graph/graph.ts'
import { createBuilder, type Builder } from '../ops/builder.ts'
import { adamW, clipScale, globalNorm, stepInputs, type AdamOptions } from './optimizer.ts'

export type Objective =
  | { readonly kind: 'lm' }
  | { readonly kind: 'regression'; readonly attributes: number }
  /** Pairs of rows compared by one column of the head. */
  | { readonly kind: 'ranking'; readonly attributes: number; readonly column: number }

export interface LoraShape {
  readonly rank: number
  readonly scale: number
  /** Linear layers that carry an adapter, by checkpoint name without `.weight`. */
  readonly targets: ReadonlySet<string>
}

export interface TrainGraphOptions {
  readonly config: ModelConfig
  readonly architecture: Architecture
  readonly objective: Objective
  /** Trained tensors: name → shape. Adapter tensors are `<layer>.lora_A` and `<layer>.lora_B`. */
  readonly trainables: ReadonlyMap<string, readonly number[]>
  /** Adds a frozen weight of the checkpoint to the graph. */
  readonly frozen: (b: Builder) => (name: string) => Value
  readonly lora?: LoraShape
  /** Longest row the rotary tables must cover. */
  readonly maxTokens: number
  readonly adam: AdamOptions
  readonly float?: 'float32' | 'float64'
}

export const HEAD_WEIGHT = 'head.weight'
export const HEAD_BIAS = 'head.bias'

interface Forward {
  readonly loss: Value
  readonly params: ReadonlyMap<string, Value>
}

function flatRows(b: Builder, hidden: Value, positions: Value): Value {
  const size = Number(hidden.shape.at(-1))
  const flat = b.op('Reshape', [hidden], { shape: [-1, size], dims: ['tokens'] })
  return b.op('Gather', [flat, positions], { axis: 0, distinct: true })
}

/** Σ_t w_t · −log p(target_t) over the counted positions only. */
function languageModelLoss(ctx: BlockContext, architecture: Architecture, hidden: Value): Value {
  const { b } = ctx
  const positions = b.input('loss_positions', 'int64', ['counted'])
  const targets = b.input('targets', 'int64', ['counted'])
  const weights = b.input('loss_weights', b.float, ['counted'])
  const normed = architecture.finalNorm(ctx, flatRows(b, hidden, positions))
  return b.op('CrossEntropy', [architecture.logits(ctx, normed), targets, weights], {})
}

/** The head on each row's last token, [B, A]. */
function predictions(
  ctx: BlockContext,
  options: TrainGraphOptions & { readonly attributes: number },
  hidden: Value,
): Value {
  const { b } = ctx
  const { architecture, attributes, config } = options
  const positions = b.input('last_positions', 'int64', ['batch'])
  const normed = architecture.finalNorm(ctx, flatRows(b, hidden, positions))
  const headWeight = ctx.weight(HEAD_WEIGHT, [attributes, config.hiddenSize])
  const product = b.op('MatMul', [normed, headWeight], { transB: true })
  return b.op('Add', [product, ctx.weight(HEAD_BIAS, [attributes])], {})
}

/** Σ w ∘ (prediction − label)², w = 0 where a label is missing. */
function regressionLoss(b: Builder, predicted: Value): Value {
  const labels = b.input('labels', b.float, predicted.shape)
  const weights = b.input('label_weights', b.float, predicted.shape)
  const error = b.op('Sub', [predicted, labels], {})
  const weighted = b.op('Mul', [b.op('Mul', [error, error], {}), weights], {})
  return b.op('ReduceSum', [weighted], { axes: [0, 1], keepdims: false })
}

/**
 * Σ_p w_p · −log σ(r_chosen − r_rejected − margin_p), Bradley & Terry 1952. As a cross entropy over the two scores of a
 * pair it neither overflows nor loses its gradient where they are equal.
 */
function rankingLoss(b: Builder, predicted: Value, column: number): Value {
  const rewards = b.op('Slice', [predicted], { axis: 1, start: column, end: column + 1 })
  const rowsOf = (name: string) =>
    b.op('Gather', [rewards, b.input(name, 'int64', ['pairs'])], { axis: 0 })
  const chosen = b.op('Sub', [rowsOf('chosen'), b.input('margins', b.float, ['pairs', 1])], {})
  const scores = b.op('Concat', [chosen, rowsOf('rejected')], { axis: 1 })
  const first = b.input('first', 'int64', ['pairs'])
  return b.op('CrossEntropy', [scores, first, b.input('pair_weights', b.float, ['pairs'])], {})
}

function lossOf(ctx: BlockContext, options: TrainGraphOptions, hidden: Value): Value {
  const { architecture, objective } = options
  if (objective.kind === 'lm') return languageModelLoss(ctx, architecture, hidden)
  const predicted = predictions(ctx, { ...options, attributes: objective.attributes }, hidden)
  if (objective.kind === 'regression') return regressionLoss(ctx.b, predicted)
  return rankingLoss(ctx.b, predicted, objective.column)
}

function buildForward(b: Builder, options: TrainGraphOptions): Forward {
  const { config, architecture, trainables, lora } = options
  const params = new Map<string, Value>()
  for (const [name, shape] of trainables) params.set(name, b.input(`param:${name}`, b.float, shape))
  const frozen = options.frozen(b)
  const adapter = (name: string): LoraPair | undefined => {
    const [a, low] = [params.get(`${name}.lora_A`), params.get(`${name}.lora_B`)]
    return lora && a && low ? { a, b: low, scale: lora.scale } : undefined
  }
  const ids = b.input('input_ids', 'int64', ['batch', 'sequence'])
  const ctx: BlockContext = {
    b,
    config,
    weight: (name) => params.get(name) ?? frozen(name),
    lora: adapter,
    attention: explicitAttention(b, config, { ids, positions: options.maxTokens }),
  }
  const hidden = architecture.hidden(ctx, ids)
  return { loss: lossOf(ctx, options, hidden), params }
}

/** Reads the states, writes the new ones and the norm before clipping. */
function addUpdate(
  b: Builder,
  options: TrainGraphOptions,
  params: ReadonlyMap<string, Value>,
  grads: ReadonlyMap<string, Value>,
): void {
  const { adam } = options
  const norm = globalNorm(b, [...grads.values()])
  const scale = clipScale(b, norm, adam.clipNorm)
  const inputs = stepInputs(b)
  for (const [name, param] of params) {
    const m = b.input(`m:${name}`, b.float, param.shape)
    const v = b.input(`v:${name}`, b.float, param.shape)
    const next = adamW(b, { param, m, v }, grads.get(name)!, { ...adam, inputs, scale })
    b.output(`param_out:${name}`, next.param)
    b.output(`m_out:${name}`, next.m)
    b.output(`v_out:${name}`, next.v)
  }
  b.output('grad_norm', norm)
}

const byName = (names: Iterable<string>, values: readonly Value[]) =>
  new Map([...names].map((name, i) => [name, values[i]!]))

export function buildStepGraph(options: TrainGraphOptions): Graph {
  const b = createBuilder('train', options.float)
  const { loss, params } = buildForward(b, options)
  const grads = byName(params.keys(), gradients(b, loss, [...params.values()]))
  addUpdate(b, options, params, grads)
  b.output('loss', loss)
  return b.build()
}

/** Forward only: `loss`, for evaluation. */
export function buildLossGraph(options: TrainGraphOptions): Graph {
  const b = createBuilder('loss', options.float)
  b.output('loss', buildForward(b, options).loss)
  return b.build()
}

/** `grad:n` + this micro-batch's gradient → `grad_out:n`. */
export function buildAccumulateGraph(options: TrainGraphOptions): Graph {
  const b = createBuilder('accumulate', options.float)
  const { loss, params } = buildForward(b, options)
  const names = [...params.keys()]
  gradients(b, loss, [...params.values()]).forEach((grad, i) => {
    const sum = b.input(`grad:${names[i]}`, b.float, grad.shape)
    b.output(`grad_out:${names[i]}`, b.op('Add', [sum, grad], {}))
  })
  b.output('loss', loss)
  return b.build()
}

export function buildUpdateGraph(options: TrainGraphOptions): Graph {
  const b = createBuilder('update', options.float)
  const inputs = (prefix: string) =>
    new Map(
      [...options.trainables].map(([name, shape]) => [
        name,
        b.input(`${prefix}:${name}`, b.float, shape),
      ]),
    )
  addUpdate(b, options, inputs('param'), inputs('grad'))
  return b.build()
}
