/** GET /v1/attributes and POST /v1/attributes/predict. */
import { z } from 'zod'
import { AttributeSpec, AttributeValues } from './attributes.ts'
import { InputMessages } from './common.ts'
import { Preset } from './presets.ts'

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
  /** What `steering.preset` may name. */
  presets: z.array(Preset),
})
export type AttributeList = z.infer<typeof AttributeList>

const conversation = {
  /** Ends with the assistant message to be rated. */
  messages: InputMessages,
}

const predictHead = {
  model: z.string(),
  /** false: the scores as they are, without the model's calibration. */
  calibrated: z.boolean().nullish(),
}

export const PredictRequest = z.union([
  z.strictObject({ ...predictHead, ...conversation }),
  z.strictObject({
    ...predictHead,
    inputs: z.array(z.strictObject(conversation)).min(1).max(256),
  }),
])
export type PredictRequest = z.infer<typeof PredictRequest>

export const PredictResponse = z.strictObject({
  object: z.literal('list'),
  model: z.string(),
  /** Whether the values went through the model's calibration. */
  calibrated: z.boolean(),
  data: z.array(
    z.strictObject({
      /** In the order of the inputs. Values are not cut to the attribute's range. */
      attributes: AttributeValues,
      /**
       * By attribute: the probability that raters give the level that the value rounds to. Where the model was not
       * calibrated, it rests on an assumed spread.
       */
      confidence: AttributeValues,
    }),
  ),
})
export type PredictResponse = z.infer<typeof PredictResponse>
