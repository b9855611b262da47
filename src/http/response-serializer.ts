/**
 * Replies of the generating service as OpenAI's response object and its events: created, in progress, the message, its
 * text piece by piece, then completed, incomplete or failed.
 */
import type {
  ResponseEvent,
  ResponseLogprob,
  ResponseObject,
  ResponseOutputMessage,
  ResponseOutputText,
  ResponseRequest,
  ResponseUsage,
} from '../../schemas/responses.ts'
import type { Choice, GenerationEvent } from '../services/generator.ts'
import { messageId } from '../services/responses/conversation-items.ts'
import type { ModelInfo, TextLogprob, TextUsage } from '../services/runtime-types.ts'
import { toErrorResponse } from './error-response.ts'

/** The response before anything is written. `sampling`: the model's own defaults. */
export function startedResponse(
  id: string,
  body: ResponseRequest,
  sampling: ModelInfo['sampling'],
): ResponseObject {
  return {
    id,
    object: 'response',
    created_at: seconds(),
    completed_at: null,
    status: 'in_progress',
    error: null,
    incomplete_details: null,
    instructions: body.instructions ?? null,
    model: body.model,
    output: [],
    previous_response_id: body.previous_response_id ?? null,
    max_output_tokens: body.max_output_tokens ?? null,
    max_tool_calls: body.max_tool_calls ?? null,
    temperature: body.temperature ?? sampling.temperature ?? 1,
    top_p: body.top_p ?? sampling.topP ?? 1,
    top_logprobs: body.top_logprobs ?? 0,
    presence_penalty: body.presence_penalty ?? 0,
    frequency_penalty: body.frequency_penalty ?? 0,
    text: { format: body.text?.format ?? { type: 'text' } },
    tools: [],
    tool_choice: body.tool_choice ?? 'auto',
    parallel_tool_calls: body.parallel_tool_calls ?? true,
    reasoning: { effort: null, summary: null },
    truncation: 'disabled',
    background: false,
    store: body.store ?? true,
    service_tier: body.service_tier ?? 'default',
    metadata: body.metadata ?? {},
    user: body.user ?? null,
    safety_identifier: body.safety_identifier ?? null,
    prompt_cache_key: body.prompt_cache_key ?? null,
    usage: null,
  }
}

type Ending = Pick<Choice, 'text' | 'logprobs' | 'finishReason' | 'usage' | 'steering'>

/** The response with its reply. */
export function endedResponse(response: ResponseObject, reply: Ending): ResponseObject {
  const isCut = reply.finishReason === 'length'
  return {
    ...response,
    completed_at: isCut ? null : seconds(),
    status: isCut ? 'incomplete' : 'completed',
    incomplete_details: isCut ? { reason: 'max_output_tokens' } : null,
    output: [outputMessage(response.id, reply, isCut ? 'incomplete' : 'completed')],
    usage: toResponseUsage(reply.usage),
    ...(reply.steering && { steering: reply.steering }),
  }
}

type Unnumbered<Event> = Event extends unknown ? Omit<Event, 'sequence_number'> : never
type Part = Unnumbered<ResponseEvent>

export interface StreamOptions {
  /** Called with the response before its last event is sent. */
  onEnd(response: ResponseObject): Promise<void>
  onError(error: unknown): void
}

/** The events of a reply that is being written. An error ends them with `response.failed`. */
export async function* toResponseEvents(
  events: AsyncIterable<GenerationEvent>,
  response: ResponseObject,
  options: StreamOptions,
): AsyncGenerator<ResponseEvent> {
  let number = 0
  for await (const part of eventParts(events, response, options)) {
    yield { ...part, sequence_number: number++ } as ResponseEvent
  }
}

async function* eventParts(
  events: AsyncIterable<GenerationEvent>,
  response: ResponseObject,
  { onEnd, onError }: StreamOptions,
): AsyncGenerator<Part> {
  yield { type: 'response.created', response }
  yield { type: 'response.in_progress', response }
  const reply = { text: '', logprobs: [] as TextLogprob[] }
  try {
    for await (const event of events) {
      if (event.type === 'start') {
        yield* messageStart(response.id)
      } else if (event.type === 'delta') {
        reply.text += event.text
        reply.logprobs.push(...(event.logprobs ?? []))
        yield textDelta(response.id, event.text, toLogprobs(event.logprobs))
      } else if (event.type === 'finish') {
        const ended = endedResponse(response, { ...reply, ...event })
        yield* messageEnd(ended.output[0]!)
        await onEnd(ended)
        yield lastPart(ended)
      }
    }
  } catch (error) {
    onError(error)
    const failed = failedResponse(response, error)
    await onEnd(failed).catch(onError)
    yield lastPart(failed)
  }
}

/** The events of a response that is whole, as if it were being written. */
export function replayedEvents(response: ResponseObject): ResponseEvent[] {
  const { steering: _steering, ...rest } = response
  const started: ResponseObject = {
    ...rest,
    ...{ status: 'in_progress', completed_at: null, error: null, incomplete_details: null },
    ...{ output: [], usage: null },
  }
  const [message] = response.output
  const text = message?.content[0]
  const parts: Part[] = [
    { type: 'response.created', response: started },
    { type: 'response.in_progress', response: started },
    ...(message && text
      ? [
          ...messageStart(response.id),
          textDelta(response.id, text.text, text.logprobs),
          ...messageEnd(message),
        ]
      : []),
    lastPart(response),
  ]
  return parts.map((part, index) => ({ ...part, sequence_number: index }) as ResponseEvent)
}

const place = { output_index: 0, content_index: 0 }

function messageStart(responseId: string): Part[] {
  const message = outputMessage(responseId, { text: '' }, 'in_progress')
  const part = message.content[0]!
  return [
    { type: 'response.output_item.added', output_index: 0, item: { ...message, content: [] } },
    { type: 'response.content_part.added', item_id: message.id, ...place, part },
  ]
}

function textDelta(responseId: string, delta: string, logprobs: ResponseLogprob[]): Part {
  const item_id = messageId(responseId)
  return { type: 'response.output_text.delta', item_id, ...place, delta, logprobs }
}

function messageEnd(message: ResponseOutputMessage): Part[] {
  const part = message.content[0]!
  const { text, logprobs } = part
  return [
    { type: 'response.output_text.done', item_id: message.id, ...place, text, logprobs },
    { type: 'response.content_part.done', item_id: message.id, ...place, part },
    { type: 'response.output_item.done', output_index: 0, item: message },
  ]
}

function lastPart(response: ResponseObject): Part {
  if (response.status === 'failed') return { type: 'response.failed', response }
  if (response.status === 'incomplete') return { type: 'response.incomplete', response }
  return { type: 'response.completed', response }
}

function failedResponse(response: ResponseObject, error: unknown): ResponseObject {
  const { status, body } = toErrorResponse(error)
  const code = status === 429 ? 'rate_limit_exceeded' : status < 500 ? 'invalid_prompt' : 'server_error' // prettier-ignore
  return { ...response, status: 'failed', error: { code, message: body.error.message } }
}

function outputMessage(
  responseId: string,
  { text, logprobs, steering }: Pick<Choice, 'text' | 'logprobs' | 'steering'>,
  status: ResponseOutputMessage['status'],
): ResponseOutputMessage {
  const part: ResponseOutputText = {
    type: 'output_text',
    text,
    annotations: [],
    logprobs: toLogprobs(logprobs),
  }
  return {
    id: messageId(responseId),
    type: 'message',
    role: 'assistant',
    status,
    content: [part],
    ...(steering && { attributes: steering.requested }),
  }
}

function toLogprobs(logprobs: readonly TextLogprob[] = []): ResponseLogprob[] {
  return logprobs.map(({ text, logprob, top }) => ({
    ...describe(text, logprob ?? 0),
    top_logprobs: top.map((other) => describe(other.text, other.logprob)),
  }))
}

function describe(token: string, logprob: number) {
  // A part of a character has no text, and the decoder does not tell its bytes.
  return { token, logprob, bytes: token.includes('\ufffd') ? [] : [...Buffer.from(token)] }
}

function toResponseUsage(usage: TextUsage): ResponseUsage {
  return {
    input_tokens: usage.promptTokens,
    input_tokens_details: { cached_tokens: usage.cachedTokens, cache_write_tokens: 0 },
    output_tokens: usage.completionTokens,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: usage.promptTokens + usage.completionTokens,
  }
}

const seconds = (): number => Math.floor(Date.now() / 1000)
