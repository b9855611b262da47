/** Tokens of texts and conversations: POST /v1/tokenize, /v1/detokenize and /v1/apply-template, as vLLM and llama.cpp have them. */
import { z } from 'zod'
import { AttributeValues } from './attributes.ts'
import { InputMessages } from './common.ts'

const conversation = {
  messages: InputMessages,
  /** The reply's label line; attributes left out take the model's default. */
  attributes: AttributeValues.nullish(),
}

export const TokenizeRequest = z.union([
  z.strictObject({
    /** The first language model unless given. */
    model: z.string().nullish(),
    prompt: z.string(),
    /** Let the tokenizer put its own tokens around the text, such as a begin token; true unless given. */
    add_special_tokens: z.boolean().nullish(),
    /** Also give the text of each token. */
    return_token_strs: z.boolean().nullish(),
  }),
  z.strictObject({
    model: z.string().nullish(),
    /** The prompt that the server makes of the conversation. */
    ...conversation,
    return_token_strs: z.boolean().nullish(),
  }),
])
export type TokenizeRequest = z.infer<typeof TokenizeRequest>

export const TokenizeResponse = z.strictObject({
  model: z.string(),
  tokens: z.array(z.int()),
  count: z.int(),
  /** Prompt and reply together. */
  max_model_len: z.int(),
  /** A part of a character shows as U+FFFD. */
  token_strs: z.array(z.string()).optional(),
})
export type TokenizeResponse = z.infer<typeof TokenizeResponse>

export const DetokenizeRequest = z.strictObject({
  model: z.string().nullish(),
  tokens: z.array(z.int().nonnegative()),
})
export type DetokenizeRequest = z.infer<typeof DetokenizeRequest>

/** Special tokens are shown; ids without a token give no text. */
export const DetokenizeResponse = z.strictObject({ model: z.string(), prompt: z.string() })
export type DetokenizeResponse = z.infer<typeof DetokenizeResponse>

export const ApplyTemplateRequest = z.strictObject({
  model: z.string().nullish(),
  ...conversation,
})
export type ApplyTemplateRequest = z.infer<typeof ApplyTemplateRequest>

/** The text that the reply follows. */
export const ApplyTemplateResponse = z.strictObject({ model: z.string(), prompt: z.string() })
export type ApplyTemplateResponse = z.infer<typeof ApplyTemplateResponse>
