/** The steering report: what `steerlm eval steering` writes. NaN (undefined figures) becomes null. */
import { z } from 'zod'

const figure = z.number().nullable()
const count = z.int().nonnegative()

/** A figure with its 95 % bootstrap interval over prompts. */
export const FigureWithInterval = z.strictObject({ value: figure, low: figure, high: figure })
export type FigureWithInterval = z.infer<typeof FigureWithInterval>

/** Requested against achieved over the replies where this attribute was varied. */
export const AttributeFigures = z.strictObject({
  spearman: FigureWithInterval,
  pearson: FigureWithInterval,
  /** Of achieved on requested; 1 is calibrated, 0 a dead dial. */
  slope: FigureWithInterval,
  /** Mean achieved at the highest requested level minus that at the lowest. */
  dynamicRange: FigureWithInterval,
  mae: FigureWithInterval,
  /** Share of replies at exactly the requested level (achieved rounded), and at most one level off. */
  exact: FigureWithInterval,
  withinOne: FigureWithInterval,
  /** Share of neighbouring levels whose mean achieved value does not fall. */
  monotonicity: FigureWithInterval,
  /** Shares of prompts whose replies rise (τ-b > 0) and fall (slope < 0) with the request. */
  risingPrompts: FigureWithInterval,
  antiSteerable: FigureWithInterval,
  levels: z.array(z.strictObject({ level: z.number(), achieved: FigureWithInterval })),
})
export type AttributeFigures = z.infer<typeof AttributeFigures>

/** Replies and their mean absolute error over all requested attributes, not the varied one alone. */
const Feasibility = z.strictObject({ replies: count, mae: figure })

export const JudgeReport = z.strictObject({
  attributes: z.record(z.string(), AttributeFigures),
  /** leakage[i][j]: slope of achieved j on requested i while only i is varied. */
  leakage: z.array(z.array(FigureWithInterval)),
  /** Mean over i of |L_ii| / Σ_j |L_ij|; 1 is perfect, a dead dial counts 0. */
  disentanglement: FigureWithInterval,
  baselines: z.strictObject({
    /** Spearman with the requests permuted against the replies: mean and middle 95 % of permutations. */
    shuffled: z.record(z.string(), FigureWithInterval),
    /** The request in words in the user's message instead of the label line. */
    promptOnly: z
      .record(
        z.string(),
        z.strictObject({ spearman: FigureWithInterval, dynamicRange: FigureWithInterval }),
      )
      .nullable(),
  }),
  /** Replies to combinations that training held and did not hold; null where that is not known. */
  feasibility: z.strictObject({ seen: Feasibility, unseen: Feasibility }).nullable(),
})
export type JudgeReport = z.infer<typeof JudgeReport>

export const SteeringSample = z.strictObject({
  attribute: z.string(),
  level: z.number(),
  prompt: z.string(),
  reply: z.string(),
})
export type SteeringSample = z.infer<typeof SteeringSample>

export const SteeringReport = z.strictObject({
  settings: z.strictObject({
    model: z.string(),
    apm: z.string().nullable(),
    prompts: count,
    attributes: z.array(z.string()),
    levels: z.array(z.number()),
    temperature: z.number(),
    /** How the attributes that are not varied were chosen. */
    others: z.enum(['random', 'default']),
    seed: z.number(),
    promptOnlyPrompts: count,
    bootstrapRounds: count,
    createdAt: z.string(),
  }),
  replies: count,
  /** Replies that the end of the context cut off; they are measured as they are. */
  unfinishedReplies: count,
  meanReplyWords: z.number(),
  /** Mean words of the replies by varied attribute and level. */
  replyWords: z.record(
    z.string(),
    z.array(z.strictObject({ level: z.number(), words: z.number() })),
  ),
  /** Requested combinations against those in the training data; null where these are not known. */
  combinations: z
    .strictObject({
      requested: count,
      unseen: count,
      /** Some of the unseen, values in the order of the attributes. */
      examples: z.array(z.array(z.number())),
    })
    .nullable(),
  /** By judge: `meters` are the true values of generated data, `apm` is the attribute model. */
  judges: z.record(z.string(), JudgeReport),
  samples: z.array(SteeringSample),
})
export type SteeringReport = z.infer<typeof SteeringReport>
