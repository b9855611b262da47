/**
 * Data rows, one JSON object per line (NDJSON): conversations with rated replies, replies in order of preference, and
 * raw token rows.
 */
import { z } from 'zod'
import { attributeNamePattern } from './attributes.ts'

export const Role = z.enum(['system', 'user', 'assistant'])
export type Role = z.infer<typeof Role>

const attributeName = z.string().max(64).regex(attributeNamePattern)
/** Far beyond any scale, and small enough that sums and squares of them stay numbers. */
const value = z.number().min(-1e9).max(1e9)
const values = z.record(attributeName, value)

/** One turn. Only an assistant turn carries attributes; a missing attribute is unknown, not zero. */
export const Message = z
  .strictObject({
    role: Role,
    content: z.string(),
    /** Means of raters or predicted values; fractions allowed. */
    attributes: values.optional(),
    /** The values of the single raters. */
    ratings: z.record(attributeName, z.array(value)).optional(),
    /** Generated data only: the levels the text was written for. Never used in training. */
    truth: values.optional(),
  })
  .refine(
    (message) =>
      message.role === 'assistant' || !(message.attributes ?? message.ratings ?? message.truth),
    { error: 'only an assistant message may carry attributes, ratings or truth' },
  )
export type Message = z.infer<typeof Message>

/**
 * A conversation: an optional system message first, then user and assistant turns.
 * The order of the turns is free otherwise (a story may open with the assistant).
 */
export const ConversationRecord = z
  .strictObject({
    id: z.string().max(256).optional(),
    messages: z.array(Message).min(1),
    meta: z.record(z.string(), z.unknown()).optional(),
  })
  .refine((record) => record.messages.every((m, index) => m.role !== 'system' || index === 0), {
    error: 'a system message may only stand first',
    path: ['messages'],
  })
export type ConversationRecord = z.infer<typeof ConversationRecord>

/** A row of token ids; the tokens from index `first_loss_token` on are targets that count. */
export const TokenRecord = z
  .strictObject({
    tokens: z.array(z.int().nonnegative()).min(2),
    first_loss_token: z.int().nonnegative(),
  })
  .refine((record) => record.first_loss_token < record.tokens.length, {
    error: 'first_loss_token must be an index into tokens',
    path: ['first_loss_token'],
  })
export type TokenRecord = z.infer<typeof TokenRecord>

/**
 * Replies to one prompt in the order of preference that people gave them. Two replies are a pair; the K·(K−1)/2 pairs
 * of K ranked replies are those with different ranks.
 */
export const PreferenceRecord = z
  .strictObject({
    id: z.string().max(256).optional(),
    /** The prompt: what all the replies answer. */
    messages: z.array(Message).min(1),
    replies: z
      .array(
        z.strictObject({
          content: z.string(),
          /** 0 is the best; equal ranks are a tie. */
          rank: z.number().min(0).max(1e6),
          attributes: values.optional(),
          ratings: z.record(attributeName, z.array(value)).optional(),
        }),
      )
      .min(2)
      .max(64),
    /** How much better the best is than the worst, in the units of the data (HelpSteer2 and 3: 0 … 3). */
    strength: z.number().min(0).max(1e9).optional(),
    meta: z.record(z.string(), z.unknown()).optional(),
  })
  .refine((record) => record.messages.every((m, index) => m.role !== 'system' || index === 0), {
    error: 'a system message may only stand first',
    path: ['messages'],
  })
export type PreferenceRecord = z.infer<typeof PreferenceRecord>

export const DatasetKind = z.enum(['conversations', 'preferences', 'tokens'])
export type DatasetKind = z.infer<typeof DatasetKind>

/** `manifest.json` beside the records of a stored data set. */
export const DatasetManifest = z.strictObject({
  name: z.string(),
  kind: DatasetKind,
  rows: z.int().nonnegative(),
  /** Of `records.ndjson`, hex. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** Rows of the source that were not valid; the first 100,000 stand in `quarantine.ndjson` with the reason. */
  quarantined: z.int().nonnegative(),
  /** Per attribute: rated assistant turns, their mean and standard deviation (of the population). */
  attributes: z.record(
    z.string(),
    z.strictObject({ count: z.int(), mean: z.number(), sd: z.number() }),
  ),
  source: z.record(z.string(), z.unknown()),
  createdAt: z.string(),
})
export type DatasetManifest = z.infer<typeof DatasetManifest>

const LengthStats = z.strictObject({
  min: z.number(),
  mean: z.number(),
  median: z.number(),
  p95: z.number(),
  max: z.number(),
})

/** `stats.json` beside the records: `DatasetStats` of `src/datasets/dataset-stats.ts`, and what they are of. */
export const StoredStats = z.strictObject({
  /** Of the records that were counted; the manifest says the same. */
  sha256: z.string(),
  stats: z.strictObject({
    conversations: z.int(),
    assistantTurns: z.int(),
    ratedTurns: z.int(),
    attributes: z.record(
      z.string(),
      z.strictObject({
        count: z.int(),
        missing: z.int(),
        mean: z.number(),
        sd: z.number(),
        histogram: z.record(z.string(), z.int()),
        otherLevels: z.int(),
      }),
    ),
    correlations: z.record(z.string(), z.record(z.string(), z.number().nullable())),
    replyCharacters: LengthStats.nullable(),
    messagesPerConversation: LengthStats.nullable(),
  }),
})
export type StoredStats = z.infer<typeof StoredStats>
