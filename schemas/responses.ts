/** POST /v1/responses and the stored responses: OpenAI's bodies, plus `attributes` and `steering`. */
import { z } from 'zod'
import { AttributeValues } from './attributes.ts'
import {
  JsonSchema,
  SteeringReport,
  StructuredOutputs,
  bookkeepingFields,
  samplingFields,
  steeringFields,
} from './common.ts'

const InputText = z.strictObject({ type: z.literal('input_text'), text: z.string() })

const topLogprob = {
  token: z.string(),
  logprob: z.number(),
  /** The token's UTF-8 bytes; empty when it is a part of a character. */
  bytes: z.array(z.int()),
}

export const ResponseLogprob = z.strictObject({
  ...topLogprob,
  top_logprobs: z.array(z.strictObject(topLogprob)),
})
export type ResponseLogprob = z.infer<typeof ResponseLogprob>

/** A text that was written. `annotations` are always empty. */
export const ResponseOutputText = z.strictObject({
  type: z.literal('output_text'),
  text: z.string(),
  annotations: z.array(z.unknown()),
  logprobs: z.array(ResponseLogprob),
})
export type ResponseOutputText = z.infer<typeof ResponseOutputText>

/** As clients send them back. */
const ReturnedText = z.strictObject({
  type: z.literal('output_text'),
  text: z.string(),
  annotations: z.array(z.unknown()).nullish(),
  logprobs: z.array(z.unknown()).nullish(),
})

const status = z.enum(['in_progress', 'completed', 'incomplete'])

/** A message of the conversation. `developer` means `system`. */
export const ResponseInputMessage = z
  .strictObject({
    type: z.literal('message').nullish(),
    id: z.string().nullish(),
    status: status.nullish(),
    role: z.enum(['system', 'developer', 'user', 'assistant']),
    content: z.union([
      z.string(),
      z.array(z.discriminatedUnion('type', [InputText, ReturnedText])),
    ]),
    /** What OpenAI's newer models call parts of a reply; changes nothing. */
    phase: z.string().nullish(),
    /** The values an earlier reply was written for; they stand before it in the prompt. */
    attributes: AttributeValues.nullish(),
  })
  .refine((message) => message.role === 'assistant' || !message.attributes, {
    error: 'only an assistant message may carry attributes',
    path: ['attributes'],
  })
export type ResponseInputMessage = z.infer<typeof ResponseInputMessage>

/** An item of a stored response, by its id. */
const ItemReference = z.strictObject({
  type: z.literal('item_reference'),
  id: z.string(),
})

export const ResponseInputItem = z.union([ResponseInputMessage, ItemReference])
export type ResponseInputItem = z.infer<typeof ResponseInputItem>

const samplingWithoutIds = (() => {
  const { return_token_ids: _ids, ...fields } = samplingFields
  return fields
})()

/** What the reply must be; the model is held to it token by token. */
const textFormat = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text') }),
  z.strictObject({ type: z.literal('json_object') }),
  z.strictObject({
    type: z.literal('json_schema'),
    name: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
    description: z.string().nullish(),
    schema: JsonSchema,
    /** Every schema is enforced, whatever this says. */
    strict: z.boolean().nullish(),
  }),
])

export const ResponseRequest = z.strictObject({
  model: z.string(),
  /** A user's message, or the items of a conversation. */
  input: z.union([
    z.string(),
    z.array(ResponseInputItem).min(1, { error: 'expected at least 1 item' }),
  ]),
  /** A system message before everything; that of `previous_response_id` is not kept. */
  instructions: z.string().nullish(),
  /** Goes on after a stored response of the same key. */
  previous_response_id: z.string().nullish(),
  max_output_tokens: z.int().min(1).nullish(),
  /** Alternatives of each token's log-probability. */
  top_logprobs: z.int().min(0).max(20).nullish(),
  include: z
    .array(z.enum(['message.output_text.logprobs', 'reasoning.encrypted_content']))
    .nullish(),
  ...samplingWithoutIds,
  ...steeringFields,
  ...bookkeepingFields,
  /** Keep the response for `previous_response_id` and GET; true unless given. */
  store: z.boolean().nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.strictObject({ include_obfuscation: z.literal(false).nullish() }).nullish(),
  text: z
    .strictObject({ format: textFormat.nullish(), verbosity: z.literal('medium').nullish() })
    .nullish(),
  /** vLLM's constraints, beside none of `text`. */
  structured_outputs: StructuredOutputs.nullish(),
  tools: z.array(z.unknown()).max(0, { error: 'tools are not supported' }).nullish(),
  tool_choice: z.enum(['none', 'auto']).nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  max_tool_calls: z.int().min(1).nullish(),
  /** Too long a conversation is an error; nothing is dropped from it. */
  truncation: z.literal('disabled').nullish(),
  reasoning: z
    .strictObject({ effort: z.literal('none').nullish(), summary: z.null().optional() })
    .nullish(),
  background: z.literal(false).nullish(),
  conversation: z.null().optional(),
  prompt: z.null().optional(),
  prompt_cache_retention: z.string().nullish(),
})
export type ResponseRequest = z.infer<typeof ResponseRequest>

/** The reply. `attributes`: the values it was written for, which count when it is sent back as input. */
export const ResponseOutputMessage = z.strictObject({
  id: z.string(),
  type: z.literal('message'),
  role: z.literal('assistant'),
  status,
  content: z.array(ResponseOutputText),
  attributes: AttributeValues.optional(),
})
export type ResponseOutputMessage = z.infer<typeof ResponseOutputMessage>

/** What a response was made from, with an id for each item. */
export const ResponseItem = z.union([
  ResponseOutputMessage,
  z.strictObject({
    id: z.string(),
    type: z.literal('message'),
    role: z.enum(['system', 'developer', 'user']),
    status,
    content: z.array(InputText),
  }),
])
export type ResponseItem = z.infer<typeof ResponseItem>

export const ResponseUsage = z.strictObject({
  input_tokens: z.int(),
  input_tokens_details: z.strictObject({
    /** Input tokens that did not have to be computed again. */
    cached_tokens: z.int(),
    /** Always 0: nothing is billed for the cache. */
    cache_write_tokens: z.int(),
  }),
  output_tokens: z.int(),
  output_tokens_details: z.strictObject({ reasoning_tokens: z.int() }),
  total_tokens: z.int(),
})
export type ResponseUsage = z.infer<typeof ResponseUsage>

export const ResponseObject = z.strictObject({
  id: z.string(),
  object: z.literal('response'),
  /** Seconds since 1970. */
  created_at: z.int(),
  completed_at: z.int().nullable(),
  /** `incomplete`: the reply was cut off at `max_output_tokens` or the end of the context. */
  status: z.enum(['in_progress', 'completed', 'incomplete', 'failed']),
  error: z.strictObject({ code: z.string(), message: z.string() }).nullable(),
  incomplete_details: z.strictObject({ reason: z.literal('max_output_tokens') }).nullable(),
  instructions: z.string().nullable(),
  model: z.string(),
  output: z.array(ResponseOutputMessage),
  previous_response_id: z.string().nullable(),
  max_output_tokens: z.int().nullable(),
  max_tool_calls: z.int().nullable(),
  /** The values that were used, the model's own defaults included. */
  temperature: z.number(),
  top_p: z.number(),
  top_logprobs: z.int(),
  presence_penalty: z.number(),
  frequency_penalty: z.number(),
  text: z.strictObject({ format: textFormat }),
  tools: z.array(z.unknown()),
  tool_choice: z.enum(['none', 'auto']),
  parallel_tool_calls: z.boolean(),
  reasoning: z.strictObject({ effort: z.null(), summary: z.null() }),
  truncation: z.literal('disabled'),
  background: z.literal(false),
  store: z.boolean(),
  service_tier: z.string(),
  metadata: z.record(z.string(), z.string()),
  user: z.string().nullable(),
  safety_identifier: z.string().nullable(),
  prompt_cache_key: z.string().nullable(),
  /** Null until the reply is whole. */
  usage: ResponseUsage.nullable(),
  /** Absent when the model has no attributes, and until the reply is whole. */
  steering: SteeringReport.optional(),
})
export type ResponseObject = z.infer<typeof ResponseObject>

const inMessage = { item_id: z.string(), output_index: z.int(), content_index: z.int() }
const sequence = { sequence_number: z.int() }
/** The frames of a streamed response; `sequence_number` counts from 0. */
export const ResponseEvent = z.union([
  z.strictObject({
    type: z.enum([
      'response.created',
      'response.in_progress',
      'response.completed',
      'response.incomplete',
      'response.failed',
    ]),
    response: ResponseObject,
    ...sequence,
  }),
  z.strictObject({
    type: z.enum(['response.output_item.added', 'response.output_item.done']),
    output_index: z.int(),
    item: ResponseOutputMessage,
    ...sequence,
  }),
  z.strictObject({
    type: z.enum(['response.content_part.added', 'response.content_part.done']),
    ...inMessage,
    part: ResponseOutputText,
    ...sequence,
  }),
  z.strictObject({
    type: z.literal('response.output_text.delta'),
    ...inMessage,
    delta: z.string(),
    logprobs: z.array(ResponseLogprob),
    ...sequence,
  }),
  z.strictObject({
    type: z.literal('response.output_text.done'),
    ...inMessage,
    text: z.string(),
    logprobs: z.array(ResponseLogprob),
    ...sequence,
  }),
])
export type ResponseEvent = z.infer<typeof ResponseEvent>

const flag = z.enum(['true', 'false']).transform((text) => text === 'true')

export const ResponseQuery = z.strictObject({
  /** Replay the response as events. */
  stream: flag.optional(),
  /** Of the replay only what comes after this sequence number. */
  starting_after: z.coerce.number().int().min(0).optional(),
  include: z.unknown().optional(),
  'include[]': z.unknown().optional(),
  include_obfuscation: z.literal('false').optional(),
})

export const InputItemsQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  /** Newest first unless `asc`. */
  order: z.enum(['asc', 'desc']).default('desc'),
  /** Go on after the item with this id. */
  after: z.string().optional(),
  include: z.unknown().optional(),
  'include[]': z.unknown().optional(),
})
export type InputItemsQuery = z.infer<typeof InputItemsQuery>

export const ResponseItemList = z.strictObject({
  object: z.literal('list'),
  data: z.array(ResponseItem),
  first_id: z.string().nullable(),
  last_id: z.string().nullable(),
  has_more: z.boolean(),
})
export type ResponseItemList = z.infer<typeof ResponseItemList>

export const ResponseDeleted = z.strictObject({
  id: z.string(),
  object: z.literal('response'),
  deleted: z.literal(true),
})
export type ResponseDeleted = z.infer<typeof ResponseDeleted>
