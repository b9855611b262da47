import t from 'tap'
import { createRowSource, epochBatches, stepsPerEpoch } from '../../src/training/row-source.ts'
import type { Feed } from '../../src/training/train-session.ts'

interface Row {
  readonly id: number
  readonly size: number
}

/** A feed that only remembers its rows. */
const feedOf = (rows: readonly Row[], counted: number): Feed => ({
  ids: {
    type: 'float32',
    dims: [rows.length],
    data: Float32Array.from(rows, ({ id }) => id),
  },
  counted: { type: 'float32', dims: [], data: Float32Array.of(counted) },
})

function options(count: number, changes: Partial<Parameters<typeof createRowSource<Row>>[0]> = {}) {
  return {
    rows: Array.from({ length: count }, (_, id) => ({ id, size: 1 + ((id * 37) % 50) })),
    batchSize: 8,
    accumulate: 1,
    seed: 3,
    shuffle: true,
    counted: (row: Row) => row.size - 1,
    length: (row: Row) => row.size,
    feed: feedOf,
    ...changes,
  }
}

const idsOf = (feeds: readonly Feed[]) => feeds.map(({ ids }) => [...(ids!.data as Float32Array)])

t.test('every row comes once an epoch, in another order each time', async (t) => {
  const given = options(300)
  const epochs = [0, 1].map((epoch) => epochBatches(given, epoch))
  for (const batches of epochs) {
    t.equal(batches.length, stepsPerEpoch(300, 8))
    t.same(
      batches.flat().sort((a, b) => a - b),
      given.rows.map(({ id }) => id),
    )
  }
  t.notSame(epochs[0], epochs[1])
  t.same(epochs[0], epochBatches(options(300), 0), 'the seed decides')
  t.notSame(epochs[0], epochBatches(options(300, { seed: 4 }), 0))
})

t.test('rows of about equal length come together', async (t) => {
  const given = options(300)
  const spread = (batches: number[][]) =>
    batches.reduce((sum, batch) => {
      const sizes = batch.map((id) => given.rows[id]!.size)
      return sum + Math.max(...sizes) - Math.min(...sizes)
    }, 0) / batches.length
  const [mixed, sorted] = [
    spread(epochBatches(options(300, { shuffle: false }), 0)),
    spread(epochBatches(given, 0)),
  ]
  t.ok(sorted < mixed / 3, `mean difference of lengths ${sorted}, unsorted ${mixed}`)
})

t.test('without shuffling rows come in file order, epoch after epoch', async (t) => {
  const source = createRowSource(options(5, { shuffle: false, batchSize: 2 }))
  const steps = [await source.next(), await source.next(), await source.next(), await source.next()]
  t.same(
    steps.map(({ feeds }) => idsOf(feeds).flat()),
    [[0, 1], [2, 3], [4], [0, 1]],
  )
  t.same(
    steps.map(({ rows }) => rows),
    ['1, 2', '3, 4', '5', '1, 2'],
  )
  // Sizes are 1, 38, 25, 12, 49.
  t.same(
    steps.map(({ tokens }) => tokens),
    [39, 37, 49, 39],
  )
  t.same(
    steps.map(({ counted }) => counted),
    [37, 35, 48, 37],
  )
})

t.test('micro-batches split a step and share its weight', async (t) => {
  const source = createRowSource(options(7, { shuffle: false, batchSize: 5, accumulate: 2 }))
  const [first, second] = [await source.next(), await source.next()]
  t.same(idsOf(first.feeds), [
    [0, 1, 2],
    [3, 4],
  ])
  t.same(idsOf(second.feeds), [[5], [6]])
  for (const { feeds, counted } of [first, second])
    for (const feed of feeds) t.same([...(feed.counted!.data as Float32Array)], [counted])
})

t.test('a saved position goes on with the same steps, over the end of an epoch', async (t) => {
  const source = createRowSource(options(30))
  for (let i = 0; i < 3; i++) await source.next()
  const position = JSON.parse(JSON.stringify(source.position())) as unknown
  const rest = [await source.next(), await source.next(), await source.next()]
  const again = createRowSource(options(30))
  again.restore(position)
  for (const step of rest) t.same((await again.next()).rows, step.rows)
})

t.test('no rows are an error', async (t) => {
  t.throws(() => createRowSource(options(0)), { code: 'BAD_RECORD', detail: /no rows/ })
})
