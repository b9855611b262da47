/** GET /v1/attributes and POST /v1/attributes/predict. */
import { z } from 'zod'
import { AttributeSpec, AttributeValues } from './attributes.ts'
import { InputMessages } from './common.ts'

export const AttributesQuery = z.strictObject({
  /** The first language model unless given. */
  model: z.string().optional(),
})
export type AttributesQuery = z.infer<typeof AttributesQuery>

export const AttributeList = z.strictObject({
  object: z.literal('list'),
  model: z.string(),
  /** In label-line order; empty when the model cannot be steered. */
  data: z.array(AttributeSpec),
  /** The attribute model that measures this model's replies. */
  attribute_model: z.string().nullable(),
})
export type AttributeList = z.infer<typeof AttributeList>

const conversation = {
  /** Ends with the assistant message to be rated. */
  messages: InputMessages,
}

export const PredictRequest = z.union([
  z.strictObject({ model: z.string(), ...conversation }),
  z.strictObject({
    model: z.string(),
    inputs: z.array(z.strictObject(conversation)).min(1).max(256),
  }),
])
export type PredictRequest = z.infer<typeof PredictRequest>

export const PredictResponse = z.strictObject({
  object: z.literal('list'),
  model: z.string(),
  /** In the order of the inputs. Values are not cut to the attribute's range. */
  data: z.array(z.strictObject({ attributes: AttributeValues })),
})
export type PredictResponse = z.infer<typeof PredictResponse>
