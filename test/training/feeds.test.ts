import { join } from 'node:path'
import t from 'tap'
import { parseModelConfig } from '../../src/arch/index.ts'
import {
  countedTargets,
  knownLabels,
  languageModelFeed,
  regressionFeed,
} from '../../src/training/feeds.ts'
import type { Feed } from '../../src/training/train-session.ts'
import { tinyConfig } from '../fixtures/tiny-checkpoint.ts'
import { train } from '../fixtures/train-tiny.ts'

const shown = (feed: Feed) =>
  Object.fromEntries(
    Object.entries(feed).map(([name, { type, dims, data }]) => [
      name,
      { type, dims, data: Array.from(data as ArrayLike<number | bigint>, Number) },
    ]),
  )

const rows = [
  { tokens: [11, 12, 13, 14, 15], lossMask: Uint8Array.of(1, 0, 0, 1, 1) },
  { tokens: [21, 22, 23], lossMask: Uint8Array.of(0, 1, 0) },
]

t.test('a token row gives inputs without its last token and the targets that count', async (t) => {
  t.same(shown(languageModelFeed(rows, 4)), {
    input_ids: { type: 'int64', dims: [2, 4], data: [11, 12, 13, 14, 21, 22, 0, 0] },
    // Targets 14 and 15 are predicted at tokens 2 and 3 of row 0, 22 at token 0 of row 1.
    loss_positions: { type: 'int64', dims: [3], data: [2, 3, 4] },
    targets: { type: 'int64', dims: [3], data: [14, 15, 22] },
    loss_weights: { type: 'float32', dims: [3], data: [0.25, 0.25, 0.25] },
  })
})

t.test('rows may be padded to a multiple', async (t) => {
  const feed = languageModelFeed(rows, 3, 3)
  t.same(feed.input_ids!.dims, [2, 6])
  t.same(shown(feed).loss_positions!.data, [2, 3, 6])
})

t.test('the first token is never a target', async (t) => {
  t.same(rows.map(countedTargets), [2, 1])
  t.equal(countedTargets({ tokens: [1, 2], lossMask: Uint8Array.of(1, 0) }), 0)
})

t.test(
  'scored rows give last positions, labels, and weights of zero where none is known',
  async (t) => {
    const scored = [
      { tokens: [11, 12, 13], labels: [4, NaN] },
      { tokens: [21], labels: [0, 2.5] },
    ]
    t.same(scored.map(knownLabels), [1, 2])
    t.same(shown(regressionFeed(scored, 4)), {
      input_ids: { type: 'int64', dims: [2, 3], data: [11, 12, 13, 21, 0, 0] },
      last_positions: { type: 'int64', dims: [2], data: [2, 3] },
      labels: { type: 'float32', dims: [2, 2], data: [4, 0, 0, 2.5] },
      label_weights: { type: 'float32', dims: [2, 2], data: [0.25, 0, 0.25, 0.25] },
    })
  },
)

t.test('longer neighbours and other tokens behind a row do not change its loss', async (t) => {
  const dir = t.testdir()
  const config = parseModelConfig(tinyConfig, 'tiny')
  const row = { tokens: [1, 2, 3, 4, 5], lossMask: Uint8Array.of(0, 0, 1, 1, 1) }
  const lossOf = async (name: string, neighbours: number[][]) => {
    // The neighbours' own targets are one each; what they add is taken off by a run without the row.
    const silent = neighbours.map((tokens) => ({
      tokens,
      lossMask: Uint8Array.from(tokens, (_, j) => Number(j === 1)),
    }))
    const run = async (part: string, list: typeof silent) => {
      const { losses } = await train({
        base: { config },
        rows: { kind: 'lm', train: list, validation: [] },
        hyper: { maxSteps: 1 },
        workDir: join(dir, name + part),
      })
      return losses[0]! * list.reduce((sum, r) => sum + countedTargets(r), 0)
    }
    const alone = silent.length ? await run('b', silent) : 0
    return (await run('a', [row, ...silent])) - alone
  }
  const alone = await lossOf('alone', [])
  const beside = await lossOf('beside', [
    [9, 9, 9, 9, 9, 9, 9, 9, 9, 9],
    [7, 7],
  ])
  t.ok(Math.abs(alone - beside) < 1e-5, `${alone} alone, ${beside} beside others`)
})
