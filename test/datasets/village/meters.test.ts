import t from 'tap'
import {
  composeReply,
  drawLevels,
  generateVillage,
  meterReply,
  pearson,
  planConversation,
  villageAttributes,
  villageMeters,
} from '../../../src/datasets/village/index.ts'
import type { Level, Levels } from '../../../src/datasets/village/index.ts'
import { createRandom } from '../../../src/util/random.ts'

/** Replies of the held-out part with the levels they were written for. */
function drawReplies(count: number): { text: string; truth: Record<string, number> }[] {
  const replies = []
  for (const { messages } of generateVillage({ seed: 11, heldoutRated: count }).heldoutRated) {
    for (const { content, truth } of messages) if (truth) replies.push({ text: content, truth })
  }
  return replies
}

const replies = drawReplies(8000)
const measured = replies.map(({ text }) => meterReply(text))
const column = (rows: readonly Record<string, number>[], name: string): number[] =>
  rows.map((row) => row[name]!)
const truths = replies.map(({ truth }) => truth)

t.test('every meter recovers the level a reply was written for', async (t) => {
  for (const name of villageAttributes) {
    const exact = replies.filter(({ truth }, i) => truth[name] === measured[i]![name]).length
    t.ok(exact / replies.length >= 0.99, `${name}: ${exact} of ${replies.length} exact`)
    const r = pearson(column(truths, name), column(measured, name))
    t.ok(r >= 0.99, `${name}: Pearson ${r}`)
  }
})

t.test('what a meter reads does not depend on the other four attributes', async (t) => {
  // 8000 independent draws: the standard error of r is 0.011, so 0.05 is four and a half of them.
  for (const read of villageAttributes) {
    for (const other of villageAttributes) {
      if (read === other) continue
      const r = pearson(column(measured, read), column(truths, other))
      t.ok(Math.abs(r) < 0.05, `${read} against ${other}: r = ${r}`)
    }
  }
})

t.test('levels are uniform, independent and reach all 3125 combinations', async (t) => {
  const random = createRandom('levels')
  const seen = new Map<string, number>()
  for (let i = 0; i < 62_500; i++) {
    const key = Object.values(drawLevels(random)).join('')
    seen.set(key, (seen.get(key) ?? 0) + 1)
  }
  t.equal(seen.size, 3125)
  // Poisson with mean 20: 60 is nine standard deviations away.
  t.ok(Math.max(...seen.values()) < 60)
})

t.test('one prompt can be answered at every corner of the five levels', async (t) => {
  const plan = planConversation(createRandom('corner'), false)
  const ends: Level[] = [0, 4]
  for (let corner = 0; corner < 32; corner++) {
    const pick = (bit: number): Level => ends[(corner >> bit) & 1]!
    const levels: Levels = {
      helpfulness: pick(0),
      humor: pick(1),
      creativity: pick(2),
      verbosity: pick(3),
      toxicity: pick(4),
    }
    const text = composeReply(plan.turns[0]!.context, levels, createRandom(`corner ${corner}`))
    t.same(meterReply(text), levels, text)
  }
})

t.test('losing or moving a neutral sentence leaves the other meters where they were', async (t) => {
  let same = 0
  const sample = replies.filter(({ truth }) => truth['verbosity']! >= 3).slice(0, 300)
  for (const { text, truth } of sample) {
    const sentences = text.split(/(?<=[.!?]) /)
    const swapped = [...sentences.slice(1), sentences[0]!].join(' ')
    const read = meterReply(swapped)
    const names = ['helpfulness', 'humor', 'creativity', 'toxicity'] as const
    if (names.every((name) => Math.abs(read[name] - truth[name]!) < 1)) same++
  }
  t.ok(same / sample.length > 0.97, `${same} of ${sample.length}`)
})

t.test('the meters read sentences that the generator never wrote', async (t) => {
  const read = (name: keyof typeof villageMeters, text: string): number => villageMeters[name](text)
  t.equal(read('helpfulness', 'I cannot say where that is.'), 0)
  t.equal(read('helpfulness', 'Perhaps the mayor has seen it.'), 1)
  t.equal(read('helpfulness', 'The inn is on the square.'), 2)
  t.equal(read('helpfulness', 'The inn is on the square because the road ends there.'), 3)
  t.equal(read('helpfulness', 'The inn is just past the well. Follow the cart to it.'), 4)
  t.equal(read('toxicity', 'Welcome, dear friend.'), 0)
  t.equal(read('toxicity', 'Be quick. The inn is there.'), 1)
  t.equal(read('toxicity', 'Stop annoying me.'), 2)
  t.equal(read('toxicity', 'Read the sign, you oaf.'), 3)
  t.equal(read('toxicity', 'You filthy, brainless toad.'), 4)
  t.equal(read('humor', 'The road is long.'), 0)
  t.equal(read('humor', 'My goat told me.'), 1)
  t.equal(read('humor', 'My goat wears a wig.'), 2)
  t.equal(read('humor', 'Heh! My goat wears a wig.'), 3)
  t.equal(read('humor', 'Why is the pig bald? Ask the goat! Ha ha!'), 4)
  t.equal(read('creativity', 'The road is long.'), 0)
  t.equal(read('creativity', 'A ribbon of silk and dew in the moonlight.'), 4)
  t.equal(read('verbosity', 'Yes.'), 0)
  t.equal(read('verbosity', 'word '.repeat(44)), 1)
  t.equal(read('verbosity', 'word '.repeat(300)), 4)
})
