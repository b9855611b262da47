/** What the engine must produce: one request alone, without cache, batch, chunks or scheduler. */

import type { EngineEvent, EngineRequest, TokenLogprob } from '../../src/engine/engine-types.ts'
import { tokenLogprob } from '../../src/engine/logprobs.ts'
import { Sampler, SamplerState } from '../../src/engine/sampler.ts'
import { alone, FAKE_VOCAB, fakeLogits } from './fake-model-step.ts'

/** The events of `request`, with cachedTokens left out (it depends on the cache). */
export function referenceEvents(request: EngineRequest, contextLength: number): unknown[] {
  const { branches = [], share = 1 } = request
  const rows = [{ tokens: request.tokens, term: 0, share }, ...branches].map((row) => ({ ...row, history: [...row.tokens] })) // prettier-ignore
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
    const logits =
      branches.length === 0 ? fakeLogits(rows[0]!.history) : blended(rows, request.weights!)
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

interface ReferenceRow {
  history: readonly number[]
  term: number
  share: number
}

/** Σ weight · log Σ share · p; the engine keeps single precision after each term. */
function blended(rows: readonly ReferenceRow[], weights: readonly number[]): Float32Array {
  const logs = weights.map((_, term) => {
    const own = rows.filter((row) => row.term === term)
    return own.length === 1 ? [...fakeLogits(own[0]!.history)] : mixed(own)
  })
  return Float32Array.from({ length: FAKE_VOCAB }, (_, i) =>
    logs.reduce((sum, term, t) => Math.fround(sum + weights[t]! * term[i]!), 0),
  )
}

function mixed(rows: readonly ReferenceRow[]): number[] {
  const all = rows.map(({ history, share }) => {
    const weights = [...fakeLogits(history)].map(Math.exp)
    const sum = weights.reduce((total, weight) => total + weight)
    return weights.map((weight) => (share * weight) / sum)
  })
  return all.reduce((total, row) => total.map((value, i) => value + row[i]!)).map(Math.log)
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
