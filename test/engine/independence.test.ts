/**
 * A reply does not depend on what else the engine does: on its company in a batch, on how its prompt was cut into
 * chunks, on what of it was in the cache. Over the reference checkpoints; the bookkeeping alone is checked in
 * `scheduler.test.ts`.
 */
import t from 'tap'
import { createEngine, type Engine, type EngineEvent, type EngineRequest } from '../../src/engine/index.ts' // prettier-ignore
import { expectedOf, folderOf, referenceFolders, skip } from '../fixtures/reference-folders.ts'
import { collect } from './reference-generation.ts'

/** Products of other shapes sum in another order. */
const TOLERANCE = 1e-4

const request = (tokens: readonly number[], more: Partial<EngineRequest> = {}): EngineRequest => ({
  tokens,
  maxTokens: 24,
  temperature: 0,
  stopTokens: [],
  logprobs: 0,
  ...more,
})

interface Reply {
  readonly tokens: number[]
  readonly logprobs: number[]
  readonly cachedTokens: number
}

function replyOf(events: readonly EngineEvent[]): Reply {
  const tokens = events.flatMap((event) => (event.type === 'token' ? [event] : []))
  const start = events.find((event) => event.type === 'start')!
  return {
    tokens: tokens.map(({ token }) => token),
    logprobs: tokens.map(({ logprob }) => logprob!.logprob!),
    cachedTokens: start.cachedTokens,
  }
}

const ask = async (engine: Engine, tokens: readonly number[], more?: Partial<EngineRequest>) =>
  replyOf(await collect(engine.generate(request(tokens, more))))

const worst = (found: Reply, wanted: Reply): number =>
  found.logprobs.reduce((max, value, i) => Math.max(max, Math.abs(value - wanted.logprobs[i]!)), 0)

for (const name of referenceFolders) {
  t.test(`${name}: company, chunks and cache change nothing`, { skip }, async (t) => {
    const { greedy, tokens } = expectedOf(name)
    const { prompt, next_24: next } = greedy
    const open = async (slots: number, chunkTokens: number): Promise<Engine> => {
      const options = { modelDir: folderOf(name), slots, chunkTokens, contextLength: 96 }
      const engine = await createEngine(options)
      t.teardown(() => engine.dispose())
      return engine
    }
    const alone = await ask(await open(1, 4096), prompt)
    t.same(alone.tokens, next)
    const check = (found: Reply, what: string): void => {
      t.same(found.tokens, next, what)
      t.ok(worst(found, alone) < TOLERANCE, `${what}: log-probabilities off by ${worst(found, alone)}`) // prettier-ignore
    }

    for (const chunk of [1, 5, 128]) check(await ask(await open(1, chunk), prompt), `chunks of ${chunk}`) // prettier-ignore

    const crowd = await open(4, 7)
    const others = [tokens, tokens.slice(0, 3), tokens.slice(5)].map((others, i) =>
      ask(crowd, others, { maxTokens: 9 + 5 * i, temperature: 0.9, seed: i }),
    )
    check(await ask(crowd, prompt), 'in company of other lengths')
    await Promise.all(others)

    const again = await ask(crowd, prompt)
    t.equal(again.cachedTokens, prompt.length - 2)
    check(again, 'over a cache hit')
    const both = await Promise.all([ask(crowd, prompt), ask(crowd, prompt)])
    t.ok(both.every(({ cachedTokens }) => cachedTokens === prompt.length - 2))
    both.forEach((reply) => check(reply, 'over the same prefix twice at once'))
    const longer = await ask(crowd, [...prompt, ...next.slice(0, 8)], { maxTokens: 16 })
    t.ok(longer.cachedTokens >= prompt.length, 'the reply is in the cache as well')
    t.same(longer.tokens, next.slice(8))
  })
}
