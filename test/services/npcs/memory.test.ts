import t from 'tap'
import type { NpcDefinition, NpcExchange } from '../../../schemas/npcs.ts'
import type { Message } from '../../../schemas/records.ts'
import { recollect, replyTokens, type MemoryRequest } from '../../../src/services/npcs/memory.ts'
import { guard } from './definitions.ts'

const exchange = (n: number, line = `line ${n}`): NpcExchange => ({
  exchange: n,
  time: n,
  message: `message ${n}`,
  line,
  attributes: { humor: n % 5 },
  events: [],
  actions: [],
  interrupted: false,
})
const many = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => exchange(from + i))

/** Ten tokens a message. */
function ask(more: Partial<MemoryRequest> & { definition?: NpcDefinition } = {}) {
  let counts = 0
  const request: MemoryRequest = {
    definition: guard,
    baselines: { humor: 1 },
    exchanges: many(3),
    rememberedFrom: 0,
    message: 'And now?',
    contextLength: 1000,
    count: async (messages) => {
      counts += 1
      return messages.length * 10
    },
    ...more,
  }
  return { result: recollect(request), counts: () => counts }
}
const players = (messages: Message[]) =>
  messages.filter(({ role }) => role === 'user').map(({ content }) => content)

t.test('persona, earlier lines with their own attributes, the message', async (t) => {
  const { messages, rememberedFrom } = await ask({ exchanges: many(1) }).result
  t.same(messages, [
    { role: 'system', content: guard.persona },
    { role: 'user', content: 'message 0' },
    { role: 'assistant', content: 'line 0', attributes: { humor: 0 } },
    { role: 'user', content: 'And now?' },
  ])
  t.equal(rememberedFrom, 0)
})

t.test('the voice ends the system message; examples follow with their attributes', async (t) => {
  const definition = {
    ...guard,
    voice: 'Speaks slowly.',
    examples: [
      { player: 'Hi', line: 'Hm.', attributes: { humor: 4 } },
      { player: 'Ho', line: 'Yes.' },
    ],
  }
  const { messages } = await ask({ definition, exchanges: [] }).result
  t.equal(messages[0]!.content, `${guard.persona} Speaks slowly.`)
  t.same(messages[2], { role: 'assistant', content: 'Hm.', attributes: { humor: 4 } })
  t.same(messages[4], { role: 'assistant', content: 'Yes.', attributes: { humor: 1 } })
  const bare = await ask({ definition: { ...guard, persona: '' }, exchanges: [] }).result
  t.same(bare.messages, [{ role: 'user', content: 'And now?' }])
})

t.test(
  'what does not fit is forgotten, oldest first, down to three quarters of the room',
  async (t) => {
    // The room is 1000 − 250 tokens: 75 messages. 40 exchanges and two more are 82.
    const { result, counts } = ask({ exchanges: many(40) })
    const { messages, rememberedFrom } = await result
    t.equal(messages.length, 56, '562.5 tokens, in pairs')
    t.equal(rememberedFrom, 13)
    t.same(players(messages).slice(0, 2), ['message 13', 'message 14'])
    t.equal(messages[0]!.role, 'system')
    t.ok(counts() < 10, `${counts()} counts`)
    const next = await ask({ exchanges: many(41), rememberedFrom }).result
    t.equal(next.rememberedFrom, 13, 'the next lines forget nothing more')
    t.equal((await ask({ exchanges: many(49), rememberedFrom }).result).rememberedFrom, 13)
    t.ok((await ask({ exchanges: many(50), rememberedFrom }).result).rememberedFrom > 13)
  },
)

t.test('memory.exchanges bounds it; lines of which nothing was heard are left out', async (t) => {
  const two = { ...guard, memory: { exchanges: 2 } }
  const silent = [exchange(0), exchange(1), exchange(2, ''), exchange(3)]
  const { messages, rememberedFrom } = await ask({ definition: two, exchanges: silent }).result
  t.same(players(messages), ['message 1', 'message 3', 'And now?'])
  t.equal(rememberedFrom, 1)
  const none = { ...guard, memory: { exchanges: 0 } }
  const alone = await ask({ definition: none }).result
  t.same(players(alone.messages), ['And now?'])
  t.equal(alone.rememberedFrom, 3)
})

t.test('a persona and a message that do not fit by themselves are an error', async (t) => {
  await t.rejects(ask({ contextLength: 20 }).result, {
    code: 'CONTEXT_TOO_LONG',
    param: 'message',
    message: /have 20 tokens; of the context of 20 the line needs 5/,
  })
})

t.test(
  'a line has a quarter of the context, at most 256, or what the definition says',
  async (t) => {
    t.equal(replyTokens(guard, 400), 100)
    t.equal(replyTokens(guard, 8000), 256)
    t.equal(replyTokens({ ...guard, memory: { reply_tokens: 30 } }, 400), 30)
  },
)
