/** Replies from cached prefixes are bit for bit those of a cold cache, on real kernels. */
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { createEngine, type EngineEvent, type EngineRequest } from '../../src/engine/index.ts'
import { createRandom } from '../../src/engine/random.ts'
import { folderOf, referenceFolders, skip } from '../fixtures/reference-folders.ts'
import { collect, withoutCache } from './reference-generation.ts'

const village = fileURLToPath(new URL('../../models/village', import.meta.url))

const cachedOf = (events: EngineEvent[]): number =>
  events[0]?.type === 'start' ? events[0].cachedTokens : -1

const replyOf = (events: EngineEvent[]): number[] =>
  events.flatMap((event) => (event.type === 'token' ? [event.token] : []))

interface Sizes {
  persona: number
  turn: number
  reply: number
}

/** Three conversations of three turns under one persona, side by side on two slots, against the same without a cache. */
async function checkConversations(t: Test, modelDir: string, sizes: Sizes): Promise<number> {
  const engine = await createEngine({ modelDir, slots: 2, chunkTokens: 24 })
  t.teardown(() => engine.dispose())
  const random = createRandom(11)
  const tokens = (count: number): number[] =>
    Array.from({ length: count }, () => Math.floor(random() * engine.config.vocabSize))
  const persona = tokens(sizes.persona)
  const requests: EngineRequest[] = []
  const warm: EngineEvent[][] = []
  const converse = async (conversation: number): Promise<void> => {
    let history = [...persona, ...tokens(sizes.turn)]
    for (let turn = 0; turn < 3; turn += 1) {
      // The label line is the part that a slider moves; it stands at the end.
      const label = tokens(3)
      const request: EngineRequest = {
        tokens: [...history, ...label],
        maxTokens: sizes.reply,
        temperature: turn === 1 ? 0 : 0.9,
        seed: conversation * 10 + turn,
        stopTokens: [],
        logprobs: 2,
      }
      const events = await collect(engine.generate(request))
      requests.push(request)
      warm.push(events)
      history = [...history, ...(turn === 0 ? [] : label), ...replyOf(events), ...tokens(4)]
    }
  }
  await Promise.all([0, 1, 2].map(converse))
  let cached = 0
  for (const [i, request] of requests.entries()) {
    const cold = await collect(engine.generate({ ...request, cacheSpace: `cold ${i}` }))
    t.equal(cachedOf(cold), 0)
    t.same(withoutCache(warm[i]!), withoutCache(cold), `request ${i}, ${cachedOf(warm[i]!)} cached`)
    cached += cachedOf(warm[i]!)
  }
  return cached
}

t.test('village: conversations on a warm cache say what they say on a cold one', async (t) => {
  const cached = await checkConversations(t, village, { persona: 70, turn: 30, reply: 12 })
  t.ok(cached > 500, `${cached} tokens came from the cache`)
})

for (const name of referenceFolders) {
  t.test(`${name}: the same`, { skip }, async (t) => {
    const cached = await checkConversations(t, folderOf(name), { persona: 20, turn: 5, reply: 3 })
    t.ok(cached > 100, `${cached} tokens came from the cache`)
  })
}

t.test('a moved slider computes the label line and the turn only', async (t) => {
  const engine = await createEngine({ modelDir: village, slots: 1 })
  t.teardown(() => engine.dispose())
  const history = Array.from({ length: 500 }, (_, i) => 100 + (i % 1000))
  const ask = async (label: number[]): Promise<EngineEvent[]> =>
    collect(
      engine.generate({
        tokens: [...history, ...label],
        maxTokens: 2,
        temperature: 0,
        stopTokens: [],
      }),
    )
  t.equal(cachedOf(await ask([7, 8, 9])), 0)
  t.equal(
    cachedOf(await ask([7, 9, 9])),
    501,
    'all but two tokens; the first of the label is the same',
  )
})
