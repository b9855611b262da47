/** GET /v1/models, /v1/models/:id, /health and /ready. */
import { z } from 'zod'
import { AttributeSpec } from './attributes.ts'

export const Model = z.strictObject({
  id: z.string(),
  object: z.literal('model'),
  /** Seconds since 1970. */
  created: z.int(),
  owned_by: z.literal('steerlm'),
  kind: z.enum(['language-model', 'attribute-model']),
  /** Prompt and reply together, in tokens. */
  context_length: z.int(),
  /** What the model is steered by, or what it predicts. */
  attributes: z.array(AttributeSpec),
  /** The attribute model that measures this model's replies. */
  attribute_model: z.string().nullable(),
  /** Of an adapter: the served model that it belongs to. */
  parent: z.string().nullable(),
  /** The number of a published version; null: the model is not published. */
  version: z.int().nullable(),
  /** The aliases of this version. */
  aliases: z.array(z.string()),
})
export type Model = z.infer<typeof Model>

export const ModelList = z.strictObject({ object: z.literal('list'), data: z.array(Model) })
export type ModelList = z.infer<typeof ModelList>

export const Health = z.strictObject({ status: z.literal('ok') })
export type Health = z.infer<typeof Health>

export const Readiness = z.strictObject({
  status: z.enum(['ready', 'starting']),
  models: z.array(z.strictObject({ id: z.string(), ready: z.boolean() })),
})
export type Readiness = z.infer<typeof Readiness>
