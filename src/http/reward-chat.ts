/**
 * A chat completion of an attribute model, as NVIDIA serves its reward models: the conversation ends with the reply to be
 * rated, the answer is `helpfulness:3.1,humor:0.2,…`, and its log-probabilities are the values, by attribute.
 */
import type { ChatCompletion, ChatCompletionRequest } from '../../schemas/chat.ts'
import { fail } from '../errors.ts'
import type { ModelRuntime } from '../services/runtime-types.ts'
import { responseHead } from './chat-serializer.ts'
import { toMessages } from './generation-input.ts'

/** Whether an attribute model is asked, about a conversation that ends with a reply. */
export const asksForRating = (model: ModelRuntime, body: ChatCompletionRequest): boolean =>
  model.info.kind === 'attribute-model' && body.messages.at(-1)!.role === 'assistant'

/** Fails BAD_REQUEST for what only text generation could do. */
export async function rewardCompletion(
  judge: ModelRuntime,
  body: ChatCompletionRequest,
  signal: AbortSignal,
): Promise<ChatCompletion> {
  refuse(body, judge.info.id)
  const messages = toMessages(body.messages)
  const [values] = await judge.predict([messages], signal)
  const tokens = await judge.countTokens({ messages, attributes: {}, onlyGiven: true })
  const named = judge.info.attributes.map(({ name }) => ({ name, value: values![name]! }))
  return {
    ...responseHead('chatcmpl', body.model),
    object: 'chat.completion',
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: named.map(({ name, value }) => `${name}:${value}`).join(','),
          refusal: null,
        },
        logprobs: {
          content: named.map(({ name, value }) => ({
            token: name,
            logprob: value,
            bytes: [...Buffer.from(name)],
            top_logprobs: [],
          })),
          refusal: null,
        },
        finish_reason: 'stop',
      },
    ],
    usage: {
      prompt_tokens: tokens,
      completion_tokens: 0,
      total_tokens: tokens,
      prompt_tokens_details: { cached_tokens: 0 },
    },
  }
}

function refuse(body: ChatCompletionRequest, id: string): void {
  const given = { stream: body.stream, attributes: body.attributes, steering: body.steering }
  for (const [param, value] of Object.entries(given)) {
    if (value) fail('BAD_REQUEST', `${param}: "${id}" rates replies, it writes none`, { param })
  }
  if ((body.n ?? 1) > 1) fail('BAD_REQUEST', `n: "${id}" gives one answer`, { param: 'n' })
}
