/** Token rows as the arrays of the training graphs: right padding, counted positions, weights. */
import type { Feed } from './train-session.ts'

/** A row of tokens; `lossMask[j]` = 1 where tokens[j] is a target that counts. */
export interface TokenRow {
  readonly tokens: readonly number[]
  readonly lossMask: Uint8Array
}

/** Right-padded [B, S] ids with token 0; S is a multiple of `multiple`. */
function padIds(rows: readonly (readonly number[])[], multiple: number) {
  const longest = Math.max(...rows.map((row) => row.length))
  const S = Math.ceil(longest / multiple) * multiple
  const data = new BigInt64Array(rows.length * S)
  rows.forEach((row, r) => row.forEach((token, j) => (data[r * S + j] = BigInt(token))))
  return { ids: { type: 'int64' as const, dims: [rows.length, S], data }, S }
}

/**
 * Inputs are each row but its last token, targets each but its first. Every counted target weighs
 * 1 / `counted`, the number of counted targets in the whole optimizer step.
 */
export function languageModelFeed(rows: readonly TokenRow[], counted: number, multiple = 1): Feed {
  const { ids, S } = padIds(
    rows.map(({ tokens }) => tokens.slice(0, -1)),
    multiple,
  )
  const positions: bigint[] = []
  const targets: bigint[] = []
  rows.forEach(({ tokens, lossMask }, r) => {
    for (let j = 1; j < tokens.length; j++) {
      if (!lossMask[j]) continue
      positions.push(BigInt(r * S + j - 1))
      targets.push(BigInt(tokens[j]!))
    }
  })
  const dims = [targets.length]
  return {
    input_ids: ids,
    loss_positions: { type: 'int64', dims, data: BigInt64Array.from(positions) },
    targets: { type: 'int64', dims, data: BigInt64Array.from(targets) },
    loss_weights: {
      type: 'float32',
      dims,
      data: new Float32Array(targets.length).fill(1 / counted),
    },
  }
}

/** Targets that count in a row: the first token is never one. */
export const countedTargets = ({ lossMask }: TokenRow): number =>
  lossMask.reduce((sum, bit, j) => sum + (j > 0 ? bit : 0), 0)

/** A conversation with its labels; NaN where an attribute is not rated. */
export interface ScoredRow {
  readonly tokens: readonly number[]
  readonly labels: readonly number[]
  /** What each label weighs in the loss; absent: 1. */
  readonly weights?: readonly number[]
}

const known = (value: number) => !Number.isNaN(value)

const weightOf = ({ labels, weights }: ScoredRow, a: number): number =>
  known(labels[a]!) ? (weights?.[a] ?? 1) : 0

/** Ids and the position of every row's last token. */
function rowInputs(rows: readonly (readonly number[])[], multiple: number) {
  const { ids, S } = padIds(rows, multiple)
  const last = BigInt64Array.from(rows, (tokens, r) => BigInt(r * S + tokens.length - 1))
  const last_positions = { type: 'int64' as const, dims: [rows.length], data: last }
  return { input_ids: ids, last_positions }
}

/** Every known label weighs its weight / `counted`, the sum of these weights over the optimizer step. */
export function regressionFeed(rows: readonly ScoredRow[], counted: number, multiple = 1): Feed {
  const labels = rows.flatMap((row) => row.labels)
  const weights = rows.flatMap((row) => row.labels.map((_, a) => weightOf(row, a) / counted))
  const dims = [rows.length, labels.length / rows.length]
  return {
    ...rowInputs(
      rows.map(({ tokens }) => tokens),
      multiple,
    ),
    labels: { type: 'float32', dims, data: Float32Array.from(labels, (v) => (known(v) ? v : 0)) },
    label_weights: { type: 'float32', dims, data: Float32Array.from(weights) },
  }
}

export const knownLabels = (row: ScoredRow): number =>
  row.labels.reduce((sum, _, a) => sum + weightOf(row, a), 0)

/** One pair of a prompt's replies, by their indices. */
export interface RankedPair {
  readonly chosen: number
  readonly rejected: number
  /** By how much the chosen reward should exceed the other. */
  readonly margin: number
  readonly weight: number
}

/** The replies to one prompt, whole conversations each, and their pairs: one element of a batch. */
export interface RankedRow {
  readonly replies: readonly (readonly number[])[]
  readonly pairs: readonly RankedPair[]
}

/** Every pair weighs its weight / `counted`, the number of prompts in the optimizer step. */
export function rankingFeed(rows: readonly RankedRow[], counted: number, multiple = 1): Feed {
  const replies = rows.flatMap((row) => row.replies)
  let start = 0
  const pairs = rows.flatMap((row) => {
    const offset = start
    start += row.replies.length
    return row.pairs.map((pair) => ({ ...pair, offset }))
  })
  const dims = [pairs.length]
  const index = (of: (pair: (typeof pairs)[number]) => number) =>
    BigInt64Array.from(pairs, (pair) => BigInt(of(pair)))
  const chosen = index(({ chosen: reply, offset }) => offset + reply)
  const rejected = index(({ rejected: reply, offset }) => offset + reply)
  const margins = Float32Array.from(pairs, ({ margin }) => margin)
  const weights = Float32Array.from(pairs, ({ weight }) => weight / counted)
  return {
    ...rowInputs(replies, multiple),
    chosen: { type: 'int64', dims, data: chosen },
    rejected: { type: 'int64', dims, data: rejected },
    first: { type: 'int64', dims, data: new BigInt64Array(pairs.length) },
    margins: { type: 'float32', dims: [pairs.length, 1], data: margins },
    pair_weights: { type: 'float32', dims, data: weights },
  }
}
