/** Pairs of a prompt's replies, and an attribute model that learns them after its regression. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { ConversationRecord, PreferenceRecord } from '../../schemas/records.ts'
import { parseAttributeWeights } from '../../src/commands/attribute-training.ts'
import { rankedPairs, rankedRows } from '../../src/commands/preference-rows.ts'
import { run } from '../../src/commands/train.ts'
import { openDataset, writeDataset } from '../../src/datasets/dataset-store.ts'
import { createScorer } from '../../src/engine/index.ts'
import { attributeSet } from '../../src/labels/attribute-sets.ts'
import { openModelText, modelPlaces } from '../../src/commands/workplace.ts'
import { createTinyHome } from '../fixtures/tiny-home.ts'

const tiny = createTinyHome(t.testdir())

t.test('all pairs of K replies, as the three losses weigh them', async (t) => {
  const scores = [3, 1, 1, 0]
  const plain = rankedPairs(scores, 'bt')
  t.equal(plain.length, 5, 'six pairs less the tie')
  t.ok(plain.every(({ weight, margin }) => weight === 1 / 5 && margin === 0))
  t.match(rankedPairs(scores, 'bt-margin')[0], { chosen: 0, rejected: 1, margin: 2, weight: 1 / 5 })
  t.match(rankedPairs(scores, 'bt-scaled')[2], { chosen: 0, rejected: 3, margin: 0, weight: 3 / 5 })
  t.same(rankedPairs([2, 2], 'bt'), [])
})

t.test('a set of preferences gives pairs by rank, as strong as it says', async (t) => {
  const messages = [{ role: 'user' as const, content: 'Hi' }]
  const replies = (...ranks: number[]) => ranks.map((rank) => ({ content: `r${rank}`, rank }))
  const sets: PreferenceRecord[] = [
    { messages, replies: replies(1, 0), strength: 3 },
    { messages, replies: replies(0, 1, 2) },
    { messages, replies: replies(0, 0), strength: 0 },
  ]
  const { home } = tiny
  await writeDataset({ name: 'pairs', home, records: sets, kind: 'preferences' })
  await tiny.model('base', { max_position_embeddings: 256 })
  const { template } = await openModelText('base', modelPlaces(home), { kind: 'chat' })
  const dataset = await openDataset('pairs', home)
  const rows = await rankedRows(dataset, template, { attribute: 'none', loss: 'bt-scaled' })
  t.same(
    rows.map(({ pairs }) => pairs.map((pair) => [pair.chosen, pair.rejected, pair.weight])),
    [
      [[1, 0, 3]],
      [
        [0, 1, 1 / 3],
        [0, 2, 2 / 3],
        [1, 2, 1 / 3],
      ],
    ],
  )
  t.same(
    rows[0]!.replies[1],
    template.scoringTokens([...messages, { role: 'assistant', content: 'r0' }]),
  )
})

t.test('weights of attributes', async (t) => {
  const set = attributeSet('helpsteer')
  t.equal(parseAttributeWeights(undefined, set), undefined)
  t.same(parseAttributeWeights('verbosity=0.5,coherence=0', set), [1, 1, 0, 1, 0.5])
  for (const [text, detail] of [
    ['humour=1', /no attribute "humour"; there are helpfulness, correctness/],
    ['verbosity=-1', /expected verbosity=0/],
    ['verbosity', /got "verbosity"/],
    ['verbosity=NaN', /got "verbosity=NaN"/],
    ['helpfulness=0,correctness=0,coherence=0,complexity=0,verbosity=0', /all are 0/],
  ] as const)
    t.throws(() => parseAttributeWeights(text, set), { code: 'BAD_ARGUMENT', detail })
})

/** Longer answers are more helpful; two answers to each question. */
const records = Array.from({ length: 12 }, (_, i): ConversationRecord[] =>
  [4, 1].map((helpfulness) => ({
    messages: [
      { role: 'user', content: `Question ${i}` },
      {
        role: 'assistant',
        content: helpfulness === 4 ? 'yes, by all means' : 'no',
        attributes: { helpfulness, verbosity: 2 },
        ratings: { helpfulness: [helpfulness, helpfulness] },
      },
    ],
  })),
).flat()

async function train(...args: string[]): Promise<string> {
  const captured = t.capture(console, 'log')
  const error = t.capture(process.stderr, 'write', () => true)
  try {
    t.equal(await run([...args, '--home', tiny.home, '--threads', '1', '--json']), 0)
    return (JSON.parse(captured().at(-1)!.args[0] as string) as { path: string }).path
  } finally {
    captured.restore()
    error.restore()
  }
}

t.test('regression first, then scaled Bradley–Terry from its head', async (t) => {
  await tiny.model('base', { max_position_embeddings: 256 })
  await tiny.conversations('rated', records)
  const common = [
    '--data',
    'rated',
    '--attributes',
    'helpsteer',
    '--lr',
    '0.003',
    '--weight-decay',
    '0',
  ]
  const weights = ['--rater-weights', '--attribute-weights', 'verbosity=0.5']
  const first = ['apm', '--base', 'base', '--name', 'regression', '--max-steps', '8', ...weights]
  const regression = await train(...first, ...common)
  const head = (dir: string) => readFile(join(dir, 'head.safetensors'))
  const still = [
    'apm',
    '--base',
    'regression',
    '--name',
    'still',
    '--loss',
    'bt',
    '--max-steps',
    '1',
  ]
  const unchanged = await train(...still, ...common, '--lr', '0')
  t.same(await head(unchanged), await head(regression), 'the head goes on from where it was')

  const scaled = ['apm', '--base', 'regression', '--name', 'scaled', '--loss', 'bt-scaled']
  const path = await train(...scaled, '--max-steps', '30', ...common)
  const { template } = await openModelText('scaled', modelPlaces(tiny.home))
  const scorer = await createScorer({ modelDir: path, threads: 1 })
  const rows = records.map(({ messages }) => template.scoringTokens(messages))
  const scores = await scorer.score(rows)
  await scorer.dispose()
  const margins = Array.from({ length: 12 }, (_, i) => scores[2 * i]![0]! - scores[2 * i + 1]![0]!)
  t.ok(Math.min(...margins) > 1, `the better reply is ahead: ${margins}`)
})

t.test('data without pairs, and attributes that are not there', async (t) => {
  await tiny.conversations('single', records.slice(0, 1))
  const args = [
    'apm',
    '--base',
    'base',
    '--name',
    'x',
    '--attributes',
    'helpsteer',
    '--home',
    tiny.home,
  ]
  const bt = [...args, '--data', 'single', '--loss', 'bt']
  await t.rejects(run(bt), { code: 'BAD_RECORD', detail: /no two replies to a prompt/ })
  for (const wrong of [
    ['--preferred', 'helpfulness'],
    ['--loss', 'bt', '--rater-weights'],
  ])
    await t.rejects(run([...args, '--data', 'single', ...wrong]), { code: 'BAD_ARGUMENT' })
  const sft = ['sft', ...args.slice(1), '--data', 'single', '--loss', 'bt']
  await t.rejects(run(sft), { code: 'BAD_ARGUMENT', detail: /are for apm, not sft/ })
  const preferred = [...bt, '--preferred', 'beauty']
  await t.rejects(run(preferred), { code: 'BAD_ARGUMENT', detail: /no attribute "beauty"/ })
})
