import t from 'tap'
import type { NpcDefinition } from '../../../schemas/npcs.ts'
import {
  actionsAt,
  adoptState,
  advance,
  afterLine,
  applyEvent,
  attributesAt,
  initialState,
  variablesAt,
  type CharacterState,
} from '../../../src/services/npcs/character-state.ts'
import { createRandom } from '../../../src/util/random.ts'
import { build } from './definitions.ts'

const character = build()
type Timed = { type: string; at: number; data?: Record<string, number> }

/** The state after these events. */
function live(events: readonly Timed[], from: CharacterState = initialState(character)) {
  return events.reduce(
    (state, { type, at, data }) => applyEvent(character, state, { type, data }, at),
    from,
  )
}
const insults = (...times: number[]): Timed[] => times.map((at) => ({ type: 'insulted', at }))
const close = (a: number, b: number): boolean => Math.abs(a - b) < 1e-4

t.test('a fresh character is at its baselines', async (t) => {
  const state = initialState(character)
  t.same(variablesAt(character, state, 0), { relation: 0, mood: 0, fear: 1 })
  const attributes = attributesAt(character, state, 0)
  t.same(attributes, { helpfulness: 3, humor: 0, creativity: 0, verbosity: 1, toxicity: 0 })
})

t.test('insults add up, are cut to the range, and fade evenly', async (t) => {
  const state = live(insults(0, 0, 0))
  t.match(attributesAt(character, state, 0), { helpfulness: 0, toxicity: 4 })
  t.equal(variablesAt(character, state, 0).relation, -3)
  // Half of the three insults, and half a level for each of the three lost points of relation.
  t.match(attributesAt(character, state, 30), { helpfulness: 0, toxicity: 3 })
  t.match(attributesAt(character, state, 60), { helpfulness: 1.5, toxicity: 1.5 })
  t.same(advance(state, 60).effects, [], 'what is gone is not kept')
})

t.test('a gift makes up for them', async (t) => {
  const state = live([...insults(0, 0, 0), { type: 'player.gave_gift', at: 1 }])
  t.match(attributesAt(character, state, 1), { helpfulness: 2.5, toxicity: 0.5 })
  t.same(state.effects, [])
})

t.test('variables fall back: by half-life, or evenly until they are there', async (t) => {
  const state = live([{ type: 'insulted', at: 10 }, { type: 'player.hit', at: 10, data: { damage: 5 } }]) // prettier-ignore
  t.ok(close(variablesAt(character, state, 10).mood!, -1))
  t.ok(close(variablesAt(character, state, 110).mood!, -0.5))
  t.ok(close(variablesAt(character, state, 310).mood!, -0.125))
  t.equal(variablesAt(character, state, 1e9).mood, 0)
  // From 1 at 0 to 0 at 50 it is at 0.8 after 10 s; then 2 more, gone 50 s later.
  t.ok(close(variablesAt(character, state, 10).fear!, 2.8))
  t.ok(close(variablesAt(character, state, 35).fear!, 1.4))
  t.equal(variablesAt(character, state, 60).fear, 0)
  t.equal(variablesAt(character, state, 1e9).relation, -1.5, 'without a decay it stays')
})

t.test('effects on variables fade on top of them', async (t) => {
  const state = live([{ type: 'scared', at: 0 }])
  t.equal(variablesAt(character, state, 0).fear, 2)
  t.ok(close(variablesAt(character, state, 10).fear!, 0.8 + 0.5))
  t.equal(live([{ type: 'scared', at: 200 }]).effects.length, 1)
  t.same(advance(state, 1000).effects, [], 'below a thousandth it is gone')
})

t.test('a rule with a condition looks at the state before the event', async (t) => {
  t.equal(live([{ type: 'sorry', at: 0 }]).variables.relation!.value, 0)
  const sorry = live([...insults(0), { type: 'sorry', at: 1 }])
  t.equal(sorry.variables.relation!.value, 0)
  const both = build({ rules: ['x: mood +1 when mood <= 0', 'x: mood +1 when mood > 0', 'insulted: mood -1', 'sorry: mood +1', 'player.gave_gift: mood +1'] }) // prettier-ignore
  const state = applyEvent(both, initialState(both), { type: 'x' }, 0)
  t.equal(state.variables.mood!.value, 1, 'the second rule does not see the first')
})

t.test('the data of an event scale its changes; a missing number is refused', async (t) => {
  const hit = live([{ type: 'player.hit', at: 0, data: { damage: 20 } }])
  t.equal(hit.variables.relation!.value, -2)
  t.equal(live([{ type: 'player.hit', at: 0, data: { damage: 1e6 } }]).variables.relation!.value, -5) // prettier-ignore
  const expected = { code: 'BAD_REQUEST', param: 'data.damage' }
  t.throws(() => live([{ type: 'player.hit', at: 0 }]), expected)
  t.throws(() => live([{ type: 'player.hit', at: 0, data: { damage: 1e7 } }]), expected)
  t.throws(() => live([{ type: 'nope', at: 0 }]), {
    code: 'NPC_EVENT_UNKNOWN',
    message: /"nope"; this character knows: insulted, player.gave_gift/,
  })
})

t.test('time does not go back', async (t) => {
  const state = live([...insults(100), ...insults(50)])
  t.equal(state.time, 100)
  t.same(state, live(insults(100, 100)))
  t.same(attributesAt(character, state, 0), attributesAt(character, state, 100))
})

t.test('a hundred insults are kept within bounds and over as soon as three', async (t) => {
  const state = live(insults(...Array.from({ length: 300 }, () => 0)))
  t.ok(state.effects.length <= 256)
  t.equal(state.variables.relation!.value, -5)
  t.same(advance(state, 60).effects, [])
})

t.test('looking, ticking and saving change nothing of what comes (200 random lives)', async (t) => {
  const random = createRandom(7)
  const types = ['insulted', 'player.gave_gift', 'player.hit', 'scared', 'reset', 'sorry']
  for (let life = 0; life < 200; life++) {
    let at = 0
    let once = initialState(character)
    let often = initialState(character)
    for (let i = 0; i < 12; i++) {
      const event = { type: random.pick(types), data: { damage: random.int(30) } }
      const start = at
      at += random.next() * 40
      once = applyEvent(character, once, event, at)
      for (let step = 1; step <= 5; step++)
        often = advance(often, start + ((at - start) * step) / 6)
      often = JSON.parse(JSON.stringify(often)) as CharacterState
      often = applyEvent(character, often, event, at)
    }
    const later = at + random.next() * 100
    t.same(attributesAt(character, often, later), attributesAt(character, once, later))
    t.same(variablesAt(character, often, later), variablesAt(character, once, later))
    for (const { name, min, max } of character.attributes) {
      const value = attributesAt(character, once, later)[name]!
      if (!(value >= min && value <= max)) t.fail(`${name} is ${value}`)
    }
  }
})

t.test('the order of events of one moment does not matter for what fades', async (t) => {
  const plain: Partial<NpcDefinition> = {
    rules: [
      'insulted: toxicity +0.3, helpfulness -0.7, decay 60 s',
      'sorry: toxicity -0.1, half-life 7 s',
      'player.gave_gift: humor +0.9, decay 13 s',
    ],
  }
  const calm = build(plain)
  const random = createRandom(3)
  for (let round = 0; round < 50; round++) {
    const events = Array.from({ length: 10 }, () => random.pick([...calm.rules.keys()]))
    const shuffled = [...events]
    random.shuffle(shuffled)
    const after = (list: string[]) =>
      list.reduce((state, type) => applyEvent(calm, state, { type }, 5), initialState(calm))
    const [a, b] = [after(events), after(shuffled)]
    t.same(a.effects, b.effects)
    t.same(attributesAt(calm, a, 9), attributesAt(calm, b, 9))
  }
})

t.test('actions come by condition, by event, once, and not too often', async (t) => {
  const types = (state: CharacterState, at: number) =>
    actionsAt(character, state, at).map(({ id }) => id)
  const angry = live(insults(0, 0, 0))
  t.same(types(angry, 0), ['walk_away'])
  const given = live([{ type: 'player.gave_gift', at: 0 }])
  const actions = actionsAt(character, given, 0)
  t.same(actions, [
    { type: 'smile', id: 'smile', args: {} },
    { type: 'give_item', id: 'give_item', args: { item: 'key', count: 1 } },
  ])
  const said = afterLine(given, { actions, seen: given.recent, time: 0 })
  t.same(types(said, 29), [])
  t.same(types(said, 30), ['smile'], 'the cooldown is over')
  const again = live([{ type: 'player.gave_gift', at: 40 }], said)
  t.same(types(again, 40), ['smile'], 'the key is given once')
  t.equal(again.exchanges, 1)
})

t.test('an event that came while a line was written is news for the next', async (t) => {
  const state = live([...insults(0), { type: 'player.gave_gift', at: 1 }])
  t.same(afterLine(state, { actions: [], seen: ['insulted'], time: 2 }).recent, [
    'player.gave_gift',
  ])
})

t.test('a new definition keeps what it knows', async (t) => {
  const before = live(insults(0, 0, 0))
  const other = build({
    variables: { relation: { min: -2, max: 2 }, luck: { min: 0, max: 9, start: 3 } },
    rules: ['insulted: toxicity +1, decay 9 s', 'insulted: luck -1'],
    detect: [],
    actions: [],
  })
  const after = adoptState(other, before)
  t.same(after.variables, { relation: { value: -2, at: 0 }, luck: { value: 3, at: 0 } })
  t.equal(after.effects.length, 6)
  t.same(variablesAt(other, after, 0), { relation: -2, luck: 3 })
})
