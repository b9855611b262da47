/** Generators of known behaviour must come out with the figures that follow from it. */
import t from 'tap'
import { SteeringReport } from '../../../schemas/steering-report.ts'
import type { ReplyRequest } from '../../../src/services/evaluation/evaluate-steering.ts'
import { evaluateFake, near, perfect, readBack } from './fake-steering.ts'

t.test('a perfect model has correlation and slope 1, full range, no leakage', async (t) => {
  const report = await evaluateFake(perfect)
  const { attributes, leakage, disentanglement } = report.judges.meters!
  const humor = attributes.humor!
  for (const key of ['spearman', 'pearson', 'slope'] as const) {
    near(t, humor[key].value, 1, key)
    near(t, humor[key].low, 1, `${key}, lower end`)
  }
  const one = { value: 1, low: 1, high: 1 }
  t.match(humor, {
    dynamicRange: { value: 4, low: 4, high: 4 },
    mae: { value: 0 },
    exact: one,
    withinOne: one,
    monotonicity: one,
    risingPrompts: one,
    antiSteerable: { value: 0 },
  })
  t.same(
    humor.levels.map(({ achieved }) => achieved.value),
    [0, 1, 2, 3, 4],
  )
  near(t, leakage[0]![0]!.value, 1, 'own slope')
  near(t, leakage[0]![1]!.value, 0, 'other slope')
  near(t, disentanglement.value, 1, 'index')
  t.equal(report.replies, 8 * 2 * 5)
})

t.test('a dead model has no correlation, no range and no disentanglement', async (t) => {
  const report = await evaluateFake(() => ({ humor: 3, toxicity: 1.1 }))
  const { attributes, disentanglement } = report.judges.meters!
  t.match(attributes.toxicity, {
    spearman: { value: null, low: null },
    pearson: { value: null },
    slope: { value: 0 },
    dynamicRange: { value: 0 },
    risingPrompts: { value: 0 },
    antiSteerable: { value: 0 },
  })
  // |3 − r| for r = 0 … 4 is 3, 2, 1, 0, 1; one of five is exact, three within one.
  t.match(attributes.humor, {
    mae: { value: 7 / 5 },
    exact: { value: 0.2 },
    withinOne: { value: 0.6 },
    monotonicity: { value: 1 },
  })
  t.equal(disentanglement.value, 0)
})

t.test('a leaky model shows where it leaks', async (t) => {
  const report = await evaluateFake(({ attributes: a }) => {
    const humor = a.humor ?? 2
    return { humor, toxicity: (a.toxicity ?? 2) - humor / 2 }
  })
  const { leakage, disentanglement, attributes } = report.judges.meters!
  near(t, leakage[0]![1]!.value, -0.5, 'toxicity falls by half of humor')
  near(t, leakage[0]![1]!.high, -0.5, 'for every prompt')
  near(t, leakage[1]![0]!.value, 0, 'humor stays when toxicity moves')
  // Row humor: 1/(1 + 0.5); row toxicity: 1.
  near(t, disentanglement.value, (1 / 1.5 + 1) / 2, 'index')
  t.equal(attributes.toxicity!.antiSteerable.value, 0)
})

t.test('an inverted dial is anti-steerable for every prompt', async (t) => {
  const report = await evaluateFake(({ attributes: a }) => ({
    humor: 4 - (a.humor ?? 2),
    toxicity: a.toxicity ?? 2,
  }))
  t.match(report.judges.meters!.attributes.humor, {
    antiSteerable: { value: 1, low: 1 },
    monotonicity: { value: 0 },
    risingPrompts: { value: 0 },
    dynamicRange: { value: -4 },
  })
})

t.test('prompts that differ give shares with intervals', async (t) => {
  // Every fourth prompt is deaf to humor.
  const report = await evaluateFake(({ messages, attributes: a }) => ({
    humor: Number(/\d+/.exec(messages[0]!.content)![0]) % 4 === 0 ? 2 : (a.humor ?? 2),
    toxicity: a.toxicity ?? 2,
  }))
  const { risingPrompts, slope } = report.judges.meters!.attributes.humor!
  t.equal(risingPrompts.value, 0.75)
  t.ok(risingPrompts.low! < 0.75 && risingPrompts.high! > 0.75)
  near(t, slope.value, 0.75, 'slope')
})

t.test('permuted requests carry nothing, and the baseline says how far chance goes', async (t) => {
  const { shuffled } = (await evaluateFake(perfect, { prompts: 20 })).judges.meters!.baselines
  const { value, low, high } = shuffled.humor!
  t.ok(Math.abs(value!) < 0.03, `mean ${value}`)
  // 100 pairs: standard deviation 1/√99, so 95 % lie within 0.2.
  t.ok(Math.abs(low! + 0.2) < 0.06 && Math.abs(high! - 0.2) < 0.06, `${low} … ${high}`)
})

t.test('the others stay the same while one is varied; seeds differ, runs repeat', async (t) => {
  const record = async () => {
    const seen: ReplyRequest[] = []
    await evaluateFake((request) => (seen.push(request), perfect(request)), { prompts: 3 })
    return seen
  }
  const [seen, again] = [await record(), await record()]
  t.same(
    seen.slice(0, 5).map(({ attributes: a }) => a.humor),
    [0, 1, 2, 3, 4],
  )
  for (let row = 0; row < 6; row++) {
    const fixed = row % 2 === 0 ? 'toxicity' : 'humor'
    const values = seen.slice(row * 5, row * 5 + 5).map(({ attributes: a }) => a[fixed])
    t.equal(new Set(values).size, 1)
  }
  t.same(seen, again)
  t.equal(new Set(seen.slice(0, 30).map(({ seed }) => seed)).size, 30)
})

t.test('other attributes are drawn from the levels, or stay at their defaults', async (t) => {
  const others = async (choice: 'random' | 'default') => {
    const seen: ReplyRequest[] = []
    await evaluateFake((request) => (seen.push(request), perfect(request)), {
      others: choice,
      levels: [0, 4],
      promptOnly: 0,
    })
    // Requests alternate: two levels of humor, two of toxicity.
    return seen.filter((_, i) => i % 4 < 2).map(({ attributes: a }) => a.toxicity)
  }
  t.same([...new Set(await others('random'))].toSorted(), [0, 4])
  t.same([...new Set(await others('default'))], [2])
})

t.test('the prompt-only baseline asks in words and gives no label line', async (t) => {
  const seen: ReplyRequest[] = []
  const report = await evaluateFake((request) => (seen.push(request), perfect(request)))
  const asked = seen.filter(({ attributes: a }) => Object.keys(a).length === 0)
  t.equal(asked.length, 2 * 2 * 5)
  t.match(asked[0]!.messages.at(-1)!.content, /Answer with humor 0 of 4, toxicity \d of 4/)
  // The fake model only reads the label line.
  t.match(report.judges.meters!.baselines.promptOnly!.humor, {
    spearman: { value: null },
    dynamicRange: { value: 0 },
  })
  t.equal(report.settings.promptOnlyPrompts, 2)
  const without = await evaluateFake(perfect, { promptOnly: 0 })
  t.equal(without.judges.meters!.baselines.promptOnly, null)
})

t.test('combinations that training never held are counted and measured apart', async (t) => {
  const combinations = [0, 1, 2, 3, 4].flatMap((humor) =>
    [0, 1, 2].map((toxicity) => ({ values: [humor, toxicity] })),
  )
  // The model cannot do what it has not seen: it stops at toxicity 2.
  const report = await evaluateFake(
    ({ attributes: a }) => ({ humor: a.humor ?? 2, toxicity: Math.min(2, a.toxicity ?? 2) }),
    { combinations },
  )
  const { requested, unseen, examples } = report.combinations!
  t.ok(unseen > 0 && unseen < requested)
  t.ok(examples.every(([, toxicity]) => toxicity! > 2))
  const { seen, unseen: apart } = report.judges.meters!.feasibility!
  t.equal(seen.replies + apart.replies, report.replies)
  t.equal(seen.mae, 0)
  // Off by 1 or 2 in one of two attributes.
  t.ok(apart.mae! >= 0.5 && apart.mae! <= 1)
  const unknown = await evaluateFake(perfect)
  t.equal(unknown.combinations, null)
  t.equal(unknown.judges.meters!.feasibility, null)
})

t.test('replies that were cut off are counted, and lengths are reported by level', async (t) => {
  const report = await evaluateFake(perfect, {
    generate: async ({ attributes: a }) => ({
      text: JSON.stringify(perfect({ attributes: a })) + ' word'.repeat(a.humor ?? 0),
      finished: a.humor !== 4,
    }),
    judges: {
      meters: async (inputs) => {
        const only = inputs.map((messages) => messages.at(-1)!.content.replaceAll(' word', ''))
        return readBack(only.map((content) => [{ role: 'assistant', content }]))
      },
    },
    promptOnly: 0,
  })
  t.ok(report.unfinishedReplies >= 8)
  t.same(report.replyWords.humor, [
    { level: 0, words: 1 },
    { level: 1, words: 2 },
    { level: 2, words: 3 },
    { level: 3, words: 4 },
    { level: 4, words: 5 },
  ])
})

t.test('a judge that does not know an attribute is refused after one reply', async (t) => {
  let generated = 0
  const failing = evaluateFake((request) => (generated++, perfect(request)), {
    judges: { apm: async (inputs) => inputs.map(() => ({ humor: 1 })) },
  })
  await t.rejects(failing, { code: 'BAD_ARGUMENT', message: /"apm" gives no value for "toxicity"/ })
  t.equal(generated, 1)
})

t.test('levels outside an attribute, no prompts and no judges are refused', async (t) => {
  const refused = (overrides: Parameters<typeof evaluateFake>[1], message: RegExp) =>
    t.rejects(evaluateFake(perfect, overrides), { code: 'BAD_ARGUMENT', message })
  await refused({ levels: [0, 5] }, /humor goes from 0 to 4, got 5/)
  await refused({ prompts: 0 }, /expected prompts/)
  await refused({ judges: {} }, /expected a judge/)
})

t.test('an abort ends the generation', async (t) => {
  const abort = new AbortController()
  let generated = 0
  const stopped = evaluateFake(
    (request) => {
      if (++generated === 7) abort.abort()
      return perfect(request)
    },
    { signal: abort.signal, concurrency: 1 },
  )
  await t.rejects(stopped, { name: 'AbortError' })
  t.equal(generated, 7)
})

t.test('a generator that fails ends the evaluation with its error', async (t) => {
  let generated = 0
  const failing = evaluateFake(
    (request) => {
      if (++generated === 5) throw new Error('out of memory')
      return perfect(request)
    },
    { concurrency: 1 },
  )
  await t.rejects(failing, { message: 'out of memory' })
  t.equal(generated, 5, 'nothing is begun after it')
})

t.test('progress counts both grids up to the end', async (t) => {
  const seen: string[] = []
  await evaluateFake(perfect, { onProgress: (done, total) => seen.push(`${done}/${total}`) })
  t.equal(seen.length, 100)
  t.equal(seen.at(-1), '100/100')
})

t.test('the report is plain JSON of its schema, with every setting', async (t) => {
  const report = await evaluateFake(() => ({ humor: 3, toxicity: 1 }), {
    combinations: [{ values: [0, 0] }],
  })
  const parsed = SteeringReport.parse(JSON.parse(JSON.stringify(report)))
  t.same(parsed, report)
  t.match(parsed.settings, {
    model: 'fake',
    apm: null,
    prompts: 8,
    attributes: ['humor', 'toxicity'],
    levels: [0, 1, 2, 3, 4],
    temperature: 0.8,
    others: 'random',
    seed: 1,
    bootstrapRounds: 100,
    createdAt: /^\d{4}-\d\d-\d\dT/,
  })
  t.equal(parsed.samples.length, 4, 'both ends of two sliders')
})
