/**
 * The three graph kinds of one architecture compute the same numbers: decode (prefill, then token by
 * token over a cache), score and train, each against the equations on plain float64 numbers. Heads
 * of 8 are rotated before the attention kernel, heads of 16 by it. The tolerance 2e-5 relative to
 * max(1, |value|) is float32 rounding through two layers.
 */
import { join } from 'node:path'
import t from 'tap'
import { architectureOf } from '../../src/arch/architectures.ts'
import { fileWeights } from '../../src/arch/weights.ts'
import { buildScoreModel } from '../../src/engine/serving-models.ts'
import { createTensor, Session } from '../../src/ort/index.ts'
import { languageModelFeed } from '../../src/training/feeds.ts'
import { freshState } from '../../src/training/initial-state.ts'
import { TrainSession } from '../../src/training/train-session.ts'
import { createRandom } from '../../src/util/random.ts'
import { openCheckpoint } from '../../src/weights/checkpoint.ts'
import { writeSafetensors } from '../../src/weights/safetensors-writer.ts'
import { largestDifference } from '../fixtures/nd-array.ts'
import { logProbabilities, referenceLogits, referenceStates } from '../fixtures/reference-llama.ts'
import { openDecoder } from '../fixtures/run-decode.ts'
import { writeTinyCheckpoint, type RawConfig } from '../fixtures/tiny-checkpoint.ts'

const TOLERANCE = 2e-5
const random = createRandom('rows')
const draw = (length: number) => Array.from({ length }, () => random.int(32))
const rows = [draw(9), draw(4), draw(6)]

const llama3 = {
  rope_type: 'llama3',
  factor: 4,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 16,
}
const shapes: Readonly<Record<string, RawConfig>> = {
  'heads of 8': {},
  'heads of 16': { head_dim: 16 },
  'one KV head for each head, biases, own output head': {
    num_key_value_heads: 4,
    attention_bias: true,
    mlp_bias: true,
    tie_word_embeddings: false,
  },
  'heads of 16, llama3 positions': { head_dim: 16, rope_theta: 100, rope_scaling: llama3 },
  'heads of 8, llama3 positions': { rope_theta: 100, rope_scaling: llama3 },
}

for (const [name, config] of Object.entries(shapes)) {
  t.test(`decode, ${name}: a prompt in one piece, in two, and token by token`, async (t) => {
    const dir = t.testdir()
    const tiny = await writeTinyCheckpoint(dir, { config })
    const row = rows[0]!
    const wanted = referenceLogits(tiny.config, tiny.params, row)
    const decoder = await openDecoder(dir, 1, 16)
    t.teardown(() => decoder.dispose())
    const every = row.map((_, i) => i)
    const whole = await decoder.feed([row], [row.length], every)
    t.ok(largestDifference(whole, wanted.flat()) < TOLERANCE, 'all logits of one prefill')
    const some = await decoder.feed([row], [row.length], [8, 2])
    t.ok(largestDifference(some, [wanted[8]!, wanted[2]!].flat()) < TOLERANCE, 'chosen positions')
    await decoder.feed([row.slice(0, 4)], [4], [3])
    const second = await decoder.feed([row.slice(4, 7)], [7], [0, 2])
    t.ok(largestDifference(second, [wanted[4]!, wanted[6]!].flat()) < TOLERANCE, 'second piece')
    for (const i of [7, 8]) {
      const single = await decoder.feed([[row[i]!]], [i + 1], [0])
      t.ok(largestDifference(single, wanted[i]!) < TOLERANCE, `token ${i}`)
    }
  })

  t.test(`decode, ${name}: rows of different lengths together`, async (t) => {
    const dir = t.testdir()
    const tiny = await writeTinyCheckpoint(dir, { config })
    const decoder = await openDecoder(dir, rows.length, 16)
    t.teardown(() => decoder.dispose())
    // Every row starts alone; the shorter ones stop earlier, by going on with other tokens later.
    for (let step = 0; step < 4; step++) {
      const tokens = rows.map((row) => [row[step]!])
      const logits = await decoder.feed(tokens, [step + 1, step + 1, step + 1], [0])
      const wanted = rows.flatMap((row) =>
        referenceLogits(tiny.config, tiny.params, row.slice(0, step + 1)).at(-1)!,
      )
      t.ok(largestDifference(logits, wanted) < TOLERANCE, `step ${step}`)
    }
    // Row 1 goes back two tokens while the others go on: totals 5, 3, 5.
    const [a, b, c] = rows as [number[], number[], number[]]
    const logits = await decoder.feed([[a[4]!], [7], [c[4]!]], [5, 3, 5], [0])
    const wanted = [a.slice(0, 5), [...b.slice(0, 2), 7], c.slice(0, 5)].flatMap((row) =>
      referenceLogits(tiny.config, tiny.params, row).at(-1)!,
    )
    t.ok(largestDifference(logits, wanted) < TOLERANCE, 'ragged step')
  })

  t.test(`score, ${name}: the head on each row's last real token`, async (t) => {
    const dir = t.testdir()
    const tiny = await writeTinyCheckpoint(dir, { config })
    const stream = createRandom('head')
    const weight = Float32Array.from({ length: 3 * 32 }, () => stream.normal())
    const bias = Float32Array.of(1, -2, 3)
    await writeSafetensors(join(dir, 'head.safetensors'), [
      { name: 'weight', dtype: 'F32', shape: [3, 32], data: weight },
      { name: 'bias', dtype: 'F32', shape: [3], data: bias },
    ])
    const { model, weightsDirectory, attributes } = await buildScoreModel(dir)
    t.equal(attributes, 3)
    const session = await Session.create({ model, weightsDirectory, intraOpThreads: 1 })
    t.teardown(() => session.dispose())
    const S = 11
    const ids = rows.flatMap((row) => Array.from({ length: S }, (_, i) => BigInt(row[i] ?? 5)))
    const lengths = Int32Array.from(rows, (row) => row.length)
    const binding = session.createBinding()
    binding.bindInput('input_ids', createTensor('int64', [3, S], BigInt64Array.from(ids)))
    binding.bindInput('lengths', createTensor('int32', [3], lengths))
    const scores = createTensor('float32', [3, 3])
    binding.bindOutput('scores', scores)
    await session.run(binding)
    const wanted = rows.flatMap((row) => {
      const state = referenceStates(tiny.config, tiny.params, row).at(-1)!
      return Array.from(bias, (offset, a) =>
        state.reduce((total, value, i) => total + value * weight[a * 32 + i]!, offset),
      )
    })
    t.ok(largestDifference(scores.data, wanted) < TOLERANCE, `${scores.data} ${wanted}`)
  })

  t.test(`train, ${name}: the loss of every single token`, async (t) => {
    const dir = t.testdir()
    const tiny = await writeTinyCheckpoint(dir, { config })
    const architecture = architectureOf(tiny.config)
    const checkpoint = await openCheckpoint(dir)
    const session = await TrainSession.create(
      {
        config: tiny.config,
        architecture,
        objective: { kind: 'lm' },
        trainables: new Map([['model.norm.weight', [32]]]),
        frozen: (b) => fileWeights(b, checkpoint),
        maxTokens: 16,
        adam: { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, clipNorm: 1 },
        weightDecay: 0,
        threads: 1,
        weightsDirectory: dir,
        accumulate: 1,
      },
      freshState(new Map([['model.norm.weight', tiny.params.get('model.norm.weight')!]])),
    )
    t.teardown(async () => {
      session.dispose()
      await checkpoint.close()
    })
    const row = rows[0]!
    const logits = referenceLogits(tiny.config, tiny.params, row)
    for (const j of [1, 4, 8]) {
      const mask = (length: number, set: number) =>
        Uint8Array.from({ length }, (_, i) => Number(i === set))
      const counted = { tokens: row, lossMask: mask(row.length, j) }
      const wanted = -logProbabilities(logits[j - 1]!)[row[j]!]!
      const alone = await session.evaluate(languageModelFeed([counted], 1))
      t.ok(Math.abs(alone - wanted) < TOLERANCE * Math.max(1, wanted), `token ${j}: ${alone}`)
      const silent = { tokens: draw(12), lossMask: new Uint8Array(12) }
      const padded = await session.evaluate(languageModelFeed([silent, counted], 1))
      t.ok(Math.abs(padded - alone) < 1e-5, `token ${j} beside a longer row: ${padded}`)
    }
  })
}

t.test('half-precision weights serve as the float32 numbers they stand for', async (t) => {
  for (const dtype of ['F16', 'BF16'] as const) {
    const dir = t.testdir({})
    const tiny = await writeTinyCheckpoint(dir, { dtype })
    const checkpoint = await openCheckpoint(dir)
    const rounded = new Map<string, Float32Array>()
    for (const name of tiny.params.keys())
      rounded.set(name, await checkpoint.tensors.get(name)!.file.readFloat32(name))
    await checkpoint.close()
    const decoder = await openDecoder(dir, 1, 16)
    const row = rows[2]!
    const logits = await decoder.feed([row], [row.length], [row.length - 1])
    decoder.dispose()
    const wanted = referenceLogits(tiny.config, rounded, row).at(-1)!
    t.ok(largestDifference(logits, wanted) < TOLERANCE, dtype)
    const unrounded = referenceLogits(tiny.config, tiny.params, row).at(-1)!
    t.ok(largestDifference(logits, unrounded) > TOLERANCE, `${dtype}: rounding is visible`)
  }
})
