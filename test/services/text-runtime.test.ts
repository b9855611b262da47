import t from 'tap'
import type { TextEvent, TextRequest } from '../../src/services/runtime-types.ts'
import { createModelRuntime } from '../../src/services/text-runtime.ts'
import { fakeParts } from './fake-parts.ts'

const messages = [{ role: 'user' as const, content: 'Hi' }]

async function run(request: Partial<TextRequest>, reply = 'Hello') {
  const { parts, engine } = fakeParts(reply)
  const runtime = createModelRuntime(parts)
  const events: TextEvent[] = []
  const prompt = { messages, attributes: {} }
  for await (const event of runtime.generate({ prompt, temperature: 0, ...request })) {
    events.push(event)
  }
  const text = events.map((event) => (event.type === 'delta' ? event.text : '')).join('')
  const [sent] = engine.requests
  return { events, text, sent: sent!, prompt: Buffer.from(sent!.tokens).toString() }
}

const textOf = (tokens: readonly number[]) => Buffer.from(tokens).toString()

t.test('attributes not given take their defaults', async (t) => {
  const { prompt, text, sent } = await run({ prompt: { messages, attributes: { humor: 3 } } })
  t.equal(prompt, 'user: Hi\nhelpfulness:4,humor:3,creativity:0,verbosity:2,toxicity:0\n')
  t.equal(text, 'Hello')
  t.equal(sent.branches, undefined)
})

t.test('between two levels both label lines count, by their distance', async (t) => {
  const { prompt, sent } = await run({ prompt: { messages, attributes: { humor: 2.75 } } })
  t.equal(prompt, 'user: Hi\nhelpfulness:4,humor:3,creativity:0,verbosity:2,toxicity:0\n')
  t.match(sent, { share: 0.75, weights: [1], branches: [{ term: 0, share: 0.25 }] })
  t.match(textOf(sent.branches![0]!.tokens), 'humor:2,')
})

t.test('guidance sets the unlabelled or the avoided line against the requested one', async (t) => {
  const prompt = { messages, attributes: { humor: 3 } }
  const { sent } = await run({ prompt, guidance: { scale: 3 } })
  t.match(sent, { share: 1, weights: [3, -2], branches: [{ term: 1, share: 1 }] })
  t.equal(textOf(sent.branches![0]!.tokens), 'user: Hi\n\n')
  const avoiding = await run({ prompt, guidance: { scale: 2, avoid: { toxicity: 4 } } })
  t.match(avoiding.sent, { weights: [2, -1] })
  t.match(textOf(avoiding.sent.branches![0]!.tokens), 'humor:3,creativity:0,verbosity:2,toxicity:4')
  await t.rejects(run({ prompt, guidance: { scale: 2, avoid: { humor: 3 } } }), {
    code: 'BAD_REQUEST',
    param: 'steering.avoid',
  })
  await t.rejects(run({ prompt: { text: 'Hi' }, guidance: { scale: 2 } }), {
    code: 'BAD_REQUEST',
    param: 'steering.guidance',
  })
})

t.test('a text with attributes gets the label line behind it', async (t) => {
  const { prompt, sent } = await run({ prompt: { text: 'Hi|', attributes: { humor: 1 } } })
  t.equal(prompt, 'Hi|helpfulness:4,humor:1,creativity:0,verbosity:2,toxicity:0\n')
  t.same(sent.stopTokens, [256])
  const { prompt: plain } = await run({ prompt: { text: 'Hi|' } })
  t.equal(plain, 'Hi|')
})

t.test('the longest of the rows must fit', async (t) => {
  const prompt = { messages: [{ role: 'user' as const, content: 'x'.repeat(150) }], attributes: {} }
  await t.rejects(run({ prompt }), { code: 'CONTEXT_TOO_LONG' })
})

t.test('with onlyGiven the label holds what was given', async (t) => {
  const { prompt } = await run({ prompt: { messages, attributes: { humor: 1 }, onlyGiven: true } })
  t.equal(prompt, 'user: Hi\nhumor:1\n')
})

t.test('max tokens are the rest of the context, at most', async (t) => {
  const { sent } = await run({})
  t.equal(sent.maxTokens, 200 - sent.tokens.length)
  t.equal((await run({ maxTokens: 10_000 })).sent.maxTokens, sent.maxTokens)
  t.equal((await run({ maxTokens: 3 })).text, 'Hel')
})

t.test('a prompt that leaves no room fails with both numbers', async (t) => {
  const prompt = { tokens: Array.from({ length: 200 }, () => 65) }
  await t.rejects(run({ prompt }), {
    code: 'CONTEXT_TOO_LONG',
    message: /the prompt has 200 tokens, the context holds 200 with at least 1/,
    param: 'prompt',
  })
  t.equal((await run({ prompt, maxTokens: 0 })).text, '', 'but it can be scored')
  await t.rejects(run({ prompt: { tokens: [...prompt.tokens, 65] }, maxTokens: 0 }), {
    code: 'CONTEXT_TOO_LONG',
  })
})

t.test('unknown attributes and values out of range fail, in earlier turns too', async (t) => {
  const attributes = { charm: 1 }
  await t.rejects(run({ prompt: { messages, attributes } }), { code: 'ATTRIBUTE_UNKNOWN' })
  await t.rejects(run({ prompt: { messages, attributes: { humor: -1 } } }), {
    code: 'ATTRIBUTE_OUT_OF_RANGE',
    param: 'attributes.humor',
  })
  const earlier = [...messages, { role: 'assistant' as const, content: 'x', attributes }]
  await t.rejects(run({ prompt: { messages: earlier, attributes: {} } }), {
    code: 'ATTRIBUTE_UNKNOWN',
  })
})

t.test('the template’s stop strings and the request’s both end a reply', async (t) => {
  t.equal((await run({}, 'Yes.\nuser: me')).text, 'Yes.')
  t.equal((await run({ stop: ['e'] }, 'Yes.')).text, 'Y')
  t.equal((await run({ prompt: { text: 'Q' } }, 'Yes.\nuser: me')).text, 'Yes.\nuser: me')
})

t.test('sampling fields go to the engine, texts do not', async (t) => {
  const { sent } = await run({
    topK: 5,
    seed: 9,
    stop: ['x'],
    ignoreEos: true,
    logitBias: { 5: 1 },
  })
  t.match(sent, { topK: 5, seed: 9, ignoreStop: true, logitBias: { 5: 1 }, stopTokens: [256] })
  t.notOk('stop' in sent || 'prompt' in sent || 'ignoreEos' in sent)
})

t.test('echo tells the prompt’s text, and its log-probabilities when asked for', async (t) => {
  const { events } = await run({ prompt: { tokens: [72, 105] }, echo: true, logprobs: 0, returnTokenIds: true }) // prettier-ignore
  t.match(events[0], {
    type: 'start',
    promptText: 'Hi',
    promptTokenIds: [72, 105],
    promptLogprobs: [{ text: 'H' }, { text: 'i', logprob: -2 }],
  })
})

t.test('predict names the scores of the rows', async (t) => {
  const runtime = createModelRuntime(fakeParts('').parts)
  const reply = { role: 'assistant' as const, content: 'Yo' }
  const [values] = await runtime.predict([[...messages, reply]])
  t.same(values, { helpfulness: 23, humor: 10, creativity: 1, verbosity: 2, toxicity: 3 })
})

t.test('predictions are calibrated where the model is, unless asked for raw', async (t) => {
  const { parts } = fakeParts('')
  const calibration = {
    humor: {
      method: 'linear' as const,
      points: [
        [0, 1],
        [300, 4],
      ] as [number, number][],
      spread: [[0, 0.5]] as [number, number][],
      rows: 100,
      error: { before: 1, after: 0.1 },
      confidence_error: 0.02,
    },
  }
  const runtime = createModelRuntime({ ...parts, info: { ...parts.info, calibration } })
  const [values] = await runtime.predict([messages])
  const [raw] = await runtime.predict([messages], undefined, { raw: true })
  t.equal(values!.humor, 1 + raw!.humor! / 100)
  t.equal(values!.helpfulness, raw!.helpfulness)
})

t.test(
  'countTokens measures a prompt as generate sees it, even one that is too long',
  async (t) => {
    const { parts, engine } = fakeParts('x')
    const runtime = createModelRuntime(parts)
    const prompt = { messages, attributes: { humor: 2 } }
    for await (const _ of runtime.generate({ prompt, temperature: 0 }));
    t.equal(await runtime.countTokens(prompt), engine.requests[0]!.tokens.length)
    t.equal(await runtime.countTokens({ text: 'a'.repeat(500) }), 500)
    const unknown = { messages, attributes: { charm: 1 } }
    await t.rejects(runtime.countTokens(unknown), { code: 'ATTRIBUTE_UNKNOWN' })
  },
)

t.test('what a model cannot do is an error of its own; dispose reaches the parts', async (t) => {
  const { parts, engine } = fakeParts('x')
  const blind = createModelRuntime({ ...parts, engine: undefined, template: null })
  const request = { prompt: { messages, attributes: {} }, temperature: 0 }
  await t.rejects(async () => {
    for await (const _ of blind.generate(request));
  }, { code: 'MODEL_NOT_GENERATIVE' }) // prettier-ignore
  await t.rejects(blind.predict([messages]), { code: 'MODEL_NOT_PREDICTIVE' })
  const plain = createModelRuntime({ ...parts, template: null })
  await t.rejects(async () => {
    for await (const _ of plain.generate(request));
  }, { code: 'BAD_TEMPLATE' }) // prettier-ignore
  await createModelRuntime(parts).dispose()
  t.equal(engine.disposed, 2)
})
