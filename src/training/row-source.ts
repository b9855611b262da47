/**
 * Rows in memory as an endless supply of optimizer steps: seeded order per epoch, length buckets
 * against padding, and a position {epoch, index} that a checkpoint can hold.
 */
import { fail } from '../errors.ts'
import { createRandom } from '../util/random.ts'
import type { StepBatch, StepSource } from './loop.ts'
import type { Feed } from './train-session.ts'

export interface RowSourceOptions<Row> {
  readonly rows: readonly Row[]
  /** Rows of one optimizer step; the last step of an epoch may have fewer. */
  readonly batchSize: number
  /** Micro-batches that a step is split into. */
  readonly accumulate: number
  readonly seed: number
  readonly shuffle: boolean
  /** Weight of a row in the step's mean: its counted targets or known labels. */
  readonly counted: (row: Row) => number
  readonly length: (row: Row) => number
  readonly feed: (rows: readonly Row[], counted: number) => Feed
}

/** Rows of about equal length come together: sorted within windows of this many batches. */
const WINDOW_BATCHES = 16

/** Row numbers of one epoch, batch by batch. */
export function epochBatches<Row>(options: RowSourceOptions<Row>, epoch: number): number[][] {
  const { rows, batchSize, shuffle, length } = options
  const order = rows.map((_, i) => i)
  const chunk = (list: readonly number[]) =>
    Array.from({ length: Math.ceil(list.length / batchSize) }, (_, i) =>
      list.slice(i * batchSize, (i + 1) * batchSize),
    )
  if (!shuffle) return chunk(order)
  const random = createRandom(options.seed).fork(`epoch ${epoch}`)
  random.shuffle(order)
  const window = batchSize * WINDOW_BATCHES
  for (let start = 0; start < order.length; start += window) {
    const part = order.slice(start, start + window)
    part.sort((a, b) => length(rows[a]!) - length(rows[b]!) || a - b)
    order.splice(start, part.length, ...part)
  }
  return random.shuffle(chunk(order))
}

/** Steps in one epoch. */
export const stepsPerEpoch = (rows: number, batchSize: number) => Math.ceil(rows / batchSize)

export function createRowSource<Row>(options: RowSourceOptions<Row>): StepSource {
  if (options.rows.length === 0) fail('BAD_RECORD', 'the data set has no rows to train on')
  let epoch = 0
  let index = 0
  let batches = epochBatches(options, epoch)
  return {
    async next(): Promise<StepBatch> {
      if (index === batches.length) {
        index = 0
        batches = epochBatches(options, ++epoch)
      }
      const numbers = batches[index++]!
      const rows = numbers.map((i) => options.rows[i]!)
      const counted = rows.reduce((sum, row) => sum + options.counted(row), 0)
      const size = Math.ceil(rows.length / options.accumulate)
      const parts = Array.from({ length: Math.ceil(rows.length / size) }, (_, i) =>
        rows.slice(i * size, (i + 1) * size),
      )
      return {
        feeds: parts.map((part) => options.feed(part, counted)),
        tokens: rows.reduce((sum, row) => sum + options.length(row), 0),
        counted,
        rows: numbers.map((i) => i + 1).join(', '),
      }
    },
    position: () => ({ epoch, index }),
    restore(position) {
      const saved = position as { epoch: number; index: number }
      epoch = saved.epoch
      index = saved.index
      batches = epochBatches(options, epoch)
    },
  }
}
