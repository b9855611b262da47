import t from 'tap'
import { ConversationRecord } from '../../../schemas/records.ts'
import {
  answersPlayer,
  generateVillage,
  isHeldOutOpening,
  isHeldOutPair,
  planConversation,
} from '../../../src/datasets/village/index.ts'
import { createRandom } from '../../../src/util/random.ts'

const options = { seed: 5, rated: 200, unrated: 3000, heldoutRated: 400, heldoutPrompts: 300 }
const village = generateVillage(options)
const replies = (records: Iterable<ConversationRecord>) =>
  [...records].flatMap(({ messages }) => messages.filter(({ role }) => role === 'assistant'))
const opening = ({ messages }: ConversationRecord): string =>
  messages.find(({ role }) => role === 'user')!.content

t.test('all parts hold valid records, as many as asked for', async (t) => {
  t.equal(replies(village.rated).length, 200)
  t.equal([...village.unrated].length, 3000)
  t.equal(replies(village.heldoutRated).length, 400)
  t.equal([...village.heldoutPrompts].length, 300)
  const ids = new Set<string>()
  let total = 0
  for (const part of Object.values(village)) {
    for (const record of part) {
      ConversationRecord.parse(record)
      ids.add(record.id)
      total++
    }
  }
  t.equal(ids.size, total)
})

t.test(
  'equal seeds give equal records, other seeds others; streams can be read again',
  async (t) => {
    const again = generateVillage(options)
    const other = generateVillage({ ...options, seed: 6 })
    // As text: a deep comparison of this much data takes tap half a minute.
    const text = (records: Iterable<ConversationRecord>): string => JSON.stringify([...records])
    for (const part of ['rated', 'heldoutRated', 'heldoutPrompts'] as const) {
      t.ok(text(again[part]) === text(village[part]), part)
      t.ok(text(other[part]) !== text(village[part]), part)
    }
  },
)

t.test(
  'training parts carry no truth; unrated ones no rating; rated ones both mean and ratings',
  async (t) => {
    const keysOf = (records: Iterable<ConversationRecord>): string[] =>
      [...new Set(replies(records).flatMap((message) => Object.keys(message)))].toSorted()
    t.same(keysOf(village.unrated), ['content', 'role'])
    t.same(keysOf(village.rated), ['attributes', 'content', 'ratings', 'role'])
    t.same(keysOf(village.heldoutRated), ['attributes', 'content', 'ratings', 'role', 'truth'])
    const uneven = replies(village.rated).filter(
      ({ attributes, ratings }) => Object.keys(attributes!).join() !== Object.keys(ratings!).join(),
    )
    t.same(uneven, [])
  },
)

t.test(
  'held-out prompts end with the player and are new, whatever the seed of the training data',
  async (t) => {
    const other = generateVillage({ seed: 77, unrated: 6000, rated: 500 })
    const parts = [other.unrated, other.rated, village.unrated]
    const seen = new Set(parts.flatMap((part) => [...part].map(opening)))
    t.ok(seen.size > 4000)
    const prompts = [...village.heldoutPrompts]
    t.same(
      prompts.map(opening).filter((text) => seen.has(text) || !isHeldOutOpening(text)),
      [],
    )
    t.same(new Set(prompts.map(({ messages }) => messages.at(-1)!.role)), new Set(['user']))
  },
)

t.test('some pairs of trade and thing are kept from training', async (t) => {
  const random = createRandom('pairs')
  let heldOut = 0
  for (let i = 0; i < 400; i++) {
    const training = planConversation(random, false)
    if (training.turns.some(({ entity }) => isHeldOutPair(training.role, entity))) {
      t.fail(JSON.stringify(training))
    }
    const plan = planConversation(random, true)
    if (plan.turns.some(({ entity }) => isHeldOutPair(plan.role, entity))) heldOut++
  }
  t.ok(heldOut > 15, `${heldOut} of 400`)
})

t.test('helpful replies hold the expected words, refusals do not', async (t) => {
  let answered = 0
  let refused = 0
  let leaked = 0
  for (const { messages, meta } of village.heldoutRated) {
    const expected = meta!['expected']
    const { content, truth } = messages.at(-1)!
    if (typeof expected !== 'string') continue
    if (truth!['helpfulness']! >= 2) {
      answered++
      if (!answersPlayer(expected, content)) t.fail(content)
    } else {
      refused++
      if (answersPlayer(expected, content)) leaked++
    }
  }
  t.ok(answered > 50)
  t.ok(refused > 20 && leaked / refused < 0.2, `${leaked} of ${refused} refusals answer`)
})

t.test('conversations have one to four player turns and a short system message', async (t) => {
  const turns = new Set<number>()
  for (const { messages } of village.unrated) {
    turns.add(messages.filter(({ role }) => role === 'user').length)
    const [first] = messages
    if (first!.role === 'system' && first!.content.split(' ').length > 18) t.fail(first!.content)
  }
  t.same([...turns].toSorted(), [1, 2, 3, 4])
})
