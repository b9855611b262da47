/** Replies of the generating service as OpenAI's chat completion and its chunks. */
import { randomUUID } from 'node:crypto'
import type { ChatCompletion, ChatCompletionChunk, ChatLogprobs } from '../../schemas/chat.ts'
import type { PromptProgress as SentProgress, Usage } from '../../schemas/common.ts'
import type { PromptProgress } from '../engine/index.ts'
import type { Choice, GenerationEvent } from '../services/generator.ts'
import type { TextLogprob, TextUsage } from '../services/runtime-types.ts'

/** What all chunks of a reply share. */
export function responseHead(prefix: 'chatcmpl' | 'cmpl', model: string) {
  return {
    id: `${prefix}-${randomUUID().replaceAll('-', '')}`,
    created: Math.floor(Date.now() / 1000),
    model,
    system_fingerprint: null,
  }
}

export function toUsage(usage: TextUsage): Usage {
  return {
    prompt_tokens: usage.promptTokens,
    completion_tokens: usage.completionTokens,
    total_tokens: usage.promptTokens + usage.completionTokens,
    prompt_tokens_details: { cached_tokens: usage.cachedTokens },
  }
}

export function toProgress(progress: PromptProgress): SentProgress {
  return {
    total: progress.promptTokens,
    cache: progress.cachedTokens,
    processed: progress.processedTokens,
    time_ms: Math.round(progress.elapsedMs),
  }
}

export interface ChatOptions {
  model: string
  withTokenIds: boolean
  /** For chunks: `stream_options.include_usage`. */
  withUsage?: boolean
}

export function toChatCompletion(
  result: { choices: Choice[]; usage: TextUsage },
  { model, withTokenIds }: ChatOptions,
): ChatCompletion {
  const [first] = result.choices
  return {
    ...responseHead('chatcmpl', model),
    object: 'chat.completion',
    choices: result.choices.map((choice, index) => ({
      index,
      message: { role: 'assistant', content: choice.text, refusal: null },
      logprobs: toChatLogprobs(choice.logprobs),
      finish_reason: choice.finishReason,
      ...(withTokenIds && { token_ids: choice.tokens }),
      ...(choice.steering && { steering: choice.steering }),
    })),
    usage: toUsage(result.usage),
    ...(withTokenIds && { prompt_token_ids: first?.promptTokenIds }),
    ...(first?.steering && { steering: first.steering }),
  }
}

/**
 * Chunks: the role first, then texts, then the finish reason with the steering report; the usage last,
 * when asked for.
 */
export async function* toChatChunks(
  events: AsyncIterable<GenerationEvent>,
  options: ChatOptions,
): AsyncGenerator<ChatCompletionChunk> {
  const head = {
    ...responseHead('chatcmpl', options.model),
    object: 'chat.completion.chunk' as const,
    ...(options.withUsage && { usage: null }),
  }
  const chunk = (
    index: number,
    choice: Partial<ChatCompletionChunk['choices'][number]>,
  ): ChatCompletionChunk => ({
    ...head,
    choices: [{ index, delta: {}, logprobs: null, finish_reason: null, ...choice }],
  })
  for await (const event of events) {
    if (event.type === 'progress') {
      yield { ...chunk(event.choice, {}), prompt_progress: toProgress(event) }
    } else if (event.type === 'start') {
      const ids = options.withTokenIds && { prompt_token_ids: event.promptTokenIds }
      yield { ...chunk(event.choice, { delta: { role: 'assistant', content: '' } }), ...ids }
    } else if (event.type === 'delta') {
      yield chunk(event.choice, {
        delta: { content: event.text },
        logprobs: toChatLogprobs(event.logprobs),
        ...(options.withTokenIds && { token_ids: event.tokens }),
      })
    } else if (event.type === 'finish') {
      const steering = event.steering && { steering: event.steering }
      yield { ...chunk(event.choice, { finish_reason: event.finishReason }), ...steering }
    } else if (options.withUsage) {
      yield { ...head, choices: [], usage: toUsage(event.usage) }
    }
  }
}

function toChatLogprobs(logprobs: TextLogprob[] | undefined): ChatLogprobs | null {
  if (!logprobs) return null
  return {
    content: logprobs.map((item) => ({
      ...describe(item.text, item.logprob ?? 0),
      top_logprobs: item.top.map((other) => describe(other.text, other.logprob)),
    })),
    refusal: null,
  }
}

function describe(token: string, logprob: number) {
  // A part of a character has no text, and the decoder does not tell its bytes.
  const bytes = token.includes('\ufffd') ? null : [...Buffer.from(token)]
  return { token, logprob, bytes }
}
