/**
 * Token rows → training batches: a seeded order per epoch, right padding, next-token targets and weights.
 * The order of an epoch follows from seed and epoch number alone, so a position is two numbers and a resumed run
 * sees exactly the batches of an uninterrupted one.
 */
import type { TokenRecord } from '../../schemas/records.ts'
import { fail } from '../errors.ts'
import { createRandom } from '../util/random.ts'

/** A row of ids; lossMask[j] = 1: tokens[j] is a target that counts. Same length, at least 2. */
export interface TokenRow {
  tokens: ArrayLike<number>
  lossMask: ArrayLike<number>
}

/** One step's input. B rows of S positions; position j of a row reads tokens[j] and predicts tokens[j + 1]. */
export interface Batch {
  /** [B, S], padded at the right with `padId`. */
  inputIds: BigInt64Array
  /** [B, S]; 0 where there is nothing to predict. */
  targets: BigInt64Array
  /** [B, S]; lossMask[j + 1], 0 in the padding. */
  weights: Float32Array
  /** B. */
  rows: number
  /** S. */
  lengthTokens: number
  /** Positions with weight 1; at least 1 per row. */
  countedTokens: number
  /** Positions that are not padding. */
  realTokens: number
  /** Which of the rows given these are. */
  rowIndices: number[]
}

/** The next batch to come out: its number within its epoch, both from 0. */
export interface BatchPosition {
  epoch: number
  index: number
}

export interface BatchOptions {
  batchSize: number
  seed: number | string
  /** Rows with more tokens fail ROW_TOO_LONG. */
  maxTokens: number
  /** Default true; false keeps the order of the rows in every epoch. */
  shuffle?: boolean
  padId?: number
  /** S is rounded up to a multiple of this. Default 1. */
  padToMultiple?: number
  /**
   * Less padding: within windows of this many batches rows are sorted by length, then the batches are shuffled.
   * 0 (default): off. Needs `shuffle`.
   */
  bucketBatches?: number
  /** Leaves out the last, smaller batch of an epoch. Default false. */
  dropLast?: boolean
}

/** Endless: after the last batch of an epoch comes the first of the next. */
export interface BatchStream {
  readonly batchesPerEpoch: number
  next(): Batch
  /** Of the batch that `next` will give. Save it in a checkpoint. */
  position(): BatchPosition
  /** Goes to a saved position. Fails BAD_FILE when this stream has no such position. */
  seek(position: BatchPosition): void
}

/** Checks all rows first: fails ROW_TOO_LONG or BAD_RECORD naming the row (1-based). */
export function createBatchStream(rows: readonly TokenRow[], options: BatchOptions): BatchStream {
  checkOptions(options)
  checkRows(rows, options.maxTokens)
  const { batchSize, dropLast = false } = options
  const exact = rows.length / batchSize
  const batchesPerEpoch = dropLast ? Math.floor(exact) : Math.ceil(exact)
  if (batchesPerEpoch === 0) {
    fail('BAD_ARGUMENT', `batch size ${batchSize}: there are only ${rows.length} rows`)
  }
  let epoch = 0
  let index = 0
  let order = epochBatches(rows, options, epoch)
  return {
    batchesPerEpoch,
    next() {
      const batch = buildBatch(rows, order[index]!, options)
      index += 1
      if (index === batchesPerEpoch) {
        index = 0
        epoch += 1
        order = epochBatches(rows, options, epoch)
      }
      return batch
    },
    position: () => ({ epoch, index }),
    seek(position) {
      const { epoch: e, index: i } = position
      if (!(
        Number.isInteger(e) &&
        e >= 0 &&
        Number.isInteger(i) &&
        i >= 0 &&
        i < batchesPerEpoch
      )) {
        fail('BAD_FILE', `batch position: epoch ${e}, batch ${i} of ${batchesPerEpoch}`)
      }
      epoch = e
      index = i
      order = epochBatches(rows, options, epoch)
    },
  }
}

/** The row of a token record: every token from `first_loss_token` on counts. */
export function rowOfTokenRecord(record: TokenRecord): TokenRow {
  const lossMask = new Uint8Array(record.tokens.length).fill(1, record.first_loss_token)
  return { tokens: Int32Array.from(record.tokens), lossMask }
}

function checkOptions(options: BatchOptions): void {
  const whole = (name: string, value: number, least: number): void => {
    if (!Number.isInteger(value) || value < least) {
      fail('BAD_ARGUMENT', `${name}: expected a whole number from ${least}, got ${value}`)
    }
  }
  whole('batch size', options.batchSize, 1)
  whole('maximum row length', options.maxTokens, 2)
  whole('padding multiple', options.padToMultiple ?? 1, 1)
  whole('bucket batches', options.bucketBatches ?? 0, 0)
}

function checkRows(rows: readonly TokenRow[], maxTokens: number): void {
  if (rows.length === 0) fail('BAD_RECORD', 'there are no rows to train on')
  rows.forEach(({ tokens, lossMask }, at) => {
    const row = `row ${at + 1}`
    if (tokens.length > maxTokens) {
      fail('ROW_TOO_LONG', `${row} has ${tokens.length} tokens; the limit is ${maxTokens}`)
    }
    if (tokens.length < 2 || lossMask.length !== tokens.length) {
      fail('BAD_RECORD', `${row}: ${tokens.length} tokens with ${lossMask.length} mask values`)
    }
    // The first token has no position that predicts it.
    for (let j = 1; j < lossMask.length; j++) if (lossMask[j]) return
    fail('BAD_RECORD', `${row}: none of its ${tokens.length} tokens counts in the loss`)
  })
}

/** The row numbers of every batch of an epoch. */
function epochBatches(rows: readonly TokenRow[], options: BatchOptions, epoch: number): number[][] {
  const { batchSize, shuffle = true, bucketBatches = 0, dropLast = false } = options
  const order = rows.map((_, index) => index)
  const random = createRandom(options.seed).fork(`epoch ${epoch}`)
  if (shuffle) random.shuffle(order)
  const bucketed = shuffle && bucketBatches > 1
  const sorted = bucketed ? sortWithin(rows, order, bucketBatches * batchSize) : order
  const batches: number[][] = []
  for (let at = 0; at < sorted.length; at += batchSize) {
    batches.push(sorted.slice(at, at + batchSize))
  }
  if (dropLast && batches.at(-1)!.length < batchSize) batches.pop()
  return bucketed ? random.shuffle(batches) : batches
}

/** Sorts each window of the order by row length; equal lengths keep their shuffled order. */
function sortWithin(rows: readonly TokenRow[], order: readonly number[], window: number): number[] {
  const sorted: number[] = []
  for (let at = 0; at < order.length; at += window) {
    const part = order.slice(at, at + window)
    sorted.push(...part.sort((a, b) => rows[a]!.tokens.length - rows[b]!.tokens.length))
  }
  return sorted
}

function buildBatch(
  rows: readonly TokenRow[],
  rowIndices: readonly number[],
  { padId = 0, padToMultiple = 1 }: BatchOptions,
): Batch {
  const longest = Math.max(...rowIndices.map((index) => rows[index]!.tokens.length - 1))
  const S = Math.ceil(longest / padToMultiple) * padToMultiple
  const size = rowIndices.length * S
  const inputIds = new BigInt64Array(size).fill(BigInt(padId))
  const targets = new BigInt64Array(size)
  const weights = new Float32Array(size)
  let countedTokens = 0
  let realTokens = 0
  rowIndices.forEach((rowIndex, b) => {
    const { tokens, lossMask } = rows[rowIndex]!
    for (let j = 0; j + 1 < tokens.length; j++) {
      inputIds[b * S + j] = BigInt(tokens[j]!)
      targets[b * S + j] = BigInt(tokens[j + 1]!)
      const counts = lossMask[j + 1] ? 1 : 0
      weights[b * S + j] = counts
      countedTokens += counts
    }
    realTokens += tokens.length - 1
  })
  const shape = { rows: rowIndices.length, lengthTokens: S }
  const indices = [...rowIndices]
  return { inputIds, targets, weights, ...shape, countedTokens, realTokens, rowIndices: indices }
}
