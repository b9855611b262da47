/** Replies of the generating service as OpenAI's text completion and its chunks. */
import type { Completion, CompletionChunk, CompletionLogprobs } from '../../schemas/completions.ts'
import type { Choice, GenerationEvent } from '../services/generator.ts'
import type { TextLogprob, TextUsage, TokenText } from '../services/runtime-types.ts'
import { responseHead, toProgress, toUsage } from './chat-serializer.ts'

export interface CompletionOptions {
  model: string
  withTokenIds: boolean
  /** Show tokens as `token_id:7` instead of their texts. */
  idsForTokens?: boolean
  withUsage?: boolean
}

export function toCompletion(
  result: { choices: Choice[]; usage: TextUsage },
  { model, withTokenIds, idsForTokens = false }: CompletionOptions,
): Completion {
  return {
    ...responseHead('cmpl', model),
    object: 'text_completion',
    choices: result.choices.map((choice, index) => ({
      index,
      text: (choice.promptText ?? '') + choice.text,
      logprobs: toLogprobs(choice, idsForTokens),
      finish_reason: choice.finishReason,
      ...(withTokenIds && {
        token_ids: choice.tokens,
        prompt_token_ids: choice.promptTokenIds,
      }),
    })),
    usage: toUsage(result.usage),
    ...(result.choices[0]?.steering && { steering: result.choices[0].steering }),
  }
}

/** Chunks of text; an echoed prompt is the first of its choice. */
export async function* toCompletionChunks(
  events: AsyncIterable<GenerationEvent>,
  options: CompletionOptions,
): AsyncGenerator<CompletionChunk> {
  const head = {
    ...responseHead('cmpl', options.model),
    object: 'text_completion' as const,
    ...(options.withUsage && { usage: null }),
  }
  const chunk = (
    index: number,
    choice: Partial<CompletionChunk['choices'][number]>,
  ): CompletionChunk => ({
    ...head,
    choices: [{ index, text: '', logprobs: null, finish_reason: null, ...choice }],
  })
  const offsets = new Map<number, number>()
  const { idsForTokens = false } = options
  for await (const event of events) {
    if (event.type === 'progress') {
      yield { ...chunk(event.choice, {}), prompt_progress: toProgress(event) }
    } else if (event.type === 'start') {
      const { promptText, promptLogprobs, promptTokenIds } = event
      offsets.set(event.choice, promptText?.length ?? 0)
      if (promptText === undefined && !promptTokenIds) continue
      yield chunk(event.choice, {
        text: promptText ?? '',
        logprobs: promptLogprobs ? listLogprobs(promptLogprobs, 0, idsForTokens) : null,
        ...(promptTokenIds && { prompt_token_ids: promptTokenIds, token_ids: [] }),
      })
    } else if (event.type === 'delta') {
      const offset = offsets.get(event.choice) ?? 0
      offsets.set(event.choice, offset + event.text.length)
      yield chunk(event.choice, {
        text: event.text,
        logprobs: event.logprobs ? listLogprobs(event.logprobs, offset, idsForTokens) : null,
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

function toLogprobs(choice: Choice, asIds: boolean): CompletionLogprobs | null {
  const prompt = choice.promptLogprobs
  if (!choice.logprobs && !prompt) return null
  const own = listLogprobs(choice.logprobs ?? [], choice.promptText?.length ?? 0, asIds)
  if (!prompt) return own
  const echoed = listLogprobs(prompt, 0, asIds)
  return {
    tokens: [...echoed.tokens, ...own.tokens],
    token_logprobs: [...echoed.token_logprobs, ...own.token_logprobs],
    top_logprobs: [...echoed.top_logprobs, ...own.top_logprobs],
    text_offset: [...echoed.text_offset, ...own.text_offset],
  }
}

/** `offset`: characters of the choice before the first of these tokens. */
function listLogprobs(
  items: readonly TextLogprob[],
  offset: number,
  asIds: boolean,
): CompletionLogprobs {
  const shown = ({ token, text }: TokenText): string => (asIds ? `token_id:${token}` : text)
  let at = offset
  return {
    tokens: items.map(shown),
    token_logprobs: items.map((item) => item.logprob),
    top_logprobs: items.map((item) =>
      item.logprob === null
        ? null
        : Object.fromEntries(item.top.map((other) => [shown(other), other.logprob])),
    ),
    text_offset: items.map((item) => {
      const here = at
      at += item.text.length
      return here
    }),
  }
}
