/** A reply that is taken up again says what it would have said: characters, stops and lengths across the seam. */
import t from 'tap'
import type { EngineEvent } from '../../src/engine/index.ts'
import { takeUpReply } from '../../src/services/reply-so-far.ts'
import type { TextEvent } from '../../src/services/runtime-types.ts'
import { generateText } from '../../src/services/text-generation.ts'
import { byteTokenizer } from './fake-parts.ts'

type Reply = { tokens: readonly number[]; characters?: number }

async function* engineEvents(tokens: readonly number[]): AsyncGenerator<EngineEvent> {
  yield { type: 'start', promptTokens: 1, cachedTokens: 0 }
  for (const token of tokens) {
    yield { type: 'token', token, logprob: { token, logprob: -1, top: [] } }
  }
  const counts = { promptTokens: 1, completionTokens: tokens.length, cachedTokens: 0 }
  yield { type: 'done', reason: 'length', ...counts }
}

async function write(tokens: readonly number[], stops: string[], reply?: Reply) {
  const start = { type: 'start' as const, promptTokens: 1, cachedTokens: 0 }
  const deltas: (TextEvent & { type: 'delta' })[] = []
  let end: (TextEvent & { type: 'done' }) | undefined
  const options = { tokenizer: byteTokenizer, stops, reply, start: () => start }
  for await (const event of generateText(engineEvents(tokens), options)) {
    if (event.type === 'delta') deltas.push(event)
    else if (event.type === 'done') end = event
  }
  return { deltas, end: end!, text: deltas.map(({ text }) => text).join('') }
}

const texts: [text: string, stops: string[]][] = [
  ['a é € 😀 b', []],
  ['one END two', ['END']],
  ['ENEND', ['END']],
  ['é\nuse €\nus\nuser: x', ['\nuser:']],
  ['aaab', ['aab']],
]

for (const [whole, stops] of texts) {
  t.test(`cut anywhere, the text is the same: ${JSON.stringify(whole)}`, async (t) => {
    const bytes = [...Buffer.from(whole)]
    const all = await write(bytes, stops)
    for (let cut = 0; cut <= all.deltas.length; cut += 1) {
      const before = all.deltas.slice(0, cut)
      const tokens = before.flatMap((delta) => delta.tokens)
      const sent = before.map(({ text }) => text).join('')
      const rest = bytes.slice(tokens.length)
      const after = await write(rest, stops, { tokens, characters: sent.length })
      t.equal(sent + after.text, all.text, `cut after ${cut} deltas`)
      t.equal(after.end.finishReason, all.end.finishReason)
      const logprobs = after.deltas.flatMap((delta) => delta.logprobs ?? [])
      t.equal(logprobs.length, after.deltas.flatMap((delta) => delta.tokens).length)
    }
  })
}

t.test('a token whose text was sent in part only is not sent twice', async (t) => {
  // One token says "x\n"; of it "x" was sent, because "\n" may begin a stop.
  const words = ['x\n', 'user:', 'y']
  const tokenizer = {
    decode: (ids: readonly number[]) => ids.map((id) => words[id]).join(''),
    isSpecial: () => false,
  }
  const start = { type: 'start' as const, promptTokens: 1, cachedTokens: 0 }
  const run = async (tokens: number[]): Promise<string> => {
    let text = ''
    const reply = { tokens: [0], characters: 1 }
    const options = { tokenizer, stops: ['\nuser:'], reply, start: () => start }
    for await (const event of generateText(engineEvents(tokens), options)) {
      if (event.type === 'delta') text += event.text
    }
    return text
  }
  t.equal(await run([2]), '\ny')
  t.equal(await run([1, 2]), '')
})

t.test('a point in the middle of a character or token goes back to where one ends', async (t) => {
  const tokens = [...Buffer.from('aé€😀b')]
  const at = (keep: number) => takeUpReply(byteTokenizer, { tokens, characters: 6, keep }, [])
  const kept: [number, string][] = [
    [0, ''],
    [1, 'a'],
    [2, 'aé'],
    [3, 'aé€'],
    [4, 'aé€'], // half of a surrogate pair
    [5, 'aé€😀'],
    [6, 'aé€😀b'],
    [100, 'aé€😀b'],
  ]
  for (const [keep, text] of kept) {
    t.equal(at(keep).text, text, `${keep} characters`)
    t.same(at(keep).tokens, [...Buffer.from(text)])
  }
})

t.test('a given text may not hold a stop string', async (t) => {
  t.same(takeUpReply(byteTokenizer, { text: 'hé' }, ['END']).tokens, [...Buffer.from('hé')])
  t.throws(() => takeUpReply(byteTokenizer, { text: 'the END' }, ['END']), {
    code: 'BAD_REQUEST',
    param: 'text',
  })
})
