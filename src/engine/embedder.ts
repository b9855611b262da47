/**
 * Token rows into vectors: the last layer's normed states, pooled, and of length 1 unless asked otherwise. Rows of similar
 * length share a run; a row's vector does not depend on its neighbours or the padding.
 */
import { uniformPositions } from '../arch/index.ts'
import { fail } from '../errors.ts'
import { createTensor, Session } from '../ort/index.ts'
import { runSettings } from './run-settings.ts'
import { checkRows, padRows, planBatches } from './scorer.ts'
import { buildHiddenModel } from './serving-models.ts'

export interface EmbedderOptions {
  modelDir: string
  /** Threads of one run; by default one for each core. */
  threads?: number
}

export interface PoolingOptions {
  /** The mean of all tokens' states, or the last one's. */
  pooling: 'mean' | 'last'
  /** Whether vectors get length 1 (unless false); the head of an attribute model reads states as they are. */
  unit?: boolean
  /** Ends the work after the batch under way. */
  signal?: AbortSignal
}

export interface LazyEmbedder {
  /** [H] for each row, in order. Fails BAD_REQUEST or CONTEXT_TOO_LONG before anything runs, CANCELLED. */
  embed(rows: readonly (readonly number[])[], options: PoolingOptions): Promise<Float32Array[]>
  /** Waits for the calls made so far. */
  dispose(): Promise<void>
}

type Loaded = Awaited<ReturnType<typeof load>>

/** Loads the model when it is first used: most models are never asked for vectors. */
export function lazyEmbedder(options: EmbedderOptions): LazyEmbedder {
  let loading: Promise<Loaded> | undefined
  let tail: Promise<unknown> = Promise.resolve()
  return {
    async embed(rows, pooling) {
      loading ??= load(options)
      const loaded = await loading.catch((error: unknown) => {
        loading = undefined // The next call may find what was missing.
        throw error
      })
      checkRows(rows, loaded.limits)
      const result = tail.then(() => embedAll(loaded, rows, pooling))
      tail = result.catch(() => {})
      return result
    },
    async dispose() {
      await tail
      const loaded = await loading?.catch(() => undefined)
      loaded?.session.dispose()
    },
  }
}

async function load({ modelDir, threads }: EmbedderOptions) {
  const { model, weightsDirectory, config } = await buildHiddenModel(modelDir)
  const session = await Session.create({ model, weightsDirectory, ...runSettings(threads) })
  const limits = { vocabSize: config.vocabSize, maxLength: uniformPositions(config) }
  return { session, limits, size: config.hiddenSize }
}

async function embedAll(
  { session, size }: Loaded,
  rows: readonly (readonly number[])[],
  { pooling, unit = true, signal }: PoolingOptions,
): Promise<Float32Array[]> {
  const vectors: Float32Array[] = Array.from({ length: rows.length })
  for (const batch of planBatches(rows.map((row) => row.length))) {
    if (signal?.aborted) fail('CANCELLED', 'by the client')
    const batchRows = batch.map((index) => rows[index]!)
    const { hidden, width } = await runBatch(session, batchRows, size)
    batch.forEach((index, r) => {
      const states = hidden.subarray(r * width * size, (r * width + batchRows[r]!.length) * size)
      const pooled = pooling === 'last' ? states.slice(-size) : meanOf(states, size)
      vectors[index] = unit ? normalised(pooled) : pooled
    })
  }
  return vectors
}

/** States [B, S, H] of one padded batch. */
async function runBatch(session: Session, rows: readonly (readonly number[])[], size: number) {
  const { ids, lengths, width } = padRows(rows)
  const hidden = new Float32Array(rows.length * width * size)
  const binding = session.createBinding()
  try {
    binding.bindInput('input_ids', ids)
    binding.bindInput('lengths', lengths)
    binding.bindOutput('hidden', createTensor('float32', [rows.length, width, size], hidden))
    await session.run(binding)
    return { hidden, width }
  } finally {
    binding.dispose()
  }
}

/** Of states [T, H] over T. */
function meanOf(states: Float32Array, size: number): Float32Array {
  const sums = new Float64Array(size)
  states.forEach((value, i) => (sums[i % size]! += value))
  const tokens = states.length / size
  return Float32Array.from(sums, (sum) => sum / tokens)
}

/** Divided by its Euclidean length. */
export function normalised(vector: Float32Array): Float32Array {
  const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0))
  return length === 0 ? vector : vector.map((value) => value / length)
}
