/**
 * Parts that several request and response bodies share: errors, usage, sampling fields, steering.
 * Optional request fields take null for "not set", because OpenAI's clients send it.
 */
import { z } from 'zod'
import { AttributeValues } from './attributes.ts'
import { Role } from './records.ts'

/** OpenAI's error body. `code` is a code of `docs/errors.md` in lower case. */
export const ErrorResponse = z.strictObject({
  error: z.strictObject({
    message: z.string(),
    type: z.string(),
    /** The request field at fault, such as `messages.0.content`. */
    param: z.string().nullable(),
    code: z.string(),
  }),
})
export type ErrorResponse = z.infer<typeof ErrorResponse>

export const Usage = z.strictObject({
  prompt_tokens: z.int(),
  completion_tokens: z.int(),
  total_tokens: z.int(),
  prompt_tokens_details: z.strictObject({
    /** Prompt tokens that did not have to be computed again. */
    cached_tokens: z.int(),
  }),
})
export type Usage = z.infer<typeof Usage>

const VerifyOptions = z.strictObject({
  /** Replies at most; 4 unless given. */
  attempts: z.int().min(1).max(8).nullish(),
  /** The first reply whose every attribute is this near, in levels, is given without waiting for the others. */
  tolerance: z.number().min(0).nullish(),
})

/** How a reply is steered, and how that is checked. `docs/steering.md` says what each field does and costs. */
export const SteeringOptions = z.strictObject({
  /** Report the achieved values of the reply; true unless given. Needs an attribute model. */
  measure: z.boolean().nullish(),
  /**
   * γ of classifier-free guidance: tokens are drawn from the unlabelled reply's distribution moved γ times the way to the
   * requested values'. 1 is none, more exaggerates. Logits take another row for it.
   */
  guidance: z.number().min(0).max(10).nullish(),
  /** Values to move away from, such as `{"toxicity": 4}`: they take the unlabelled reply's place. */
  avoid: AttributeValues.nullish(),
  /** Settings by name (`GET /v1/attributes`); what the request itself gives comes before them. */
  preset: z.string().max(64).nullish(),
  /**
   * Write several replies side by side and keep the one nearest to the request, by the attribute model: so many, or
   * `{attempts, tolerance}`. A stream begins when the choice is made.
   */
  verify: z.union([z.boolean(), z.int().min(1).max(8), VerifyOptions]).nullish(),
})
export type SteeringOptions = z.infer<typeof SteeringOptions>

export const SteeringWarning = z.strictObject({
  /** `combination_unseen`: the training data never held these values together. */
  code: z.enum(['combination_unseen']),
  message: z.string(),
  /** The combination in question, and the nearest one that was seen. */
  combination: AttributeValues,
  nearest: AttributeValues,
})
export type SteeringWarning = z.infer<typeof SteeringWarning>

/** Requested against achieved. `achieved` is null when no attribute model measured the reply. */
export const SteeringReport = z.strictObject({
  requested: AttributeValues,
  achieved: AttributeValues.nullable(),
  /** Mean of |achieved − requested| over the attributes, in levels; where `achieved` is known. */
  distance: z.number().optional(),
  /** With `verify`: the replies that were compared, and the values and distance of each. */
  attempts: z.int().optional(),
  candidates: z
    .array(z.strictObject({ achieved: AttributeValues, distance: z.number() }))
    .optional(),
  /** Rows of the batch that each reply took, where more than one. */
  rows: z.int().optional(),
  warnings: z.array(SteeringWarning).optional(),
})
export type SteeringReport = z.infer<typeof SteeringReport>

export const FinishReason = z.enum(['stop', 'length'])
export type FinishReason = z.infer<typeof FinishReason>

/** How tokens are drawn; the same on every generating endpoint. */
export const samplingFields = {
  /** 0 is greedy. Unset: what the model's own generation config says, else 1. */
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  top_k: z.int().min(0).nullish(),
  min_p: z.number().min(0).max(1).nullish(),
  presence_penalty: z.number().min(-2).max(2).nullish(),
  frequency_penalty: z.number().min(-2).max(2).nullish(),
  repetition_penalty: z.number().min(0.01).max(100).nullish(),
  /** The same request with the same seed gives the same text. */
  seed: z.int().nullish(),
  /** Texts that end the reply and are not part of it. */
  stop: z.union([z.string(), z.array(z.string()).max(16)]).nullish(),
  /** Added to the logits, by token id. */
  logit_bias: z.record(z.string().regex(/^\d+$/), z.number().min(-100).max(100)).nullish(),
  /** Go on after the end-of-text token. */
  ignore_eos: z.boolean().nullish(),
  /** When requests wait: lower numbers first, as in vLLM. Unset: by `service_tier`, else 0. */
  priority: z.int().min(-10).max(10).nullish(),
  /** Also give token ids (`prompt_token_ids`, `token_ids`). */
  return_token_ids: z.boolean().nullish(),
}

/** A JSON schema; `docs/structured-output.md` says which keywords are enforced. */
export const JsonSchema = z.record(z.string(), z.unknown())

/** What the reply must be. The model is held to it token by token. */
export const ResponseFormat = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text') }),
  z.strictObject({ type: z.literal('json_object') }),
  z.strictObject({
    type: z.literal('json_schema'),
    json_schema: z.strictObject({
      name: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
      description: z.string().nullish(),
      /** Unset: any object. */
      schema: JsonSchema.nullish(),
      /** Every schema is enforced, whatever this says. */
      strict: z.boolean().nullish(),
    }),
  }),
])
export type ResponseFormat = z.infer<typeof ResponseFormat>

/** vLLM's constraints: exactly one of them. */
export const StructuredOutputs = z.union([
  z.strictObject({ json: JsonSchema }),
  /** The whole reply, in JavaScript's syntax. */
  z.strictObject({ regex: z.string().min(1) }),
  z.strictObject({ choice: z.array(z.string().min(1)).min(1).max(1000) }),
])
export type StructuredOutputs = z.infer<typeof StructuredOutputs>

/** How far a prompt is, in tokens; `processed` counts those of the `cache`. */
export const PromptProgress = z.strictObject({
  total: z.int(),
  cache: z.int(),
  processed: z.int(),
  time_ms: z.int(),
})
export type PromptProgress = z.infer<typeof PromptProgress>

export const steeringFields = {
  /**
   * The wanted values by attribute name, fractions too; attributes left out take the preset's value, else the model's
   * default.
   */
  attributes: AttributeValues.nullish(),
  steering: SteeringOptions.nullish(),
}

export const streamFields = {
  stream: z.boolean().nullish(),
  /** Streams only: chunks with `prompt_progress` while the prompt is computed, as in llama.cpp. */
  return_progress: z.boolean().nullish(),
  /** Streams only: seconds of silence before a comment is sent; 15 unless given, −1: never. As in llama.cpp. */
  sse_ping_interval: z.union([z.literal(-1), z.int().min(1).max(3600)]).nullish(),
  stream_options: z
    .strictObject({
      /** One more chunk with the usage before the end. */
      include_usage: z.boolean().nullish(),
      include_obfuscation: z.literal(false).nullish(),
    })
    .nullish(),
}

/** Fields of OpenAI's API that cannot change the text; taken and not used, but for `service_tier`. */
export const bookkeepingFields = {
  user: z.string().nullish(),
  metadata: z.record(z.string(), z.string()).nullish(),
  store: z.boolean().nullish(),
  /** `priority` and `flex` stand for the priorities −5 and 5; others change nothing. */
  service_tier: z.string().nullish(),
  safety_identifier: z.string().nullish(),
  prompt_cache_key: z.string().nullish(),
}

const TextPart = z.strictObject({ type: z.literal('text'), text: z.string() })
const content = z.union([z.string(), z.array(TextPart)])

/** A message as clients send it; `developer` means `system`. */
export const InputMessage = z
  .strictObject({
    role: z.enum([...Role.options, 'developer']),
    content,
    /** OpenAI's participant name; not shown to the model. */
    name: z.string().nullish(),
    refusal: z.null().optional(),
    /** The values an earlier reply was written for; they stand before it in the prompt. */
    attributes: AttributeValues.nullish(),
  })
  .refine((message) => message.role === 'assistant' || !message.attributes, {
    error: 'only an assistant message may carry attributes',
    path: ['attributes'],
  })
export type InputMessage = z.infer<typeof InputMessage>

export const InputMessages = z.array(InputMessage).min(1, { error: 'expected at least 1 message' })
