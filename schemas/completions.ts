/** POST /v1/completions: OpenAI's bodies, with vLLM's `return_token_ids` and `ignore_eos`. */
import { z } from 'zod'
import {
  FinishReason,
  PromptProgress,
  SteeringReport,
  StructuredOutputs,
  Usage,
  bookkeepingFields,
  samplingFields,
  steeringFields,
  streamFields,
} from './common.ts'

const tokenIds = z.array(z.int().nonnegative()).min(1)

/** A text, token ids, or a list of one of them. Nothing is put around it but a begin token of the tokenizer. */
export const CompletionPrompt = z.union([
  z.string(),
  z.array(z.string()).min(1).max(64),
  tokenIds,
  z.array(tokenIds).min(1).max(64),
])

export const CompletionRequest = z.strictObject({
  model: z.string(),
  prompt: CompletionPrompt,
  n: z.int().min(1).max(16).nullish(),
  best_of: z.literal(1).nullish(),
  /** 16 unless given, as OpenAI has it. 0 with `echo` scores the prompt. */
  max_tokens: z.int().min(0).nullish(),
  /** The log-probability of each token and of so many alternatives. */
  logprobs: z.int().min(0).max(20).nullish(),
  /** Put the prompt in front of the text; with `logprobs`, of its tokens too. */
  echo: z.boolean().nullish(),
  suffix: z.null().optional(),
  /** Write tokens as `token_id:7` in `logprobs`: texts of different tokens may be the same. */
  return_tokens_as_token_ids: z.boolean().nullish(),
  structured_outputs: StructuredOutputs.nullish(),
  ...samplingFields,
  /**
   * With attributes (or a preset) the prompt ends where a reply begins, as `apply-template` writes it, and the label line
   * is put behind it; without, nothing is. `steering.verify` needs messages.
   */
  ...steeringFields,
  ...streamFields,
  ...bookkeepingFields,
})
export type CompletionRequest = z.infer<typeof CompletionRequest>

/** One entry per token. The first token of a prompt has no probability: nothing predicts it. */
export const CompletionLogprobs = z.strictObject({
  tokens: z.array(z.string()),
  token_logprobs: z.array(z.number().nullable()),
  top_logprobs: z.array(z.record(z.string(), z.number()).nullable()),
  /** Where the token's text begins, in characters (UTF-16 units) of `text` from the start of the choice. */
  text_offset: z.array(z.int()),
})
export type CompletionLogprobs = z.infer<typeof CompletionLogprobs>

const choiceFields = {
  index: z.int(),
  text: z.string(),
  logprobs: CompletionLogprobs.nullable(),
  token_ids: z.array(z.int()).optional(),
  prompt_token_ids: z.array(z.int()).optional(),
}

const responseHead = {
  id: z.string(),
  object: z.literal('text_completion'),
  created: z.int(),
  model: z.string(),
  system_fingerprint: z.null(),
}

export const Completion = z.strictObject({
  ...responseHead,
  choices: z.array(z.strictObject({ ...choiceFields, finish_reason: FinishReason })),
  usage: Usage,
  /** Of the first choice, with attributes; a continued text is not measured. */
  steering: SteeringReport.optional(),
})
export type Completion = z.infer<typeof Completion>

export const CompletionChunk = z.strictObject({
  ...responseHead,
  choices: z.array(z.strictObject({ ...choiceFields, finish_reason: FinishReason.nullable() })),
  usage: Usage.nullable().optional(),
  /** With `return_progress`. */
  prompt_progress: PromptProgress.optional(),
  /** In the chunk with a choice's `finish_reason`, for that choice. */
  steering: SteeringReport.optional(),
})
export type CompletionChunk = z.infer<typeof CompletionChunk>
