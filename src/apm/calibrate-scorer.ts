/** Scores rated replies and fits the calibration of the model that scored them. */
import type { AttributeSet } from '../../schemas/attributes.ts'
import type { Calibration } from '../../schemas/calibration.ts'
import { createScorer } from '../engine/index.ts'
import { fitCalibration } from './fit-calibration.ts'

export interface RatedTokens {
  readonly prompt: string
  /** The conversation as the attribute model reads it. */
  readonly tokens: readonly number[]
  /** One for each attribute, NaN where not rated. */
  readonly labels: readonly number[]
}

/** `modelDir` needs weights, head and config only. Rows must be unknown to the model. */
export async function calibrateScorer(
  modelDir: string,
  rows: readonly RatedTokens[],
  { attributes, threads }: { attributes: AttributeSet; threads?: number },
): Promise<Calibration> {
  const scorer = await createScorer({ modelDir, threads })
  try {
    const scores = await scorer.score(rows.map(({ tokens }) => tokens))
    const rated = rows.map(({ prompt, labels }, i) => ({
      prompt,
      scores: scores[i]!,
      ratings: labels,
    }))
    return fitCalibration(rated, attributes)
  } finally {
    await scorer.dispose()
  }
}
