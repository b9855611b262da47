/** How the scores of an attribute model relate to ratings; part of `steerlm.json`. */
import { z } from 'zod'

const point = z.tuple([z.number(), z.number()])

export const AttributeCalibration = z.strictObject({
  /** `none`: no map did better than the scores themselves. */
  method: z.enum(['none', 'linear', 'isotonic']),
  /** Score and calibrated value, both rising; between them a straight line, beyond them slope 1. */
  points: z.array(point).min(1),
  /** Calibrated value and the standard deviation of ratings around it; constant beyond the ends. */
  spread: z.array(z.tuple([z.number(), z.number().positive()])).min(1),
  /** Rated replies that it was fitted on. */
  rows: z.int().positive(),
  /**
   * In levels: |mean predicted − mean rated| over ten bins of equally many replies, weighted. `after`: each half was
   * calibrated by the other.
   */
  error: z.strictObject({ before: z.number(), after: z.number() }),
  /** |mean confidence − share of ratings at the predicted level| over ten bins, likewise. */
  confidence_error: z.number(),
})
export type AttributeCalibration = z.infer<typeof AttributeCalibration>

/** By attribute; one that too few replies were rated for is absent. */
export const Calibration = z.record(z.string(), AttributeCalibration)
export type Calibration = z.infer<typeof Calibration>
