import t from 'tap'
import type { EngineEvent } from '../../src/engine/index.ts'
import type { TextEvent } from '../../src/services/runtime-types.ts'
import { describeLogprob, generateText } from '../../src/services/text-generation.ts'
import { byteTokenizer } from './fake-parts.ts'

/** Engine events for the bytes of a text, one token a byte. */
async function* engineEvents(text: string, reason: 'stop' | 'length' = 'stop') {
  const bytes = [...Buffer.from(text)]
  const promptTokens = 3
  yield { type: 'start', promptTokens, cachedTokens: 1 } satisfies EngineEvent
  for (const token of bytes) {
    const logprob = { token, logprob: -1, top: [{ token, logprob: -1 }] }
    yield { type: 'token', token, logprob } satisfies EngineEvent
  }
  const completionTokens = bytes.length
  yield { type: 'done', reason, promptTokens, completionTokens, cachedTokens: 1 } satisfies EngineEvent // prettier-ignore
}

async function collect(text: string, stops: string[] = [], reason?: 'length') {
  const start = { type: 'start' as const, promptTokens: 3, cachedTokens: 1 }
  const events: TextEvent[] = []
  const options = { tokenizer: byteTokenizer, stops, start: () => start }
  for await (const event of generateText(engineEvents(text, reason), options)) events.push(event)
  const deltas = events.filter((event) => event.type === 'delta')
  return {
    events,
    texts: deltas.map((delta) => delta.text),
    tokens: deltas.flatMap((delta) => delta.tokens),
    logprobs: deltas.flatMap((delta) => delta.logprobs ?? []),
    done: events.at(-1) as TextEvent & { type: 'done' },
  }
}

t.test('a character comes out when its last byte is there, with all its tokens', async (t) => {
  const { texts, tokens, done, events } = await collect('aé€b')
  t.same(texts, ['a', 'é', '€', 'b'])
  t.same(tokens, [...Buffer.from('aé€b')])
  t.same(done, {
    type: 'done',
    finishReason: 'stop',
    usage: { promptTokens: 3, completionTokens: 7, cachedTokens: 1 },
  })
  t.equal(events[0]!.type, 'start')
})

t.test('an unfinished character at the end shows as U+FFFD, and no token is lost', async (t) => {
  const half = Buffer.from('a€').subarray(0, 3).toString('latin1')
  const bytes = Buffer.from(half, 'latin1')
  const events = (async function* () {
    yield { type: 'start', promptTokens: 1, cachedTokens: 0 } satisfies EngineEvent
    for (const token of bytes) yield { type: 'token', token } satisfies EngineEvent
    yield { type: 'done', reason: 'length', promptTokens: 1, completionTokens: 3, cachedTokens: 0 } satisfies EngineEvent // prettier-ignore
  })()
  const start = { type: 'start' as const, promptTokens: 1, cachedTokens: 0 }
  let text = ''
  const tokens: number[] = []
  for await (const event of generateText(events, {
    tokenizer: byteTokenizer,
    stops: [],
    start: () => start,
  })) {
    // prettier-ignore
    if (event.type !== 'delta') continue
    text += event.text
    tokens.push(...event.tokens)
  }
  t.equal(text, 'a\ufffd')
  t.same(tokens, [...bytes])
})

t.test('a stop string across tokens ends the text before it, and hides its tokens', async (t) => {
  const { texts, tokens, logprobs, done } = await collect('hello END more', [' END'])
  t.equal(texts.join(''), 'hello')
  t.same(tokens, [...Buffer.from('hello')])
  t.equal(logprobs.length, 5)
  t.match(done, { finishReason: 'stop', usage: { completionTokens: 9 } })
})

t.test('text that only looks like a stop comes out after all', async (t) => {
  const { texts, tokens } = await collect('a EN', [' END'], 'length')
  t.same(texts, ['a', ' EN'])
  t.equal(tokens.length, 4)
})

t.test('reading stops with the stop string, which cancels the engine’s reply', async (t) => {
  let isLeft = false
  async function* endless(): AsyncGenerator<EngineEvent> {
    try {
      yield { type: 'start', promptTokens: 1, cachedTokens: 0 }
      for (;;) yield { type: 'token', token: 120 }
    } finally {
      isLeft = true
    }
  }
  const start = { type: 'start' as const, promptTokens: 1, cachedTokens: 0 }
  const options = { tokenizer: byteTokenizer, stops: ['xxx'], start: () => start }
  for await (const event of generateText(endless(), options)) t.not(event.type, 'delta')
  t.ok(isLeft)
})

t.test('log-probabilities carry the texts of their tokens', async (t) => {
  const { logprobs } = await collect('é')
  t.same(
    logprobs.map((item) => [item.token, item.text, item.top[0]!.text]),
    [
      [195, '\ufffd', '\ufffd'],
      [169, '\ufffd', '\ufffd'],
    ],
  )
})

t.test(
  'the space that a sentencepiece token begins with is part of its text, but not of the first',
  async (t) => {
    const words = ['▁Once', '▁upon']
    const decode = (ids: readonly number[]): string =>
      ids
        .map((id) => words[id])
        .join('')
        .replaceAll('▁', ' ')
        .slice(1)
    const logprob = { token: 1, logprob: -1, top: [] }
    t.equal(describeLogprob({ decode }, logprob, true).text, 'upon')
    t.equal(describeLogprob({ decode }, logprob, false).text, ' upon')
  },
)
