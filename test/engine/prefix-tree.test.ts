import t from 'tap'
import { BLOCK_TOKENS, PrefixTree } from '../../src/engine/prefix-tree.ts'
import { createRandom } from '../../src/engine/random.ts'

const tree = (blocks: number): PrefixTree =>
  new PrefixTree({ memoryBytes: 4 * BLOCK_TOKENS * blocks, floatsPerToken: 1 })

/** A prompt of whole blocks, each of one token repeated. */
const prompt = (...blocks: number[]): number[] =>
  blocks.flatMap((token) => Array.from({ length: BLOCK_TOKENS }, () => token))

/** Keys and values are the tokens themselves here. */
function store(target: PrefixTree, tokens: number[], space = ''): number {
  let filled = 0
  target.store(space, tokens, tokens.length, (start, data) => {
    data.set(tokens.slice(start, start + BLOCK_TOKENS))
    filled += 1
  })
  return filled
}

function read(target: PrefixTree, tokens: number[], space = ''): number[] {
  const found: number[] = []
  target.read(space, tokens, tokens.length, (start, data) => {
    t.equal(start, found.length)
    found.push(...data)
  })
  return found
}

t.test('the longest stored prefix comes back, in whole blocks', async (t) => {
  const target = tree(10)
  t.equal(store(target, [...prompt(1, 2, 3), 9]), 3)
  t.same(read(target, prompt(1, 2, 4)), prompt(1, 2))
  t.same(read(target, prompt(1, 2, 3, 4)), prompt(1, 2, 3))
  t.equal(target.match('', prompt(1, 2, 3), 2 * BLOCK_TOKENS + 1), 2 * BLOCK_TOKENS)
  t.equal(target.match('', prompt(5), BLOCK_TOKENS), 0)
  t.equal(target.match('other', prompt(1), BLOCK_TOKENS), 0)
})

t.test('what is shared is stored once', async (t) => {
  const target = tree(10)
  store(target, prompt(1, 2, 3))
  t.equal(store(target, prompt(1, 2, 4, 5)), 2)
  t.same(target.blocks, { used: 5, limit: 10 })
})

t.test('the block unused longest goes first, leaves before what they stand on', async (t) => {
  const target = tree(4)
  store(target, prompt(1, 2))
  store(target, prompt(1, 3))
  read(target, prompt(1, 2))
  store(target, prompt(4))
  store(target, prompt(5))
  t.same(read(target, prompt(1, 3)), prompt(1), '3 was the oldest leaf')
  t.same(read(target, prompt(1, 2)), prompt(1, 2))
  t.equal(target.blocks.used, 4)
})

t.test('a prompt larger than the memory keeps its beginning', async (t) => {
  const target = tree(2)
  store(target, prompt(7))
  t.equal(store(target, prompt(1, 2, 3, 4)), 2)
  t.same(read(target, prompt(1, 2, 3, 4)), prompt(1, 2))
  t.equal(store(tree(0), prompt(1)), 0)
})

t.test('random use: never more than the limit, never wrong contents', async (t) => {
  const random = createRandom(3)
  const below = (n: number): number => Math.floor(random() * n)
  const target = tree(12)
  let hits = 0
  for (let i = 0; i < 3000; i += 1) {
    const tokens = prompt(...Array.from({ length: 1 + below(5) }, () => below(3)))
    const space = below(4) === 0 ? 'b' : ''
    if (below(2) === 0) store(target, tokens, space)
    const found = read(target, tokens, space)
    if (found.some((token, k) => token !== tokens[k])) t.fail(`round ${i}: ${found}`)
    if (found.length !== target.match(space, tokens, tokens.length)) t.fail('match and read differ')
    hits += found.length / BLOCK_TOKENS
    if (target.blocks.used > 12) t.fail('more than the limit')
  }
  t.ok(hits > 2000, `${hits} blocks came back`)
})
