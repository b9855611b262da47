/** The steering report: what `steerlm eval steering` writes. NaN (undefined figures) becomes null. */
import { z } from 'zod'

const figure = z.number().nullable()

/** A figure with its 95 % bootstrap interval over prompts. */
export const FigureWithInterval = z.strictObject({ value: figure, low: figure, high: figure })
export type FigureWithInterval = z.infer<typeof FigureWithInterval>

export const AttributeFigures = z.strictObject({
  spearman: FigureWithInterval,
  pearson: FigureWithInterval,
  /** Of achieved on requested; 1 is calibrated, 0 a dead dial. */
  slope: FigureWithInterval,
  /** Mean achieved at the highest requested level minus that at the lowest. */
  dynamicRange: FigureWithInterval,
  mae: FigureWithInterval,
  /** Share of replies at exactly the requested level, and at most one level off. */
  exact: figure,
  withinOne: figure,
  /** Share of neighbouring levels whose mean achieved value does not fall. */
  monotonicity: figure,
  /** Shares of prompts whose replies rise (τ-b > 0) and fall (slope < 0) with the request. */
  risingPrompts: figure,
  antiSteerable: figure,
  levels: z.array(z.strictObject({ level: z.number(), achieved: FigureWithInterval })),
})
export type AttributeFigures = z.infer<typeof AttributeFigures>

export const JudgeReport = z.strictObject({
  attributes: z.record(z.string(), AttributeFigures),
  /** leakage[i][j]: slope of achieved j on requested i while only i is varied. */
  leakage: z.array(z.array(figure)),
  /** Mean over i of |L_ii| / Σ_j |L_ij|; 1 is perfect. */
  disentanglement: figure,
  /** Spearman with the requested labels permuted against the replies. */
  shuffled: z.record(z.string(), figure),
  /** Spearman where the request stands in words in the user's message instead of the label line. */
  promptOnly: z.record(z.string(), figure).nullable(),
})
export type JudgeReport = z.infer<typeof JudgeReport>

export const SteeringSample = z.strictObject({
  attribute: z.string(),
  level: z.number(),
  prompt: z.string(),
  reply: z.string(),
})

export const SteeringReport = z.strictObject({
  settings: z.strictObject({
    model: z.string(),
    apm: z.string().nullable(),
    prompts: z.number(),
    attributes: z.array(z.string()),
    levels: z.array(z.number()),
    temperature: z.number(),
    others: z.enum(['random', 'default']),
    seed: z.number(),
    createdAt: z.string(),
  }),
  replies: z.number(),
  meanReplyWords: z.number(),
  /** Requested combinations that the training data did not hold; null where that is not known. */
  unseenCombinations: z.number().nullable(),
  /** By judge: `meters` are the true values of generated data, `apm` is the attribute model. */
  judges: z.record(z.string(), JudgeReport),
  samples: z.array(SteeringSample),
})
export type SteeringReport = z.infer<typeof SteeringReport>
