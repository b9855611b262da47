/**
 * The training graphs in float64, where finite differences are exact to 1e-7: gradients of the whole
 * model's loss, and one whole step (forward, loss, backward, clip, AdamW) against plain numbers.
 */
import t from 'tap'
import { architectureOf } from '../../src/arch/architectures.ts'
import { parseModelConfig } from '../../src/arch/read-model-config.ts'
import { fail } from '../../src/errors.ts'
import type { Graph } from '../../src/graph/graph.ts'
import { stepScalars } from '../../src/training/optimizer.ts'
import {
  buildAccumulateGraph,
  buildLossGraph,
  buildStepGraph,
  HEAD_BIAS,
  HEAD_WEIGHT,
  type Objective,
  type TrainGraphOptions,
} from '../../src/training/train-graph.ts'
import { languageModelFeed, rankingFeed, regressionFeed } from '../../src/training/feeds.ts'
import type { Feed as TrainFeed } from '../../src/training/train-session.ts'
import { createRandom } from '../../src/util/random.ts'
import { plainAdamW, type AdamState } from '../fixtures/adam-w.ts'
import { largestDifference } from '../fixtures/nd-array.ts'
import { referenceStates } from '../fixtures/reference-decoder.ts'
import { createGraphRunner, type Feed } from '../fixtures/run-graph.ts'
import { tinyConfig, tinyParams } from '../fixtures/tiny-checkpoint.ts'

const config = parseModelConfig(
  {
    ...tinyConfig,
    vocab_size: 11,
    hidden_size: 16,
    intermediate_size: 12,
    attention_bias: true,
    num_attention_heads: 2,
    num_key_value_heads: 1,
  },
  'tiny',
)
const architecture = architectureOf(config)
const adam = { beta1: 0.8, beta2: 0.9, epsilon: 1e-3, clipNorm: 0.5 }

interface Setup {
  readonly options: TrainGraphOptions
  /** Inputs of the loss graph. */
  readonly feeds: Readonly<Record<string, Feed>>
  readonly names: readonly string[]
}

const numbers = (feed: TrainFeed): Record<string, Feed> =>
  Object.fromEntries(
    Object.entries(feed).map(([name, { dims, data }]) => [
      name,
      { shape: dims, data: Array.from(data as ArrayLike<number | bigint>, Number) },
    ]),
  )

function languageModel(): Setup {
  const rows = [
    { tokens: [1, 5, 3, 9, 2], lossMask: Uint8Array.of(0, 0, 1, 1, 1) },
    { tokens: [4, 4, 7], lossMask: Uint8Array.of(0, 1, 1) },
  ]
  return setup({ kind: 'lm' }, architecture.weights(config), languageModelFeed(rows, 5))
}

function regression(): Setup {
  const shapes = new Map(architecture.weights(config))
  shapes.set(HEAD_WEIGHT, [2, 16]).set(HEAD_BIAS, [2])
  const rows = [
    { tokens: [1, 5, 3, 9, 2], labels: [3, NaN] },
    { tokens: [4, 4, 7], labels: [1, 2.5] },
  ]
  return setup({ kind: 'regression', attributes: 2 }, shapes, regressionFeed(rows, 3))
}

/** Three replies to one prompt, all their pairs, and two to another. */
const rankedRows = [
  {
    replies: [
      [1, 5, 3, 9, 2],
      [1, 5, 8],
      [1, 5, 4, 2],
    ],
    pairs: [
      { chosen: 2, rejected: 0, margin: 0.5, weight: 0.25 },
      { chosen: 2, rejected: 1, margin: 0, weight: 0.5 },
      { chosen: 1, rejected: 0, margin: 2, weight: 0.25 },
    ],
  },
  {
    replies: [
      [4, 4, 7],
      [4, 4, 1],
    ],
    pairs: [{ chosen: 0, rejected: 1, margin: 0, weight: 3 }],
  },
]

function ranking(): Setup {
  const shapes = new Map(architecture.weights(config))
  shapes.set(HEAD_WEIGHT, [2, 16]).set(HEAD_BIAS, [2])
  const objective = { kind: 'ranking', attributes: 2, column: 1 } as const
  return setup(objective, shapes, rankingFeed(rankedRows, 2))
}

function setup(
  objective: Objective,
  trainables: ReadonlyMap<string, readonly number[]>,
  batch: TrainFeed,
): Setup {
  const params = tinyParams(config)
  const stream = createRandom('head')
  const feeds = numbers(batch)
  for (const [name, shape] of trainables) {
    const size = shape.reduce((n, dim) => n * dim, 1)
    const data = params.get(name) ?? Float32Array.from({ length: size }, () => stream.normal())
    feeds[`param:${name}`] = { shape, data: [...data] }
  }
  const frozen = () => (name: string) => fail('INTERNAL', `internal: no weight ${name}`)
  const options = {
    config,
    architecture,
    objective,
    trainables,
    frozen,
    maxTokens: 8,
    adam,
    float: 'float64',
  } as const
  return { options, feeds, names: [...trainables.keys()] }
}

const only = (graph: Graph, feeds: Readonly<Record<string, Feed>>) =>
  Object.fromEntries(graph.inputs.map(({ name }) => [name, feeds[name]!]))

const zeros = ({ shape, data }: Feed): Feed => ({ shape, data: data.map(() => 0) })

/** The loss and every parameter's gradient, by the accumulating graph from zero. */
async function gradientsOf({ options, feeds, names }: Setup) {
  const graph = buildAccumulateGraph(options)
  const runner = await createGraphRunner(graph)
  const all = { ...feeds }
  for (const name of names) all[`grad:${name}`] = zeros(feeds[`param:${name}`]!)
  const outputs = await runner.run(only(graph, all))
  runner.dispose()
  return {
    loss: outputs.loss![0]!,
    grads: new Map(names.map((name) => [name, outputs[`grad_out:${name}`]!])),
  }
}

for (const [kind, make] of Object.entries({
  'language model': languageModel,
  regression,
  ranking,
})) {
  t.test(`gradients of the whole ${kind} agree with finite differences`, async (t) => {
    const setup = make()
    const { loss, grads } = await gradientsOf(setup)
    const graph = buildLossGraph(setup.options)
    const runner = await createGraphRunner(graph)
    t.teardown(() => runner.dispose())
    const lossOf = async (feeds: Readonly<Record<string, Feed>>) =>
      (await runner.run(only(graph, feeds))).loss![0]!
    t.ok(Math.abs((await lossOf(setup.feeds)) - loss) < 1e-12, 'the loss graph has the same loss')
    const random = createRandom('which weights')
    const H = 1e-5
    for (const name of setup.names) {
      const key = `param:${name}`
      const { shape, data } = setup.feeds[key]!
      for (let k = 0; k < 3; k++) {
        const i = random.int(data.length)
        const moved = (delta: number) =>
          lossOf({
            ...setup.feeds,
            [key]: { shape, data: data.map((value, j) => (j === i ? value + delta : value)) },
          })
        const numeric = ((await moved(H)) - (await moved(-H))) / (2 * H)
        const found = grads.get(name)![i]!
        const error = Math.abs(found - numeric) / Math.max(1, Math.abs(numeric))
        if (!(error < 1e-7)) t.fail(`${name}[${i}]: graph ${found}, finite difference ${numeric}`)
      }
    }
    const norm = Math.hypot(...[...grads.values()].flat())
    t.ok(norm > 0.1, `gradient norm ${norm}: the check says something`)
  })
}

t.test('the ranking loss is that of Bradley and Terry on the column of the head', async (t) => {
  const { options, feeds, names } = ranking()
  const params = new Map(
    names.map((name) => [name, Float32Array.from(feeds[`param:${name}`]!.data)]),
  )
  const [weight, bias] = [feeds[`param:${HEAD_WEIGHT}`]!.data, feeds[`param:${HEAD_BIAS}`]!.data]
  const reward = (tokens: readonly number[]) =>
    referenceStates(config, params, tokens)
      .at(-1)!
      .reduce((sum, x, i) => sum + x * weight[16 + i]!, bias[1]!)
  const lossOf = async (rows: typeof rankedRows, head = feeds) => {
    const runner = await createGraphRunner(buildLossGraph(options))
    const all = { ...head, ...numbers(rankingFeed(rows, rows.length)) }
    const { loss } = await runner.run(only(buildLossGraph(options), all))
    runner.dispose()
    return loss![0]!
  }
  const wanted = rankedRows.flatMap(({ replies, pairs }) => {
    const r = replies.map(reward)
    return pairs.map(({ chosen, rejected, margin, weight: w }) => {
      return w * Math.log1p(Math.exp(-(r[chosen]! - r[rejected]! - margin)))
    })
  })
  const mean = wanted.reduce((sum, x) => sum + x, 0) / 2
  const found = await lossOf(rankedRows)
  t.ok(Math.abs(found - mean) < 1e-6 * mean, `${found} ${mean}`)

  const shifted = { ...feeds, [`param:${HEAD_BIAS}`]: { shape: [2], data: [0, 100] } }
  const moved = await lossOf(rankedRows, shifted)
  t.ok(Math.abs(moved - found) < 1e-9, 'the same for all rewards plus a constant')
  const { grads } = await gradientsOf(ranking())
  t.ok(Math.abs(grads.get(HEAD_BIAS)![1]!) < 1e-12, 'so the bias has no gradient')
  const headGradient = grads.get(HEAD_WEIGHT)!
  t.same([...headGradient.slice(0, 16)], Array<number>(16).fill(0), 'nor has another attribute')

  const flat = {
    ...feeds,
    [`param:${HEAD_WEIGHT}`]: { shape: [2, 16], data: Array<number>(32).fill(0) },
  }
  const plain = [{ ...rankedRows[1]!, pairs: [{ ...rankedRows[1]!.pairs[0]!, weight: 1 }] }]
  t.ok(Math.abs((await lossOf(plain, flat)) - Math.LN2) < 1e-12, 'ln 2 at equal rewards')
})

t.test('three whole steps are clipping and AdamW on those gradients', async (t) => {
  const setup = languageModel()
  const [lr, weightDecay] = [0.05, 0.2]
  const states = new Map<string, AdamState>()
  for (const name of setup.names) {
    const param = [...setup.feeds[`param:${name}`]!.data]
    states.set(name, { param, m: param.map(() => 0), v: param.map(() => 0) })
  }
  const graph = buildStepGraph(setup.options)
  const runner = await createGraphRunner(graph)
  t.teardown(() => runner.dispose())
  let feeds: Record<string, Feed> = { ...setup.feeds }
  for (const name of setup.names) {
    feeds[`m:${name}`] = zeros(feeds[`param:${name}`]!)
    feeds[`v:${name}`] = zeros(feeds[`param:${name}`]!)
  }
  for (let step = 1; step <= 3; step++) {
    const { loss, grads } = await gradientsOf({ ...setup, feeds })
    const norm = plainAdamW(states, grads, step, { ...adam, lr, weightDecay })
    const scalars = stepScalars(step, lr, { ...adam, weightDecay })
    for (const [name, value] of Object.entries(scalars)) feeds[name] = { shape: [], data: [value] }
    const outputs = await runner.run(only(graph, feeds))
    t.ok(Math.abs(outputs.loss![0]! - loss) < 1e-12, `step ${step}: loss`)
    t.ok(Math.abs(outputs.grad_norm![0]! - norm) < 1e-12, `step ${step}: norm ${norm}`)
    t.ok(norm > adam.clipNorm, `step ${step}: the gradient is clipped`)
    const next = { ...feeds }
    for (const [name, state] of states) {
      for (const part of ['param', 'm', 'v'] as const) {
        const found = outputs[`${part}_out:${name}`]!
        const difference = largestDifference(found, state[part])
        if (!(difference < 1e-12)) t.fail(`step ${step}: ${part} of ${name} by ${difference}`)
        next[`${part}:${name}`] = { shape: feeds[`${part}:${name}`]!.shape, data: found }
      }
    }
    feeds = next
  }
})

t.test('a gradient below the limit is not scaled', async (t) => {
  const setup = languageModel()
  const { grads } = await gradientsOf(setup)
  const norm = Math.hypot(...[...grads.values()].flat())
  const m = async (clipNorm: number) => {
    const graph = buildStepGraph({ ...setup.options, adam: { ...adam, clipNorm } })
    const runner = await createGraphRunner(graph)
    const feeds: Record<string, Feed> = { ...setup.feeds }
    for (const name of setup.names) {
      feeds[`m:${name}`] = zeros(feeds[`param:${name}`]!)
      feeds[`v:${name}`] = zeros(feeds[`param:${name}`]!)
    }
    for (const name of ['step_size', 'second_moment_scale', 'weight_keep'])
      feeds[name] = { shape: [], data: [1] }
    const outputs = await runner.run(only(graph, feeds))
    runner.dispose()
    return outputs['m_out:model.norm.weight']!
  }
  const grad = grads.get('model.norm.weight')!
  const first = (scale: number) => grad.map((g) => (1 - adam.beta1) * scale * g)
  t.ok(largestDifference(await m(norm * 2), first(1)) < 1e-12, 'a limit above the norm')
  t.ok(largestDifference(await m(0), first(1)) < 1e-12, 'no limit')
  t.ok(largestDifference(await m(norm / 4), first(0.25)) < 1e-5, 'a limit below the norm')
})
