import t from 'tap'
import { createRandom } from '../../src/util/random.ts'

t.test('the generator is xoshiro128** 1.1', async (t) => {
  // First outputs of the reference C code for the state 1, 2, 3, 4.
  const random = createRandom(0)
  random.restore([1, 2, 3, 4])
  const words = Array.from({ length: 4 }, () => random.int(2 ** 32))
  t.same(words, [11520, 0, 5927040, 70819200])
})

t.test('equal seeds give equal sequences and other seeds others', async (t) => {
  const draw = (seed: number | string): number[] => {
    const random = createRandom(seed)
    return [random.next(), random.int(1000), random.normal()]
  }
  t.same(draw(7), draw('7'))
  t.notSame(draw(7), draw(8))
  t.notSame(draw('a'), draw('b'))
})

t.test('a restored state continues exactly, through JSON too', async (t) => {
  const random = createRandom('state')
  random.next()
  const saved = JSON.parse(JSON.stringify(random.state()))
  const expected = [random.next(), random.normal(), random.int(6)]
  const other = createRandom('other')
  other.restore(saved)
  t.same([other.next(), other.normal(), other.int(6)], expected)
  t.throws(() => other.restore([0, 0, 0, 0]), { code: 'BAD_FILE' })
})

t.test('a fork depends on seed and label, not on the draws before', async (t) => {
  const a = createRandom(1)
  const b = createRandom(1)
  b.next()
  t.equal(a.fork('x').next(), b.fork('x').next())
  t.not(a.fork('x').next(), a.fork('y').next())
  t.not(a.fork('x').next(), createRandom(2).fork('x').next())
  const firsts = new Set(Array.from({ length: 5000 }, (_, i) => a.fork(i).next()))
  t.equal(firsts.size, 5000, 'thousands of forks do not collide')
})

t.test('draws have the distributions they claim', async (t) => {
  const random = createRandom('moments')
  const n = 50_000
  let sum = 0
  let square = 0
  const faces = [0, 0, 0, 0, 0, 0]
  for (let i = 0; i < n; i++) {
    const x = random.next()
    if (x < 0 || x >= 1) t.fail(`out of [0, 1): ${x}`)
    const z = random.normal()
    sum += z
    square += z * z
    const face = random.int(6)
    faces[face] = faces[face]! + 1
  }
  // Five standard errors of each estimate.
  t.ok(Math.abs(sum / n) < 5 / Math.sqrt(n))
  t.ok(Math.abs(square / n - 1) < 5 * Math.sqrt(2 / n))
  for (const count of faces) t.ok(Math.abs(count - n / 6) < 5 * Math.sqrt((n * 5) / 36))
})

t.test('shuffle is in place and keeps the elements; pick needs one', async (t) => {
  const random = createRandom(3)
  const items = Array.from({ length: 50 }, (_, i) => i)
  t.equal(random.shuffle(items), items)
  t.notSame(
    items,
    [...items].sort((a, b) => a - b),
  )
  t.same(
    [...items].sort((a, b) => a - b),
    Array.from({ length: 50 }, (_, i) => i),
  )
  t.ok(items.includes(random.pick(items)))
  t.throws(() => random.pick([]), { code: 'INTERNAL' })
  t.throws(() => random.int(0), { code: 'INTERNAL' })
})
