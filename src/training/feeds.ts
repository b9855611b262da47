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
}

/** Every known label weighs 1 / `counted`, the number of known labels in the optimizer step. */
export function regressionFeed(rows: readonly ScoredRow[], counted: number, multiple = 1): Feed {
  const { ids, S } = padIds(
    rows.map(({ tokens }) => tokens),
    multiple,
  )
  const last = rows.map(({ tokens }, r) => BigInt(r * S + tokens.length - 1))
  const flat = rows.flatMap(({ labels }) => labels)
  const dims = [rows.length, flat.length / rows.length]
  const known = (value: number) => !Number.isNaN(value)
  return {
    input_ids: ids,
    last_positions: { type: 'int64', dims: [rows.length], data: BigInt64Array.from(last) },
    labels: { type: 'float32', dims, data: Float32Array.from(flat, (v) => (known(v) ? v : 0)) },
    label_weights: {
      type: 'float32',
      dims,
      data: Float32Array.from(flat, (v) => (known(v) ? 1 / counted : 0)),
    },
  }
}

export const knownLabels = ({ labels }: ScoredRow): number =>
  labels.filter((value) => !Number.isNaN(value)).length
