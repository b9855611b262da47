import t from 'tap'
import { createBatchStream, rowOfTokenRecord } from '../../src/datasets/batches.ts'
import type { Batch, BatchOptions, TokenRow } from '../../src/datasets/batches.ts'

/** Rows 1, 2, … with distinct tokens and growing, mixed lengths. */
const rows: TokenRow[] = Array.from({ length: 11 }, (_, i) =>
  rowOfTokenRecord({
    tokens: Array.from({ length: 2 + ((i * 5) % 11) }, (_, j) => i * 100 + j),
    first_loss_token: 1,
  }),
)
const options: BatchOptions = { batchSize: 3, seed: 1, maxTokens: 64 }

function take(stream: { next(): Batch }, count: number): Batch[] {
  return Array.from({ length: count }, () => stream.next())
}

t.test('a batch holds inputs, next tokens, weights and padding', async (t) => {
  const made = createBatchStream(
    [
      { tokens: [5, 6, 7, 8], lossMask: [0, 0, 1, 1] },
      { tokens: [9, 10], lossMask: [1, 1] },
    ],
    { ...options, shuffle: false, padId: 2, padToMultiple: 4 },
  )
  t.same(made.next(), {
    inputIds: BigInt64Array.of(5n, 6n, 7n, 2n, 9n, 2n, 2n, 2n),
    targets: BigInt64Array.of(6n, 7n, 8n, 0n, 10n, 0n, 0n, 0n),
    weights: Float32Array.of(0, 1, 1, 0, 1, 0, 0, 0),
    rows: 2,
    lengthTokens: 4,
    countedTokens: 3,
    realTokens: 4,
    rowIndices: [0, 1],
  })
})

t.test('every epoch has every row once, in another order', async (t) => {
  for (const bucketBatches of [0, 2]) {
    const stream = createBatchStream(rows, { ...options, bucketBatches })
    t.equal(stream.batchesPerEpoch, 4)
    const epochs = [take(stream, 4), take(stream, 4)].map((batches) =>
      batches.flatMap((batch) => batch.rowIndices),
    )
    for (const order of epochs) {
      t.same(
        [...order].sort((a, b) => a - b),
        rows.map((_, i) => i),
      )
    }
    t.notSame(epochs[0], epochs[1])
  }
})

t.test('without shuffling the order is that of the file, in every epoch', async (t) => {
  const stream = createBatchStream(rows, { ...options, shuffle: false })
  const order = take(stream, 8).flatMap((batch) => batch.rowIndices)
  t.same(order, [...rows.keys(), ...rows.keys()])
})

t.test('the seed decides the order', async (t) => {
  const first = (seed: number): Batch => createBatchStream(rows, { ...options, seed }).next()
  t.same(first(1), first(1))
  t.notSame(first(1).rowIndices, first(2).rowIndices)
})

t.test('a saved position continues exactly', async (t) => {
  for (const bucketBatches of [0, 3]) {
    const stream = createBatchStream(rows, { ...options, bucketBatches })
    for (let done = 0; done < 9; done++) {
      const position = JSON.parse(JSON.stringify(stream.position()))
      const resumed = createBatchStream(rows, { ...options, bucketBatches })
      resumed.seek(position)
      t.same(resumed.position(), stream.position())
      const expected = stream.next()
      t.same(resumed.next(), expected)
      t.same(resumed.position(), stream.position())
    }
    t.throws(() => stream.seek({ epoch: 0, index: 4 }), { code: 'BAD_FILE' })
    t.throws(() => stream.seek({ epoch: -1, index: 0 }), { code: 'BAD_FILE' })
  }
})

t.test('bucketing by length needs less padding', async (t) => {
  const many: TokenRow[] = Array.from({ length: 200 }, (_, i) =>
    rowOfTokenRecord({
      tokens: Array.from({ length: 2 + ((i * 37) % 60) }, () => 1),
      first_loss_token: 1,
    }),
  )
  const padding = (bucketBatches: number): number => {
    const stream = createBatchStream(many, { ...options, batchSize: 8, bucketBatches })
    return take(stream, 25).reduce(
      (sum, batch) => sum + batch.rows * batch.lengthTokens - batch.realTokens,
      0,
    )
  }
  t.ok(padding(10) < padding(0) / 3)
})

t.test('the last, smaller batch can be left out', async (t) => {
  const stream = createBatchStream(rows, { ...options, dropLast: true })
  t.equal(stream.batchesPerEpoch, 3)
  t.same(
    take(stream, 6).map((batch) => batch.rows),
    [3, 3, 3, 3, 3, 3],
  )
  t.throws(() => createBatchStream(rows, { ...options, batchSize: 12, dropLast: true }), {
    code: 'BAD_ARGUMENT',
  })
})

t.test('rows that cannot be trained on are named', async (t) => {
  const make = (row: TokenRow): unknown => createBatchStream([...rows, row], options)
  t.throws(() => make({ tokens: new Int32Array(65), lossMask: new Uint8Array(65) }), {
    code: 'ROW_TOO_LONG',
    detail: /row 12 has 65 tokens; the limit is 64/,
  })
  t.throws(() => make({ tokens: [1, 2, 3], lossMask: [1, 0, 0] }), {
    code: 'BAD_RECORD',
    detail: /row 12: none/,
  })
  t.throws(() => make({ tokens: [1], lossMask: [1] }), { code: 'BAD_RECORD' })
  t.throws(() => make({ tokens: [1, 2], lossMask: [1] }), { code: 'BAD_RECORD' })
  t.throws(() => createBatchStream([], options), { code: 'BAD_RECORD' })
  t.throws(() => createBatchStream(rows, { ...options, batchSize: 0 }), { code: 'BAD_ARGUMENT' })
})
