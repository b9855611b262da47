/**
 * The attribute model's engine: token rows in, one score per attribute out. Rows of similar length
 * share a run (right-padded; the graph reads each row's last real token), results come back in the
 * order of the call.
 */

import { uniformPositions } from '../arch/index.ts'
import { fail } from '../errors.ts'
import { createTensor, Session, type Device } from '../ort/index.ts'
import { planDevice } from './device-plan.ts'
import { runSettings } from './run-settings.ts'
import { buildScoreModel } from './serving-models.ts'

export interface Scorer {
  /** Scores per row. */
  readonly attributes: number
  /** Longest row, in tokens. */
  readonly maxLength: number
  /** One array of `attributes` scores for each row. Fails with BAD_REQUEST or CONTEXT_TOO_LONG
   * before anything runs. Calls may overlap; they run one after another. */
  score(rows: readonly (readonly number[])[]): Promise<Float32Array[]>
  /** Waits for the calls made so far. */
  dispose(): Promise<void>
}

export interface ScorerOptions {
  modelDir: string
  /** Threads of one run; by default one for each core. */
  threads?: number
  /** Default `cpu`. */
  device?: Device
}

/** Rows and padded tokens of one run, at most. One longer row still runs, alone. */
const BATCH_ROWS = 16
const BATCH_TOKENS = 4096

/** Cuts rows, longest first, into batches of row indices. The first index has the longest row. */
export function planBatches(lengths: readonly number[]): number[][] {
  const order = lengths.map((_, i) => i).toSorted((a, b) => lengths[b]! - lengths[a]! || a - b)
  const batches: number[][] = []
  for (const index of order) {
    const batch = batches.at(-1)
    const padded = batch ? lengths[batch[0]!]! * (batch.length + 1) : 0
    if (batch && batch.length < BATCH_ROWS && padded <= BATCH_TOKENS) batch.push(index)
    else batches.push([index])
  }
  return batches
}

/** Loads an attribute model. The caller disposes the scorer. */
export async function createScorer(options: ScorerOptions): Promise<Scorer> {
  const { modelDir, device = 'cpu' } = options
  const built = await buildScoreModel(modelDir, await planDevice(modelDir, device))
  const { model, weightsDirectory, config, attributes } = built
  const run = { ...runSettings(options.threads), device }
  const session = await Session.create({ model, weightsDirectory, ...run })
  const limits = { vocabSize: config.vocabSize, maxLength: uniformPositions(config) }
  let tail: Promise<unknown> = Promise.resolve()
  let disposed = false

  const scoreAll = async (rows: readonly (readonly number[])[]): Promise<Float32Array[]> => {
    const results: Float32Array[] = Array.from({ length: rows.length })
    for (const batch of planBatches(rows.map((row) => row.length))) {
      const batchRows = batch.map((index) => rows[index]!)
      const scores = await runBatch(session, batchRows, attributes)
      batch.forEach((index, i) => {
        results[index] = scores.slice(i * attributes, (i + 1) * attributes)
      })
    }
    return results
  }

  return {
    attributes,
    maxLength: limits.maxLength,
    async score(rows) {
      if (disposed) fail('CANCELLED', 'the scorer is disposed')
      checkRows(rows, limits)
      const result = tail.then(() => scoreAll(rows))
      tail = result.catch(() => {})
      return result
    },
    async dispose() {
      if (disposed) return
      disposed = true
      await tail
      session.dispose()
    },
  }
}

export function checkRows(
  rows: readonly (readonly number[])[],
  limits: { vocabSize: number; maxLength: number },
): void {
  rows.forEach((row, i) => {
    if (row.length === 0) fail('BAD_REQUEST', `row ${i}: expected at least 1 token, got 0`)
    if (row.length > limits.maxLength) {
      fail(
        'CONTEXT_TOO_LONG',
        `row ${i} has ${row.length} tokens, the context holds ${limits.maxLength}`,
      )
    }
    for (const token of row) {
      if (Number.isInteger(token) && token >= 0 && token < limits.vocabSize) continue
      fail(
        'BAD_REQUEST',
        `row ${i}: expected token ids from 0 to ${limits.vocabSize - 1}, got ${token}`,
      )
    }
  })
}

/** `ids` int64 [B, S], right-padded with token 0, and `lengths` int32 [B]. */
export function padRows(rows: readonly (readonly number[])[]) {
  const width = rows.reduce((longest, row) => Math.max(longest, row.length), 0)
  const ids = new BigInt64Array(rows.length * width)
  rows.forEach((row, r) => row.forEach((token, i) => (ids[r * width + i] = BigInt(token))))
  return {
    width,
    ids: createTensor('int64', [rows.length, width], ids),
    lengths: createTensor(
      'int32',
      [rows.length],
      Int32Array.from(rows, (row) => row.length),
    ),
  }
}

/** Scores [rows, A] of one padded batch. */
async function runBatch(
  session: Session,
  rows: readonly (readonly number[])[],
  attributes: number,
): Promise<Float32Array> {
  const { ids, lengths } = padRows(rows)
  const scores = new Float32Array(rows.length * attributes)
  const binding = session.createBinding()
  try {
    binding.bindInput('input_ids', ids)
    binding.bindInput('lengths', lengths)
    binding.bindOutput('scores', createTensor('float32', [rows.length, attributes], scores))
    await session.run(binding)
    return scores
  } finally {
    binding.dispose()
  }
}
