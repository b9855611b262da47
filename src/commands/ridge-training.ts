/** `train apm --method ridge`: the head alone, by ridge regression on the states of the base as it is. */
import type { TrainedModel, TrainRows } from '../training/train-model.ts'
import { fitRidge, type RidgeFit, type RidgeRow } from '../apm/ridge.ts'
import { lazyEmbedder } from '../engine/index.ts'
import { fail } from '../errors.ts'
import { HEAD_BIAS, HEAD_WEIGHT } from '../training/train-graph.ts'
import { createProgress } from '../util/progress.ts'
import { createPausePoint } from '../util/work-host.ts'
import type { RatedRow } from './training-rows.ts'

export interface RidgeOptions {
  readonly name: string
  /** Folder of the base. */
  readonly dir: string
  readonly rows: TrainRows
  readonly seed: number
  readonly threads?: number
}

/** Rows between two reports of progress. */
const CHUNK = 256

export interface RidgeTraining {
  /** `loss`: the squared error in the cross-validation, the mean over attributes. */
  readonly trained: TrainedModel
  /** Penalty and errors by attribute, for the model's card. */
  readonly chosen: RidgeFit['chosen']
}

/** Fails BAD_ARGUMENT on other losses than regression, CONTEXT_TOO_LONG on a row that the base cannot read. */
export async function trainRidge(options: RidgeOptions): Promise<RidgeTraining> {
  const { rows, seed } = options
  if (rows.kind !== 'regression')
    return fail('BAD_ARGUMENT', '--method ridge: is for --loss regression')
  if (rows.train.length === 0) fail('BAD_RECORD', 'the data set has no rated replies to train on')
  const attributes = rows.head.bias.length
  const features = await statesOf(options, rows.train)
  const fitted = fitRidge(
    rows.train.map((row, i): RidgeRow => ({ ...(row as RatedRow), features: features[i]! })),
    attributes,
    { seed },
  )
  const { weight, bias, chosen } = fitted
  const known = chosen.filter(({ error }) => Number.isFinite(error))
  const loss = known.reduce((sum, { error }) => sum + error, 0) / known.length
  const tensors = new Map([
    [HEAD_WEIGHT, weight],
    [HEAD_BIAS, bias],
  ])
  const shapes = new Map([
    [HEAD_WEIGHT, [attributes, weight.length / attributes]],
    [HEAD_BIAS, [attributes]],
  ])
  return { trained: { tensors, shapes, result: { steps: 0, loss, evaluations: [] } }, chosen }
}

/** The last token's state of every row, as the head of an attribute model reads it. */
async function statesOf(
  { name, dir, threads }: RidgeOptions,
  rows: readonly { readonly tokens: readonly number[] }[],
): Promise<Float32Array[]> {
  const embedder = lazyEmbedder({ modelDir: dir, threads })
  const progress = createProgress({ label: `train ${name}`, total: rows.length, unit: 'rows' })
  const pause = createPausePoint()
  // Rows of about equal length share a batch.
  const order = rows
    .map((_, i) => i)
    .sort((a, b) => rows[a]!.tokens.length - rows[b]!.tokens.length)
  const states: Float32Array[] = Array.from({ length: rows.length })
  try {
    for (let begin = 0; begin < order.length; begin += CHUNK) {
      await pause()
      const chunk = order.slice(begin, begin + CHUNK)
      const vectors = await embedder.embed(
        chunk.map((i) => rows[i]!.tokens),
        { pooling: 'last', unit: false },
      )
      chunk.forEach((i, n) => (states[i] = vectors[n]!))
      progress.update(Math.min(order.length, begin + CHUNK))
    }
    return states
  } finally {
    progress.stop()
    await embedder.dispose()
  }
}
