/** POST /v1/embeddings: OpenAI's bodies, plus `pooling`. */
import { z } from 'zod'

const tokenIds = z.array(z.int().nonnegative()).min(1)

export const EmbeddingRequest = z.strictObject({
  model: z.string(),
  /** A text, token ids, or a list of one of them. */
  input: z.union([
    z.string().min(1, { error: 'expected at least 1 character' }),
    z
      .array(z.string().min(1, { error: 'expected at least 1 character' }))
      .min(1)
      .max(2048),
    tokenIds,
    z.array(tokenIds).min(1).max(2048),
  ]),
  /** So many of the first numbers, brought to length 1 again; at most the model's hidden size. */
  dimensions: z.int().min(1).nullish(),
  /** `base64`: little-endian float32; `float` unless given. */
  encoding_format: z.enum(['float', 'base64']).nullish(),
  /** The mean of all tokens' states, or the state of the last token; `mean` unless given. */
  pooling: z.enum(['mean', 'last']).nullish(),
  user: z.string().nullish(),
})
export type EmbeddingRequest = z.infer<typeof EmbeddingRequest>

export const EmbeddingList = z.strictObject({
  object: z.literal('list'),
  model: z.string(),
  /** In the order of the inputs. Vectors have length 1. */
  data: z.array(
    z.strictObject({
      object: z.literal('embedding'),
      index: z.int(),
      embedding: z.union([z.array(z.number()), z.string()]),
    }),
  ),
  usage: z.strictObject({ prompt_tokens: z.int(), total_tokens: z.int() }),
})
export type EmbeddingList = z.infer<typeof EmbeddingList>
