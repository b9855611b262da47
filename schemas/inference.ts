/** KServe's Open Inference Protocol (v2), JSON over HTTP, for attribute models. */
import { z } from 'zod'

const parameters = z.record(z.string(), z.unknown()).nullish()

export const InferenceRequest = z.strictObject({
  id: z.string().nullish(),
  parameters,
  /** `messages`, `sentences`, or `prompt` and `response`; one element a reply. */
  inputs: z
    .array(
      z.strictObject({
        name: z.string(),
        shape: z.array(z.int().nonnegative()).min(1).max(2),
        datatype: z.literal('BYTES'),
        parameters,
        data: z.union([z.array(z.string()), z.array(z.array(z.string()))]),
      }),
    )
    .min(1)
    .max(2),
  /** All of them unless given. */
  outputs: z.array(z.strictObject({ name: z.string(), parameters })).nullish(),
})
export type InferenceRequest = z.infer<typeof InferenceRequest>

const tensor = { name: z.string(), datatype: z.string(), shape: z.array(z.int()) }

export const InferenceResponse = z.strictObject({
  model_name: z.string(),
  model_version: z.string().optional(),
  id: z.string().optional(),
  outputs: z.array(z.strictObject({ ...tensor, data: z.array(z.number()) })),
})
export type InferenceResponse = z.infer<typeof InferenceResponse>

/** A size of −1: as many as are asked for. */
export const InferenceModel = z.strictObject({
  name: z.string(),
  versions: z.array(z.string()),
  platform: z.literal('steerlm'),
  inputs: z.array(z.strictObject(tensor)),
  outputs: z.array(z.strictObject(tensor)),
  /** The columns of `rewards` and `confidence`. */
  attributes: z.array(z.string()),
})
export type InferenceModel = z.infer<typeof InferenceModel>

export const InferenceServer = z.strictObject({
  name: z.literal('steerlm'),
  version: z.string(),
  extensions: z.array(z.string()),
})
export type InferenceServer = z.infer<typeof InferenceServer>

export const InferenceHealth = z.strictObject({
  live: z.boolean().optional(),
  ready: z.boolean().optional(),
})
export type InferenceHealth = z.infer<typeof InferenceHealth>

/** The protocol's errors are a text. */
export const InferenceError = z.strictObject({ error: z.string() })
export type InferenceError = z.infer<typeof InferenceError>
