/** `trainModel` from outside: what it refuses, resuming, evaluation, the regression head. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { architectureOf, openModel, parseModelConfig } from '../../src/arch/index.ts'
import { HEAD_BIAS, HEAD_WEIGHT } from '../../src/training/train-graph.ts'
import type { TrainRows } from '../../src/training/train-model.ts'
import {
  referenceLogits,
  referenceStates,
  logProbabilities,
} from '../fixtures/reference-decoder.ts'
import { tinyConfig, writeTinyCheckpoint } from '../fixtures/tiny-checkpoint.ts'
import { longContextFamily } from '../fixtures/tiny-families.ts'
import { drawRows, tokenRows, train } from '../fixtures/train-tiny.ts'

const config = parseModelConfig(tinyConfig, 'tiny')
const base = { config }
const row = (tokens: number[], first = 1) => ({
  tokens,
  lossMask: Uint8Array.from(tokens, (_, j) => Number(j >= first)),
})

t.test('rows that do not fit are refused before any work, with their number', async (t) => {
  const workDir = join(t.testdir(), 'work')
  const rows = (...train: ReturnType<typeof row>[]) => tokenRows([row([1, 2]), ...train])
  const long = Array<number>(34).fill(3)
  const run = (given: TrainRows, changes = {}) =>
    train({ base, rows: given, workDir, hyper: changes })
  await t.rejects(run(rows(row(long))), {
    code: 'ROW_TOO_LONG',
    detail: 'row 2 has 34 tokens; at most 33 fit (--max-tokens)',
  })
  await t.rejects(run(rows(row([1, 2, 3, 4])), { maxTokens: 2 }), {
    code: 'ROW_TOO_LONG',
    detail: /row 2 has 4 tokens; at most 3/,
  })
  await t.rejects(run(tokenRows([row([1, 2])], [row(long)])), { code: 'ROW_TOO_LONG' })
  await t.rejects(run(rows(row([1, 2], 2))), {
    code: 'BAD_RECORD',
    detail: 'row 2: no token counts in the loss',
  })
  await t.rejects(run(rows(row([1, 32]))), {
    code: 'BAD_RECORD',
    detail: 'row 2: token 32; the vocabulary has 32 tokens',
  })
  await t.rejects(run(tokenRows([])), { code: 'BAD_RECORD', detail: /no rows/ })
  await t.rejects(train({ base, rows: rows(), workDir, lora: { rank: 2, alpha: 4 } }), {
    code: 'BAD_ARGUMENT',
    detail: /--lora: needs a base checkpoint/,
  })
  await t.resolves(run(rows(row(long.slice(1))), { maxSteps: 1 }), 'the longest row that fits')
})

t.test('a loss that is no number stops with the rows and keeps the last checkpoint', async (t) => {
  const dir = t.testdir()
  const workDir = join(dir, 'work')
  const rows = tokenRows(drawRows(6))
  const hyper = { batchSize: 2, lr: 1e30, clipNorm: 0, weightDecay: 0 }
  await t.rejects(train({ base, rows, workDir, hyper, checkpointEvery: 1 }), {
    code: 'LOSS_NOT_FINITE',
    detail: /^step 2: loss .*, rows 3, 4; the last checkpoint is kept$/,
  })
  t.same(await readdir(workDir), ['step-00000001'])
})

t.test('a broken weight of the base is found at the first step', async (t) => {
  const dir = t.testdir()
  await writeTinyCheckpoint(dir, {
    change: (params) => void (params.get('model.norm.weight')![3] = NaN),
  })
  const broken = await openModel(dir)
  t.teardown(() => broken.checkpoint.close())
  const run = train({ base: broken, rows: tokenRows(drawRows(3)), workDir: join(dir, 'work') })
  await t.rejects(run, { code: 'LOSS_NOT_FINITE', detail: /^step 1: .*rows 1, 2, 3;/ })
})

const bits = (tensors: ReadonlyMap<string, Float32Array>) =>
  [...tensors].map(([name, data]) => [name, Buffer.from(data.buffer).toString('base64')])

t.test('a training that was stopped goes on to the same bits', async (t) => {
  const dir = t.testdir()
  const rows = tokenRows(drawRows(22), drawRows(4, 'validation'))
  const options = {
    base,
    rows,
    hyper: { maxSteps: 12, shuffle: true, lrSchedule: 'cosine', warmupSteps: 3 },
    checkpointEvery: 5,
    evalEvery: 4,
  } as const
  const whole = await train({ ...options, workDir: join(dir, 'whole') })
  t.same(
    whole.result.evaluations.map(({ step }) => step),
    [4, 8, 12],
  )
  for (const stopAfter of [2, 7, 10]) {
    const workDir = join(dir, `stopped-${stopAfter}`)
    const abort = new AbortController()
    const onStep = ({ step }: { step: number }) => void (step === stopAfter && abort.abort())
    const first = train({ ...options, workDir, onStep, signal: abort.signal })
    await t.rejects(first, {
      code: 'CANCELLED',
      detail: `stopped after step ${stopAfter}; --resume continues`,
    })
    const rest = await train({ ...options, workDir, resume: true })
    t.same(rest.steps.map(({ step }) => step)[0], stopAfter + 1)
    t.same(rest.losses, whole.losses.slice(stopAfter))
    t.same(rest.result, whole.result, 'mean loss and evaluations too')
    t.same(bits(rest.tensors), bits(whole.tensors))
  }
})

t.test('resuming with other settings is refused and names them', async (t) => {
  const workDir = join(t.testdir(), 'work')
  const rows = tokenRows(drawRows(8))
  await train({ base, rows, workDir, checkpointEvery: 2, identity: { data: 'a' } })
  const again = (hyper: object, identity: object) =>
    train({ base, rows, workDir, resume: true, hyper, identity: { ...identity } })
  await t.rejects(again({ lr: 0.5, seed: 9 }, { data: 'a' }), {
    code: 'BAD_ARGUMENT',
    detail: "--resume: these settings differ from the checkpoint's: lr, seed",
  })
  await t.rejects(again({}, { data: 'b' }), { code: 'BAD_ARGUMENT', detail: /: data$/ })
  await t.rejects(again({ maxSteps: 9 }, { data: 'a' }), {
    code: 'BAD_ARGUMENT',
    detail: /: maxSteps, totalSteps$/,
  })
  t.same(
    (await again({}, { data: 'a' })).steps.map(({ step }) => step),
    [3, 4],
  )
})

t.test('a training from the start does not leave an earlier one’s checkpoints', async (t) => {
  const workDir = join(t.testdir(), 'work')
  const rows = tokenRows(drawRows(8))
  await train({ base, rows, workDir, checkpointEvery: 3, hyper: { maxSteps: 8 } })
  t.same(await readdir(workDir), ['step-00000003', 'step-00000006'])
  const hyper = { maxSteps: 5, lr: 0.5 }
  const second = await train({ base, rows, workDir, checkpointEvery: 2, hyper })
  t.same(await readdir(workDir), ['step-00000002', 'step-00000004'])
  const resumed = await train({ base, rows, workDir, resume: true, hyper })
  t.same(bits(resumed.tensors), bits(second.tensors))
})

t.test('without a number of steps the epochs decide', async (t) => {
  const rows = tokenRows(drawRows(10))
  let total = 0
  const { losses } = await train({
    base,
    rows,
    workDir: join(t.testdir(), 'work'),
    hyper: { maxSteps: 0, epochs: 1.5, batchSize: 4 },
    onStart: (steps) => (total = steps),
  })
  t.equal(losses.length, 5, '10 rows are 3 steps an epoch')
  t.equal(total, 5)
})

t.test('the first loss and the validation loss are means over the counted tokens', async (t) => {
  const dir = t.testdir()
  await writeTinyCheckpoint(dir)
  const opened = await openModel(dir)
  t.teardown(() => opened.checkpoint.close())
  const { params } = await writeTinyCheckpoint(join(dir, 'copy'))
  const [trained, validation] = [drawRows(4), drawRows(6, 'validation')]
  const meanLoss = (rows: typeof trained) => {
    const losses = rows.flatMap(({ tokens, lossMask }) => {
      const logits = referenceLogits(opened.config, params, tokens)
      return tokens.flatMap((token, j) =>
        j > 0 && lossMask[j] ? [-logProbabilities(logits[j - 1]!)[token]!] : [],
      )
    })
    return losses.reduce((sum, loss) => sum + loss, 0) / losses.length
  }
  const { losses, result } = await train({
    base: opened,
    rows: tokenRows(trained, validation),
    workDir: join(dir, 'work'),
    hyper: { maxSteps: 1, lr: 0 },
    evalEvery: 1,
  })
  t.ok(Math.abs(losses[0]! - meanLoss(trained)) < 1e-4, `${losses[0]} ${meanLoss(trained)}`)
  const found = result.evaluations[0]!.loss
  t.ok(Math.abs(found - meanLoss(validation)) < 1e-4, `${found} ${meanLoss(validation)}`)
})

t.test('an attribute head learns labels, the missing ones do not pull', async (t) => {
  const dir = t.testdir()
  await writeTinyCheckpoint(dir)
  const opened = await openModel(dir)
  t.teardown(() => opened.checkpoint.close())
  const scored = drawRows(8).map(({ tokens }, i) => ({
    tokens,
    labels: [i % 5, i % 2 ? NaN : 4 - (i % 5)],
  }))
  const trained = await train({
    base: opened,
    rows: { kind: 'regression', head: { bias: [2, 2] }, train: scored, validation: [] },
    hyper: { maxSteps: 150, lr: 0.01, batchSize: 8, weightDecay: 0 },
    workDir: join(dir, 'work'),
  })
  t.ok(trained.losses.at(-1)! < 0.02, `loss ${trained.losses.at(-1)}`)
  t.same(trained.shapes.get(HEAD_WEIGHT), [2, 32])
  const [weight, bias] = [trained.tensors.get(HEAD_WEIGHT)!, trained.tensors.get(HEAD_BIAS)!]
  for (const { tokens, labels } of scored) {
    const state = referenceStates(opened.config, trained.tensors, tokens).at(-1)!
    labels.forEach((label, a) => {
      if (Number.isNaN(label)) return
      const score = state.reduce((sum, x, i) => sum + x * weight[a * 32 + i]!, bias[a]!)
      t.ok(Math.abs(score - label) < 0.7, `${score} for ${label}`)
    })
  }
})

t.test('the head starts at the given bias and trains beside adapters', async (t) => {
  const dir = t.testdir()
  await writeTinyCheckpoint(dir, { config: { tie_word_embeddings: false } })
  const opened = await openModel(dir)
  t.teardown(() => opened.checkpoint.close())
  const labelled = drawRows(4).map(({ tokens }) => ({ tokens, labels: [3] }))
  const run = (bias: number[], lora?: { rank: number; alpha: number }) =>
    train({
      base: opened,
      rows: { kind: 'regression', head: { bias }, train: labelled, validation: [] },
      hyper: { maxSteps: 2 },
      workDir: join(dir, 'work'),
      lora,
    })
  t.equal((await run([3])).losses[0], 0, 'labels equal to the bias')
  const { losses, adapter, tensors } = await run([1], { rank: 2, alpha: 4 })
  t.equal(losses[0], 4)
  t.notOk(
    [...adapter!.tensors.keys()].some((name) => name.startsWith('head.')),
    'the adapter is LoRA only',
  )
  t.ok(tensors.has(HEAD_WEIGHT), 'the head is among the trained tensors')
  t.ok(tensors.get(HEAD_BIAS)![0]! > 1, 'and was trained')
})

t.test('a random model has the published deviations', async (t) => {
  const { tensors } = await train({
    base,
    rows: tokenRows(drawRows(4)),
    workDir: join(t.testdir(), 'work'),
    hyper: { maxSteps: 1, lr: 0 },
  })
  const deviation = (name: string) => {
    const data = tensors.get(name)!
    return Math.sqrt(data.reduce((sum, x) => sum + x * x, 0) / data.length)
  }
  t.same([...tensors.keys()], [...architectureOf(config).weights(config).keys()])
  t.ok(Math.abs(deviation('model.layers.0.mlp.up_proj.weight') - 0.02) < 0.002)
  // Two layers write into the residual stream twice each: 0.02 / √4.
  t.ok(Math.abs(deviation('model.layers.0.mlp.down_proj.weight') - 0.01) < 0.001)
  t.ok(tensors.get('model.norm.weight')!.every((value) => value === 1))
})

t.test('an attribute model of a LongRoPE base learns from rows that can be scored', async (t) => {
  const dir = t.testdir()
  await writeTinyCheckpoint(join(dir, 'base'), { config: longContextFamily })
  const base = await openModel(join(dir, 'base'))
  t.teardown(() => base.checkpoint.close())
  const scored = [{ tokens: [1, 2, 3], labels: [1] }]
  const run = (maxTokens: number) =>
    train({
      base,
      rows: { kind: 'regression', head: { bias: [0] }, train: scored, validation: [] },
      hyper: { maxSteps: 1, maxTokens },
      workDir: join(dir, `work-${maxTokens}`),
    })
  t.equal((await run(8)).losses.length, 1)
  const wanted = '--max-tokens 9: attribute models of this base score 8'
  await t.rejects(run(9), { code: 'BAD_ARGUMENT', detail: wanted })
})
