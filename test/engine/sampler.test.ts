import t, { type Test } from 'tap'
import { tokenLogprob } from '../../src/engine/logprobs.ts'
import { createRandom } from '../../src/engine/random.ts'
import { expNonPositive, LEAST_EXPONENT } from '../../src/engine/fast-exp.ts'
import { Sampler, SamplerState, type SamplingOptions } from '../../src/engine/sampler.ts'
import { argmax, keepLargest, keepMass, largestInOrder } from '../../src/engine/selection.ts'

/** Share of each token in `draws` draws from `logits`. */
function frequencies(logits: number[], options: SamplingOptions, draws = 20_000): number[] {
  const sampler = new Sampler(logits.length)
  const state = new SamplerState({ seed: 7, ...options }, [], logits.length)
  const counts = logits.map(() => 0)
  const source = Float32Array.from(logits)
  for (let i = 0; i < draws; i += 1) counts[sampler.sample(source, state)]! += 1
  return counts.map((count) => count / draws)
}

/** Softmax at a temperature, of the listed tokens only. */
function expected(logits: number[], temperature: number, kept: number[]): number[] {
  const weights = logits.map((l, i) => (kept.includes(i) ? Math.exp(l / temperature) : 0))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  return weights.map((weight) => weight / total)
}

/** 20 000 draws: the standard error of a share is at most 0.0036; 5 of them. */
const TOLERANCE = 0.018

function near(t: Test, got: number[], want: number[]): void {
  got.forEach((share, i) => {
    t.ok(Math.abs(share - want[i]!) < TOLERANCE, `token ${i}: ${share} against ${want[i]}`)
    if (want[i] === 0) t.equal(share, 0)
  })
}

const logits = [1, 3, 2.5, -1, 2, 0.5]

t.test('temperature 0 takes the likeliest token, the first one on ties', async (t) => {
  const sampler = new Sampler(4)
  const state = new SamplerState({ temperature: 0 }, [], 4)
  t.equal(sampler.sample(Float32Array.of(1, 5, 5, 2), state), 1)
  t.equal(sampler.sample(Float32Array.of(-9, -8, -7, -7), state), 2)
})

t.test('draws follow the softmax at the temperature', async (t) => {
  const all = [0, 1, 2, 3, 4, 5]
  near(t, frequencies(logits, { temperature: 1 }), expected(logits, 1, all))
  near(t, frequencies(logits, { temperature: 0.5 }), expected(logits, 0.5, all))
  near(t, frequencies(logits, { temperature: 3 }), expected(logits, 3, all))
})

t.test('top-k keeps the k likeliest, the lower id on ties', async (t) => {
  near(t, frequencies(logits, { temperature: 1, topK: 3 }), expected(logits, 1, [1, 2, 4]))
  near(t, frequencies([2, 2, 2, 2], { temperature: 1, topK: 2 }), [0.5, 0.5, 0, 0])
  near(
    t,
    frequencies(logits, { temperature: 1, topK: 99 }),
    expected(logits, 1, [0, 1, 2, 3, 4, 5]),
  )
})

t.test('top-p keeps the smallest set that reaches the mass', async (t) => {
  // Shares: 1: 0.431, 2: 0.262, 4: 0.159, 0: 0.058, 5: 0.035, 3: 0.008 (of softmax of logits).
  near(t, frequencies(logits, { temperature: 1, topP: 0.4 }), expected(logits, 1, [1]))
  near(t, frequencies(logits, { temperature: 1, topP: 0.6 }), expected(logits, 1, [1, 2]))
  near(t, frequencies(logits, { temperature: 1, topP: 0.8 }), expected(logits, 1, [1, 2, 4]))
  near(t, frequencies(logits, { temperature: 1, topP: 0 }), expected(logits, 1, [1]))
})

t.test('top-p counts the mass of what top-k left', async (t) => {
  // Of tokens 1 and 2 alone the first has 0.62.
  near(t, frequencies(logits, { temperature: 1, topK: 2, topP: 0.61 }), expected(logits, 1, [1]))
  near(t, frequencies(logits, { temperature: 1, topK: 2, topP: 0.63 }), expected(logits, 1, [1, 2]))
})

t.test('min-p cuts relative to the likeliest token', async (t) => {
  // exp(2 − 3) = 0.37, exp(1 − 3) = 0.14
  near(t, frequencies(logits, { temperature: 1, minP: 0.3 }), expected(logits, 1, [1, 2, 4]))
  near(t, frequencies(logits, { temperature: 1, minP: 0.1 }), expected(logits, 1, [0, 1, 2, 4]))
})

t.test('logit bias and penalties change the logits as documented', async (t) => {
  const state = new SamplerState(
    {
      temperature: 1,
      logitBias: { 0: 10, 3: -10 },
      repetitionPenalty: 2,
      presencePenalty: 0.5,
      frequencyPenalty: 0.25,
    },
    [1],
    5,
  )
  state.accept(2)
  state.accept(2)
  state.accept(4)
  const adjusted = Float32Array.of(1, 3, 2, 1, -1)
  state.adjust(adjusted)
  // 1: in the prompt only: 3 / 2. 2: twice in the reply: 2 / 2 − 0.5 − 0.5. 4: −1 × 2 − 0.5 − 0.25.
  t.same([...adjusted], [11, 1.5, 0, -9, -2.75])
})

t.test('sampling leaves the logits alone and is the same for the same seed', async (t) => {
  const source = Float32Array.from(logits)
  const draw = (seed: number): number[] => {
    const sampler = new Sampler(6)
    const state = new SamplerState({ temperature: 1, seed, frequencyPenalty: 0.1 }, [], 6)
    return Array.from({ length: 50 }, () => sampler.sample(source, state))
  }
  t.same(draw(1), draw(1))
  t.notSame(draw(1), draw(2))
  t.notSame(draw(1), draw(1 + 2 ** 32), 'the upper bits of a seed count')
  t.same([...source], logits)
})

t.test('two interleaved states on one sampler do not disturb each other', async (t) => {
  const source = Float32Array.from(logits)
  const options = { temperature: 1, seed: 3, topP: 0.9, presencePenalty: 1 }
  const alone = new SamplerState(options, [], 6)
  const sampler = new Sampler(6)
  const want = Array.from({ length: 20 }, () => sampler.sample(source, alone))
  const mixed = new SamplerState(options, [], 6)
  const other = new SamplerState({ temperature: 2, seed: 9, topK: 2 }, [], 6)
  const got = want.map(() => {
    sampler.sample(source, other)
    return sampler.sample(source, mixed)
  })
  t.same(got, want)
})

t.test('logits that are not numbers are an error, not a token', async (t) => {
  const sampler = new Sampler(3)
  for (const temperature of [0, 1]) {
    const state = new SamplerState({ temperature }, [], 3)
    t.throws(() => sampler.sample(Float32Array.of(NaN, NaN, NaN), state), { code: 'RUNTIME_ERROR' })
    t.throws(() => sampler.sample(Float32Array.of(0, Infinity, 1), state), {
      code: 'RUNTIME_ERROR',
    })
    t.equal(sampler.sample(Float32Array.of(NaN, 1, -Infinity), state), 1)
  }
})

t.test('extreme temperatures stay finite', async (t) => {
  near(
    t,
    frequencies([1, 1, 0], { temperature: 1e-310 }, 2000),
    [0.5, 0.5, 0].map((x) => x),
  )
  near(t, frequencies([50, -50], { temperature: 1e-3 }, 200), [1, 0])
})

t.test('log-probabilities are those of the raw logits', async (t) => {
  const { token, logprob, top } = tokenLogprob(Float32Array.of(Math.log(1), Math.log(3), 0), 0, 2)
  t.equal(token, 0)
  t.ok(Math.abs(logprob! - Math.log(0.2)) < 1e-6)
  t.same(
    top.map((entry) => entry.token),
    [1, 0],
  )
  t.ok(Math.abs(top[0]!.logprob - Math.log(0.6)) < 1e-6)
  t.equal(tokenLogprob(Float32Array.of(900, 0), 0, 0).logprob, 0, 'large logits do not overflow')
})

t.test('partial selection agrees with a full sort', async (t) => {
  const random = createRandom(11)
  for (let round = 0; round < 300; round += 1) {
    const n = 1 + Math.floor(random() * 60)
    // Few distinct values: ties are the hard case.
    const values = Float64Array.from({ length: n }, () => Math.floor(random() * 12) / 8)
    const sorted = [...values.keys()].toSorted((a, b) => values[b]! - values[a]! || a - b)
    const order = (): Int32Array => Int32Array.from({ length: n }, (_, i) => i)
    const set = (array: Int32Array, count: number): number[] =>
      [...array.subarray(0, count)].toSorted((a, b) => a - b)
    const k = 1 + Math.floor(random() * (n + 3))
    const largest = order()
    const kept = keepLargest(values, largest, n, k)
    t.equal(kept, Math.min(k, n))
    t.same(set(largest, kept), set(Int32Array.from(sorted), kept))
    const total = values.reduce((sum, value) => sum + value, 0)
    const mass = random() * total
    let count = 0
    let sum = 0
    // Eighths add without rounding, so the order of the sum does not matter.
    while (count === 0 || (sum < mass && count < n)) sum += values[sorted[count++]!]!
    const nucleus = order()
    t.equal(keepMass(values, nucleus, n, mass), count)
    t.same(set(nucleus, count), set(Int32Array.from(sorted), count))
    t.same(largestInOrder(values, k), sorted.slice(0, k))
    t.equal(argmax(values), sorted[0])
  }
})

t.test('the fast exponential is the exponential', async (t) => {
  let worst = 0
  for (let i = 0; i <= 100_000; i += 1) {
    const x = (i / 100_000) * LEAST_EXPONENT
    worst = Math.max(worst, Math.abs(expNonPositive(x) / Math.exp(x) - 1))
  }
  t.ok(worst < 2e-14, `relative error ${worst}`)
  t.equal(expNonPositive(0), 1)
})

t.test('cuts over a large vocabulary keep what a full sort keeps', async (t) => {
  const random = createRandom(9)
  const V = 3000
  const sampler = new Sampler(V)
  for (let round = 0; round < 60; round += 1) {
    // Coarse steps, so that many tokens are equally likely and lie on a cut.
    const logits = Float32Array.from({ length: V }, () => Math.round(random() * 60) / 4)
    const temperature = 0.5 + random()
    const topK = round % 3 === 0 ? 0 : 1 + Math.floor(random() * 300)
    const topP = round % 3 === 1 ? 1 : 0.05 + 0.94 * random()
    const kept = keptBySort(logits, { temperature, topK, topP })
    const state = new SamplerState({ temperature, topK, topP, seed: round }, [], V)
    const drawn = new Set<number>()
    for (let i = 0; i < 400; i += 1) drawn.add(sampler.sample(logits, state))
    const outside = [...drawn].filter((token) => !kept.has(token))
    t.same(outside, [], `round ${round}: ${kept.size} kept`)
    if (kept.size <= 20) t.equal(drawn.size, kept.size, `round ${round}: all of them are drawn`)
  }
})

/** Tokens that top-k and then top-p leave, by sorting. */
function keptBySort(
  logits: Float32Array,
  { temperature, topK, topP }: { temperature: number; topK: number; topP: number },
): Set<number> {
  const order = [...logits.keys()].sort((a, b) => logits[b]! - logits[a]! || a - b)
  const largest = topK > 0 ? order.slice(0, topK) : order
  const max = logits[order[0]!]!
  const weights = largest.map((token) => Math.exp((logits[token]! - max) / temperature))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const kept = new Set<number>()
  let sum = 0
  for (const [i, token] of largest.entries()) {
    kept.add(token)
    sum += weights[i]!
    // A cut that falls on a rounding may keep one more.
    if (sum >= topP * total * (1 + 1e-12)) break
  }
  return kept
}
