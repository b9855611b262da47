/** POST /v1/decisions: OpenAI's questions about an input, answered with probabilities. */
import { z } from 'zod'
import { ResponseUsage } from './responses.ts'

const part = z.strictObject({ type: z.enum(['input_text', 'output_text']), text: z.string() })
const text = z.union([z.string(), z.array(part)])

export const DecisionMessage = z.strictObject({
  type: z.literal('message').nullish(),
  role: z.enum(['system', 'developer', 'user', 'assistant']),
  content: text,
  phase: z.string().nullish(),
})
export type DecisionMessage = z.infer<typeof DecisionMessage>

const head = { name: z.string().max(256).nullish(), instructions: text }
const description = z.string().max(1000).nullish()

/** How likely it is that the answer is yes. */
const Predicate = z.strictObject({ type: z.literal('predicate'), ...head })

const Choice = z.strictObject({
  type: z.literal('choice'),
  ...head,
  /** `true` and `"true"` are the same text here; choices have to differ. */
  choices: z
    .array(
      z.strictObject({ value: z.union([z.string().min(1).max(200), z.boolean()]), description }),
    )
    .min(2)
    .max(26),
})

/**
 * Rates on ordered levels. A `name` that the attribute model declares is answered by it, for an input that ends with
 * the reply to be rated; then the levels may be left out.
 */
const Score = z.strictObject({
  type: z.literal('score'),
  ...head,
  levels: z
    .array(z.strictObject({ label: z.string().min(1).max(200), description }))
    .min(2)
    .max(10)
    .nullish(),
})

export const DecisionQuestion = z.discriminatedUnion('type', [Predicate, Choice, Score])
export type DecisionQuestion = z.infer<typeof DecisionQuestion>

export const DecisionRequest = z.strictObject({
  model: z.string(),
  /** A text, or a conversation. */
  input: z.union([
    z.string(),
    z.array(DecisionMessage).min(1, { error: 'expected at least 1 message' }),
  ]),
  questions: z.array(DecisionQuestion).min(1).max(64),
  safety_identifier: z.string().nullish(),
  prompt_cache_key: z.string().nullish(),
})
export type DecisionRequest = z.infer<typeof DecisionRequest>

const named = { name: z.string().nullable() }
const confidence = { confidence: z.number() }

/** In the order of the questions. `confidence` is the probability of the likeliest answer. */
export const DecisionAnswer = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('predicate'), ...named, probability: z.number() }),
  z.strictObject({
    type: z.literal('choice'),
    ...named,
    choice: z.union([z.string(), z.boolean()]),
    ...confidence,
    probabilities: z.array(
      z.strictObject({ value: z.union([z.string(), z.boolean()]), probability: z.number() }),
    ),
  }),
  z.strictObject({
    type: z.literal('score'),
    ...named,
    /** The mean of the levels' indices, weighted by their probabilities. */
    score: z.number(),
    ...confidence,
    /** `value`: the level's index, from 0. */
    probabilities: z.array(
      z.strictObject({ label: z.string(), value: z.int(), probability: z.number() }),
    ),
  }),
])
export type DecisionAnswer = z.infer<typeof DecisionAnswer>

export const Decision = z.strictObject({
  model: z.string(),
  answers: z.array(DecisionAnswer),
  usage: ResponseUsage,
})
export type Decision = z.infer<typeof Decision>
