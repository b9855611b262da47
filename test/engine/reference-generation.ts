/** What the engine must produce: one request alone, without cache, batch, chunks or scheduler. */

import type { EngineEvent, EngineRequest, TokenLogprob } from '../../src/engine/engine-types.ts'
import { tokenLogprob } from '../../src/engine/logprobs.ts'
import { Sampler, SamplerState } from '../../src/engine/sampler.ts'
import { alone, FAKE_VOCAB, fakeLogits } from './fake-model-step.ts'

/** The events of `request`, with cachedTokens left out (it depends on the cache). */
export function referenceEvents(request: EngineRequest, contextLength: number): unknown[] {
  const { branches = [], weight = 1 } = request
  const rows = [{ tokens: request.tokens, weight }, ...branches].map((row) => ({ ...row, history: [...row.tokens] })) // prettier-ignore
  const sampler = new Sampler(FAKE_VOCAB)
  const state = new SamplerState(request, request.tokens, FAKE_VOCAB)
  const promptTokens = request.tokens.length
  const events: unknown[] = []
  const promptLogprobs = request.echo ? referenceEcho(request) : undefined
  events.push({ type: 'start', promptTokens, ...(promptLogprobs ? { promptLogprobs } : {}) })
  let completionTokens = 0
  const done = (reason: string, stop?: number): unknown[] => [
    ...events,
    {
      type: 'done',
      reason,
      ...(stop === undefined ? {} : { stopToken: stop }),
      promptTokens,
      completionTokens,
    },
  ]
  while (completionTokens < request.maxTokens) {
    const logits = branches.length === 0 ? fakeLogits(rows[0]!.history) : weighted(rows)
    const token = sampler.sample(logits, state)
    if (!request.ignoreStop && request.stopTokens.includes(token)) return done('stop', token)
    const logprob =
      request.logprobs === undefined
        ? {}
        : { logprob: tokenLogprob(logits, token, request.logprobs) }
    events.push({ type: 'token', token, ...logprob })
    completionTokens += 1
    if (rows.some(({ history }) => history.length === contextLength)) break
    for (const { history } of rows) history.push(alone(token))
  }
  return done('length')
}

/** Σ weight · logits; the engine keeps single precision after each row. */
function weighted(rows: readonly { history: readonly number[]; weight: number }[]): Float32Array {
  const all = rows.map(({ history, weight }) => ({ logits: fakeLogits(history), weight }))
  return Float32Array.from({ length: FAKE_VOCAB }, (_, i) =>
    all.reduce((sum, { logits, weight }) => Math.fround(sum + weight * logits[i]!), 0),
  )
}

function referenceEcho(request: EngineRequest): TokenLogprob[] {
  return request.tokens.map((token, i) =>
    i === 0
      ? { token, logprob: null, top: [] }
      : tokenLogprob(fakeLogits(request.tokens.slice(0, i)), token, request.logprobs ?? 0),
  )
}

/** Drops what may depend on the cache. */
export function withoutCache(events: readonly EngineEvent[]): unknown[] {
  return events.map((event) => {
    if (event.type === 'token') return event
    const { cachedTokens: _, ...rest } = event
    return rest
  })
}

export async function collect(stream: AsyncIterable<EngineEvent>): Promise<EngineEvent[]> {
  const events: EngineEvent[] = []
  for await (const event of stream) events.push(event)
  return events
}
