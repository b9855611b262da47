import t from 'tap'
import type { NpcDefinition, NpcSave } from '../../../schemas/npcs.ts'
import { SteerError } from '../../../src/errors.ts'
import { createGenerator } from '../../../src/services/generator.ts'
import { createModels } from '../../../src/services/models.ts'
import { createMemoryNpcStore } from '../../../src/services/npcs/npc-store.ts'
import {
  createNpcs,
  heardPart,
  type Line,
  type Npcs,
  type SayEvent,
  type SayRequest,
} from '../../../src/services/npcs/npcs.ts'
import { fakeLanguageModel, type FakeOptions } from '../fake-runtime.ts'
import { guard } from './definitions.ts'

function setup(pieces = ['Hm, ', 'well.'], options: FakeOptions & { limit?: number } = {}) {
  const model = fakeLanguageModel(pieces, options)
  const models = createModels(() => [model])
  const store = createMemoryNpcStore()
  const clock = { nowMs: 1_800_000_000_000 }
  const make = (): Npcs =>
    createNpcs({
      models,
      generator: createGenerator(models),
      store,
      now: () => clock.nowMs,
      limit: options.limit,
    })
  return { model, store, clock, npcs: make(), another: make }
}

const words = (message: string, more: Partial<SayRequest> = {}): SayRequest => ({
  message,
  measure: false,
  ...more,
})

async function say(npcs: Npcs, id: string, request: SayRequest, signal?: AbortSignal) {
  for await (const event of npcs.say(id, request, signal)) if (event.type === 'done') return event
  throw new Error('no last event')
}

/** Reads on until the first text came. */
async function firstDelta(events: AsyncGenerator<SayEvent>): Promise<string> {
  for (;;) {
    const { value, done } = await events.next()
    if (done) throw new Error('it ended')
    if (value.type === 'delta') return value.text
  }
}

async function rest(events: AsyncGenerator<SayEvent, void, void>): Promise<Line> {
  for (;;) {
    const { value, done } = await events.next()
    if (done) throw new Error('it ended')
    if (value.type === 'done') return value
  }
}

t.test('a line comes with its attributes, actions and state, and is remembered', async (t) => {
  const { npcs, model } = setup()
  const { id } = await npcs.create({ definition: guard })
  t.match(id, /^npc_[0-9a-f]{24}$/)
  const events: SayEvent[] = []
  for await (const event of npcs.say(id, words('Out of my way, fool!'))) events.push(event)
  t.match(events.slice(0, -1), [
    { type: 'start', exchange: 0, events: ['insulted'], attributes: { toxicity: 1.5 } },
    { type: 'delta', text: 'Hm, ' },
    { type: 'delta', text: 'well.' },
  ])
  const attributes = { helpfulness: 0.5, humor: 0, creativity: 0, verbosity: 1, toxicity: 1.5 }
  t.match(events.at(-1), {
    type: 'done',
    line: 'Hm, well.',
    finishReason: 'stop',
    attributes,
    actions: [],
    state: { version: 2, exchanges: 1, variables: { relation: { value: -1, min: -5 } } },
  })
  const second = await say(npcs, id, words('And now?'))
  t.equal(second.exchange, 1)
  t.match(model.requests.at(-1)!.prompt, {
    messages: [
      { role: 'system', content: guard.persona },
      { role: 'user', content: 'Out of my way, fool!' },
      { role: 'assistant', content: 'Hm, well.', attributes },
      { role: 'user', content: 'And now?' },
    ],
    attributes,
  })
  t.equal(model.requests[0]!.maxTokens, 128, 'a quarter of the context')
  const { exchanges, hasMore } = await npcs.exchanges(id, { limit: 1 })
  t.match(exchanges, [{ exchange: 1, message: 'And now?', line: 'Hm, well.', interrupted: false }])
  t.ok(hasMore)
  t.equal((await npcs.exchanges(id, { limit: 9, before: 1 })).exchanges.length, 1)
})

t.test('time passes by the clock of the server', async (t) => {
  const { npcs, clock } = setup()
  const { id } = await npcs.create({ definition: guard })
  await npcs.event(id, { type: 'insulted' })
  clock.nowMs += 30_000
  const state = await npcs.state(id)
  t.match(state, { time: 30, attributes: { toxicity: 1, helpfulness: 1.5 } })
  t.match(state.effects, [
    { event: 'insulted', target: 'helpfulness', amount: -2, now: -1, age_s: 30 },
    { event: 'insulted', target: 'toxicity', amount: 1, now: 0.5 },
  ])
  clock.nowMs -= 3_600_000
  t.equal((await npcs.state(id)).time, 0, 'a clock put back does no harm')
  t.equal((await npcs.event(id, { type: 'sorry' })).time, 0)
  await t.rejects(npcs.event(id, { type: 'sorry' }, 5), { code: 'BAD_REQUEST', param: 'time' })
})

t.test('a game tells its own time', async (t) => {
  const { npcs, clock } = setup()
  const { id } = await npcs.create({ definition: { ...guard, clock: 'game' } })
  await npcs.event(id, { type: 'insulted' }, 1000)
  clock.nowMs += 1e9
  t.equal((await npcs.state(id)).time, 1000)
  const { state } = await say(npcs, id, words('Hi', { time: 1030 }))
  t.match(state, { time: 1030, attributes: { toxicity: 1 } })
})

t.test('a line that fails leaves no trace', async (t) => {
  const error = new SteerError('ENGINE_CRASHED', 'boom')
  const { npcs } = setup(['a', 'b'], { failure: { after: 1, error } })
  const { id } = await npcs.create({ definition: guard })
  await t.rejects(say(npcs, id, words('You fool!')), { code: 'ENGINE_CRASHED' })
  t.match(await npcs.state(id), { version: 1, exchanges: 0, effects: [] })
  await t.rejects(npcs.interrupt(id, {}), { code: 'NOT_FOUND' }, 'nothing is under way')
})

t.test('clients at the same time lose no turn, and lines come one by one', async (t) => {
  const { npcs, model } = setup()
  const { id } = await npcs.create({ definition: guard })
  const lines = Array.from({ length: 8 }, (_, i) => say(npcs, id, words(`message ${i}`)))
  const insults = Array.from({ length: 12 }, () => npcs.event(id, { type: 'insulted' }))
  const said = await Promise.all(lines)
  await Promise.all(insults)
  t.same(
    said.map((line) => line.exchange),
    [0, 1, 2, 3, 4, 5, 6, 7],
  )
  const sizes = model.requests.map(({ prompt }) => 'messages' in prompt && prompt.messages.length)
  t.same(sizes, [2, 4, 6, 8, 10, 12, 14, 16], 'each line saw those before it')
  const state = await npcs.state(id)
  t.match(state, { exchanges: 8, version: 21, variables: { relation: { value: -5 } } })
  t.equal(state.effects.length, 24)
})

t.test('two servers over one store lose no turn either', async (t) => {
  const { npcs, another } = setup()
  const other = another()
  const { id } = await npcs.create({ definition: guard })
  const both = Array.from({ length: 10 }, (_, i) =>
    say(i % 2 ? npcs : other, id, words(`message ${i}`)),
  )
  const said = await Promise.all(both)
  const numbers = said.map((line) => line.exchange).sort((a, b) => a - b)
  t.same(numbers, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  const { exchanges } = await npcs.exchanges(id, { limit: 50 })
  t.equal(new Set(exchanges.map((item) => item.message)).size, 10)
})

t.test('an event takes effect while a line is being written, and is kept', async (t) => {
  const { npcs } = setup(['Well, '], { hang: true })
  const { id } = await npcs.create({ definition: guard })
  const events = npcs.say(id, words('Hello'))
  await firstDelta(events)
  const state = await npcs.event(id, { type: 'player.gave_gift' })
  t.match(state, { version: 2, variables: { relation: { value: 2 } } })
  const ending = rest(events)
  const line = await npcs.interrupt(id, {})
  t.match(line.state, { version: 3, exchanges: 1, variables: { relation: { value: 2 } } })
  t.same(
    line.state.actions.map(({ id: action }) => action),
    ['smile', 'give_item'],
    'the gift is news for the next line',
  )
  t.same(await ending, { ...line, type: 'done' })
})

t.test('a line knows of what was asked for before it, however slow the store', async (t) => {
  const { npcs, model, store } = setup(['Once upon a time.'])
  const { replace } = store
  store.replace = async (...args) => {
    for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setImmediate(resolve))
    return replace(...args)
  }
  const { id } = await npcs.create({ definition: guard })
  await say(npcs, id, words('A story?'))
  const interruption = npcs.interrupt(id, { heard: 'Once' })
  const event = npcs.event(id, { type: 'player.gave_gift' })
  const line = await say(npcs, id, words('Go on'))
  await Promise.all([interruption, event])
  t.match(line.actions, [{ type: 'smile' }, { type: 'give_item' }])
  t.match(model.requests.at(-1)!.prompt, { messages: [{}, {}, { content: 'Once' }, {}] })
})

t.test('barge-in: the reply stops, and the heard part is remembered', async (t) => {
  const { npcs, model } = setup(['Once upon ', 'a time'], { hang: true })
  const { id } = await npcs.create({ definition: guard })
  const events = npcs.say(id, words('Tell me a story, fool'))
  await firstDelta(events)
  await t.rejects(npcs.interrupt(id, { heard: 'Twice' }), { code: 'BAD_REQUEST', param: 'heard' })
  const ending = rest(events)
  const line = await npcs.interrupt(id, { heard: 'Once', exchange: 0 })
  t.match(line, { line: 'Once', finishReason: 'interrupted', usage: null, achieved: null })
  t.equal((await ending).line, 'Once')
  t.equal(await model.ended, 'left')
  const { exchanges } = await npcs.exchanges(id, { limit: 9 })
  t.match(exchanges, [{ line: 'Once', interrupted: true, events: ['insulted'] }])
})

t.test('a finished line can be shortened to what was heard, the last one only', async (t) => {
  const { npcs, model } = setup(['Once upon a time.'])
  const { id } = await npcs.create({ definition: guard })
  await say(npcs, id, words('A story?'))
  await say(npcs, id, words('Another?'))
  t.match(await npcs.interrupt(id, { heard: 9, exchange: 1 }), { line: 'Once upon', exchange: 1 })
  await t.rejects(npcs.interrupt(id, { exchange: 0 }), { code: 'NOT_FOUND' })
  t.equal((await npcs.interrupt(id, {})).line, 'Once upon', 'all that is left was heard')
  await npcs.interrupt(id, { heard: '' })
  await say(npcs, id, words('Go on'))
  const { prompt } = model.requests.at(-1)!
  t.equal('messages' in prompt && prompt.messages.length, 4, 'a line nobody heard is not there')
})

t.test('the heard part is a beginning, and never half a character', async (t) => {
  t.equal(heardPart('Hello', undefined), 'Hello')
  t.equal(heardPart('Hello', 99), 'Hello')
  t.equal(heardPart('a😀b', 2), 'a')
  t.equal(heardPart('a😀b', 3), 'a😀')
  t.throws(() => heardPart('Hello', 'ello'), { code: 'BAD_REQUEST' })
})

t.test('a client that leaves has heard what it was sent', async (t) => {
  const { npcs } = setup(['Once ', 'upon'], { hang: true })
  const { id } = await npcs.create({ definition: guard })
  const abort = new AbortController()
  const events = npcs.say(id, words('A story?'), abort.signal)
  await firstDelta(events)
  abort.abort()
  await t.rejects(rest(events), { code: 'CANCELLED' })
  const left = npcs.say(id, words('Another?'))
  await firstDelta(left)
  await left.return()
  const { exchanges } = await npcs.exchanges(id, { limit: 9 })
  t.match(exchanges, [
    { message: 'A story?', line: 'Once ', interrupted: true },
    { message: 'Another?', line: 'Once ', interrupted: true },
  ])
})

t.test('a client that leaves before any text has said nothing', async (t) => {
  const { npcs } = setup([], { hang: true })
  const { id } = await npcs.create({ definition: guard })
  const abort = new AbortController()
  const events = npcs.say(id, words('You fool'), abort.signal)
  t.match((await events.next()).value, { type: 'start' })
  const waiting = npcs.say(id, words('Me too'), abort.signal)
  const second = waiting.next()
  abort.abort()
  await t.rejects(rest(events), { code: 'CANCELLED' })
  await t.rejects(second, { code: 'CANCELLED' }, 'one that waited for its turn is gone, too')
  t.match(await npcs.state(id), { version: 1, exchanges: 0 })
})

t.test('an interruption before any text: the message was said, nothing was heard', async (t) => {
  const { npcs } = setup([], { hang: true })
  const { id } = await npcs.create({ definition: guard })
  const events = npcs.say(id, words('You fool'))
  await events.next()
  const ending = rest(events)
  t.match(await npcs.interrupt(id, {}), { line: '', state: { variables: { relation: { value: -1 } } } }) // prettier-ignore
  await ending
})

t.test('seventeen waiting lines are one too many', async (t) => {
  const { npcs } = setup([], { hang: true })
  const { id } = await npcs.create({ definition: guard })
  const abort = new AbortController()
  const all = Array.from({ length: 18 }, () => say(npcs, id, words('Hi'), abort.signal))
  await t.rejects(all[17]!, { code: 'QUEUE_FULL' })
  abort.abort()
  await Promise.allSettled(all)
})

t.test('a seed in the definition makes every line repeatable, each its own way', async (t) => {
  const { npcs, model } = setup()
  const definition: NpcDefinition = { ...guard, sampling: { seed: 40, temperature: 0.5, top_k: 7 } }
  const { id } = await npcs.create({ definition })
  await say(npcs, id, words('one'))
  await say(npcs, id, words('two'))
  await say(npcs, id, words('three', { seed: 9, temperature: 0, maxTokens: 5 }))
  t.match(model.requests, [
    { seed: 40, temperature: 0.5, topK: 7 },
    { seed: 41, temperature: 0.5, topK: 7 },
    { seed: 9, temperature: 0, maxTokens: 5 },
  ])
})

t.test('a new definition goes on with the same life, unless it comes too late', async (t) => {
  const { npcs, clock } = setup()
  const { id } = await npcs.create({ definition: guard })
  await npcs.event(id, { type: 'insulted' })
  clock.nowMs += 30_000
  const updated = await npcs.update(id, { ...guard, name: 'Old Torvald' }, 2)
  t.match(updated, { version: 3, definition: { name: 'Old Torvald' } })
  t.match(await npcs.state(id), { time: 30, variables: { relation: { value: -1 } } })
  await t.rejects(npcs.update(id, guard, 2), { code: 'NPC_CHANGED', param: 'version' })
  await t.rejects(npcs.update(id, { ...guard, rules: ['a: charm +1'] }), { code: 'NPC_RULE_INVALID' }) // prettier-ignore
})

t.test('names, limits, lists, templates', async (t) => {
  const { npcs } = setup([], { limit: 3 })
  await npcs.create({ id: 'b', definition: guard })
  await npcs.createFromTemplate('guard', 'a')
  await t.rejects(npcs.create({ id: 'a', definition: guard }), { code: 'ALREADY_EXISTS' })
  await t.rejects(npcs.createFromTemplate('king'), { code: 'NOT_FOUND', message: /guard/ })
  await npcs.create({ id: 'c', definition: guard })
  await t.rejects(npcs.create({ id: 'd', definition: guard }), { code: 'NPC_LIMIT_REACHED' })
  const ids = async (after?: string) => {
    const { records, hasMore } = await npcs.list({ limit: 2, after })
    return [records.map(({ id }) => id), hasMore]
  }
  t.same(await ids(), [['a', 'b'], true])
  t.same(await ids('b'), [['c'], false])
  await npcs.delete('b')
  await t.rejects(npcs.delete('b'), { code: 'NPC_NOT_FOUND' })
  const calls: Promise<unknown>[] = [
    npcs.get('b'),
    npcs.state('b'),
    npcs.save('b'),
    npcs.interrupt('b', {}),
    npcs.event('b', { type: 'insulted' }),
    say(npcs, 'b', words('x')),
  ]
  for (const call of calls) await t.rejects(call, { code: 'NPC_NOT_FOUND', param: 'id' })
  await t.rejects(npcs.create({ definition: { ...guard, model: 'gpt' } }), { code: 'MODEL_NOT_FOUND' }) // prettier-ignore
})

t.test('a saved character goes on where it was, as a new one or in a place', async (t) => {
  const first = setup()
  const { id } = await first.npcs.create({ definition: guard })
  await say(first.npcs, id, words('You fool'))
  await say(first.npcs, id, words('fool'))
  first.clock.nowMs += 30_000
  const save = JSON.parse(JSON.stringify(await first.npcs.save(id))) as NpcSave
  t.match(save, { object: 'npc.save', schema: 1, id, exchanges: [{}, {}] })
  const expected = await first.npcs.state(id)

  const second = setup()
  second.clock.nowMs += 9e9 // while it lies in a file, no time passes
  const loaded = await second.npcs.load(save, { id: 'again' })
  t.same(await second.npcs.state('again'), { ...expected, id: 'again', version: 1 })
  t.same(await second.npcs.exchanges('again', { limit: 9 }), await first.npcs.exchanges(id, { limit: 9 })) // prettier-ignore
  second.clock.nowMs += 30_000
  t.match(await second.npcs.state('again'), { time: 60, effects: [] })

  await t.rejects(second.npcs.load(save, { id: 'again' }), { code: 'ALREADY_EXISTS' })
  const replaced = await second.npcs.load(save, { id: 'again', replace: true })
  t.equal(replaced.version, 2)
  t.same(await second.npcs.state('again'), { ...expected, id: 'again', version: 2 })
  t.not((await second.npcs.load(save, {})).id, loaded.id)
})

t.test('a save that does not fit together is refused', async (t) => {
  const { npcs } = setup()
  const { id } = await npcs.create({ definition: guard })
  await say(npcs, id, words('You fool'))
  const save = await npcs.save(id)
  const effect = save.state.effects[0]!
  const wrong: [string, object, object?][] = [
    ['save.state.variables.luck', { variables: { ...save.state.variables, luck: { value: 1, at: 0 } } }],
    ['save.state.variables.mood', { variables: { ...save.state.variables, mood: { value: 9, at: 0 } } }],
    ['save.state.variables.mood.at', { variables: { ...save.state.variables, mood: { value: 0, at: 9 } } }],
    ['save.state.variables', { variables: { relation: { value: 0, at: 0 } } }],
    ['save.state.effects.0.target', { effects: [{ ...effect, target: 'charm' }] }],
    ['save.state.effects.0.at', { effects: [{ ...effect, at: 99 }] }],
    ['save.state.exchanges', { exchanges: 0 }],
    ['save.exchanges.0.time', {}, { exchanges: [{ ...save.exchanges[0], time: 99 }] }],
    ['save.exchanges.1.exchange', {}, { exchanges: [...save.exchanges, ...save.exchanges] }],
  ] // prettier-ignore
  for (const [param, state, more] of wrong) {
    const bad = { ...save, ...more, state: { ...save.state, ...state } } as NpcSave
    await t.rejects(npcs.load(bad, { id: 'bad' }), { code: 'BAD_REQUEST', param }, param)
  }
  await t.rejects(npcs.get('bad'), { code: 'NPC_NOT_FOUND' }, 'nothing was made')
})
