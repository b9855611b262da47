/** /v1/keys and /v1/usage. */
import { z } from 'zod'

/** What a key may do; `admin` may do everything, and alone may manage keys. */
export const Scope = z.enum(['generate', 'predict', 'data', 'jobs', 'models', 'npcs', 'admin'])
export type Scope = z.infer<typeof Scope>

const limit = z.int().min(1).max(1_000_000_000)

export const CreateKeyRequest = z.strictObject({
  /** For people; need not be unique. */
  name: z.string().min(1).max(200),
  scopes: z.array(Scope).min(1),
  /** Seconds since 1970; unset: the key does not expire. */
  expires_at: z.int().min(0).nullish(),
  requests_per_minute: limit.nullish(),
  /** Prompt and completion tokens together. */
  tokens_per_minute: limit.nullish(),
})
export type CreateKeyRequest = z.infer<typeof CreateKeyRequest>

export const Key = z.strictObject({
  id: z.string(),
  object: z.literal('key'),
  name: z.string(),
  /** The first characters of the key, to tell keys apart. */
  prefix: z.string(),
  scopes: z.array(Scope),
  requests_per_minute: z.int().nullable(),
  tokens_per_minute: z.int().nullable(),
  /** Times are in seconds since 1970. */
  created_at: z.int(),
  expires_at: z.int().nullable(),
  revoked_at: z.int().nullable(),
  /** Written some seconds late. */
  last_used_at: z.int().nullable(),
})
export type Key = z.infer<typeof Key>

export const CreatedKey = z.strictObject({
  ...Key.shape,
  /** The key itself, shown this once; the server keeps a hash. */
  key: z.string(),
})
export type CreatedKey = z.infer<typeof CreatedKey>

export const KeyList = z.strictObject({ object: z.literal('list'), data: z.array(Key) })
export type KeyList = z.infer<typeof KeyList>

const day = z.iso.date({ error: 'expected a day such as 2026-11-24' })

export const UsageQuery = z.strictObject({
  key_id: z.guid({ error: 'expected the id of a key' }).optional(),
  /** First and last day (UTC), both included. */
  from: day.optional(),
  to: day.optional(),
})
export type UsageQuery = z.infer<typeof UsageQuery>

export const UsageRow = z.strictObject({
  object: z.literal('usage'),
  key_id: z.string(),
  /** UTC. */
  day: z.string(),
  requests: z.int(),
  prompt_tokens: z.int(),
  completion_tokens: z.int(),
})
export type UsageRow = z.infer<typeof UsageRow>

export const UsageList = z.strictObject({ object: z.literal('list'), data: z.array(UsageRow) })
export type UsageList = z.infer<typeof UsageList>
