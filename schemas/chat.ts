/** POST /v1/chat/completions: OpenAI's bodies, plus `attributes` and `steering`. */
import { z } from 'zod'
import {
  FinishReason,
  InputMessages,
  PromptProgress,
  ResponseFormat,
  SteeringReport,
  StructuredOutputs,
  Usage,
  bookkeepingFields,
  samplingFields,
  steeringFields,
  streamFields,
} from './common.ts'

/**
 * A field that is neither here nor known to be without effect is refused, so that nobody gets a reply
 * that silently ignores what was asked for.
 */
export const ChatCompletionRequest = z.strictObject({
  model: z.string(),
  messages: InputMessages,
  n: z.int().min(1).max(16).nullish(),
  /** Unset: as much as the context holds. A larger number than that is cut to it. */
  max_tokens: z.int().min(0).nullish(),
  max_completion_tokens: z.int().min(0).nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.int().min(0).max(20).nullish(),
  ...samplingFields,
  ...steeringFields,
  ...streamFields,
  ...bookkeepingFields,
  response_format: ResponseFormat.nullish(),
  structured_outputs: StructuredOutputs.nullish(),
  modalities: z.tuple([z.literal('text')]).nullish(),
  tools: z.array(z.unknown()).max(0, { error: 'tools are not supported' }).nullish(),
  tool_choice: z.literal('none').nullish(),
  parallel_tool_calls: z.boolean().nullish(),
})
export type ChatCompletionRequest = z.infer<typeof ChatCompletionRequest>

const topLogprob = {
  token: z.string(),
  logprob: z.number(),
  /** The token's UTF-8 bytes; null when it is a part of a character. */
  bytes: z.array(z.int()).nullable(),
}

export const ChatLogprobs = z.strictObject({
  content: z.array(
    z.strictObject({ ...topLogprob, top_logprobs: z.array(z.strictObject(topLogprob)) }),
  ),
  refusal: z.null(),
})
export type ChatLogprobs = z.infer<typeof ChatLogprobs>

const responseHead = {
  id: z.string(),
  /** Seconds since 1970. */
  created: z.int(),
  model: z.string(),
  system_fingerprint: z.null(),
}

export const ChatCompletion = z.strictObject({
  ...responseHead,
  object: z.literal('chat.completion'),
  choices: z.array(
    z.strictObject({
      index: z.int(),
      message: z.strictObject({
        role: z.literal('assistant'),
        content: z.string(),
        refusal: z.null(),
      }),
      logprobs: ChatLogprobs.nullable(),
      finish_reason: FinishReason,
      token_ids: z.array(z.int()).optional(),
      /** Of this reply. The first choice's stands at the top level, too. */
      steering: SteeringReport.optional(),
    }),
  ),
  usage: Usage,
  prompt_token_ids: z.array(z.int()).optional(),
  /** Of the first choice; absent when the model has no attributes. */
  steering: SteeringReport.optional(),
})
export type ChatCompletion = z.infer<typeof ChatCompletion>

export const ChatCompletionChunk = z.strictObject({
  ...responseHead,
  object: z.literal('chat.completion.chunk'),
  choices: z.array(
    z.strictObject({
      index: z.int(),
      delta: z.strictObject({
        role: z.literal('assistant').optional(),
        content: z.string().optional(),
        refusal: z.null().optional(),
      }),
      logprobs: ChatLogprobs.nullable(),
      finish_reason: FinishReason.nullable(),
      token_ids: z.array(z.int()).optional(),
    }),
  ),
  /** Only with `stream_options.include_usage`: null until the last chunk. */
  usage: Usage.nullable().optional(),
  prompt_token_ids: z.array(z.int()).optional(),
  /** With `return_progress`. */
  prompt_progress: PromptProgress.optional(),
  /** In the chunk with a choice's `finish_reason`, for that choice. */
  steering: SteeringReport.optional(),
})
export type ChatCompletionChunk = z.infer<typeof ChatCompletionChunk>
