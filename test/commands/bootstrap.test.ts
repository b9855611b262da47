/** `steerlm label` and `steerlm bootstrap` in this process, on tiny random models. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { ConversationRecord } from '../../schemas/records.ts'
import { highQuality, run as bootstrap } from '../../src/commands/bootstrap.ts'
import { run as label } from '../../src/commands/label.ts'
import { run as train } from '../../src/commands/train.ts'
import { openDataset } from '../../src/datasets/dataset-store.ts'
import { attributeSet } from '../../src/labels/attribute-sets.ts'
import { readManifest } from '../../src/registry/model-folder.ts'
import { createTinyHome } from '../fixtures/tiny-home.ts'

const attributes = attributeSet('village')
const values = (...levels: number[]) =>
  Object.fromEntries(attributes.map(({ name }, a) => [name, levels[a]!]))

const records: ConversationRecord[] = Array.from({ length: 6 }, (_, i) => ({
  messages: [
    { role: 'user', content: `Hi ${i}` },
    { role: 'assistant', content: 'Yes.', attributes: values(i % 2 ? 4 : 2, i % 3, 1, 1, 0) },
  ],
}))

const tiny = createTinyHome(t.testdir())
await tiny.conversations('rated', records)
await tiny.model('base', { max_position_embeddings: 128 })

async function quietly(run: (argv: string[]) => Promise<number>, ...argv: string[]) {
  const log = t.capture(console, 'log')
  const error = t.capture(process.stderr, 'write', () => true)
  try {
    t.equal(await run([...argv, '--home', tiny.home, '--threads', '1']), 0)
  } finally {
    log.restore()
    error.restore()
  }
}

async function recordsOf(name: string): Promise<ConversationRecord[]> {
  const found: ConversationRecord[] = []
  for await (const record of (await openDataset(name, tiny.home)).conversations())
    found.push(record)
  return found
}

t.test('the highest quality is the best level of every attribute that has one', async (t) => {
  // helpfulness up, toxicity down; humor, creativity and verbosity are a matter of taste.
  const combinations = [
    [4, 0, 3, 2, 0],
    [3, 0, 3, 2, 0],
    [4, 4, 0, 0, 1],
    [4, 4, 0, 0, 0],
  ].map((levels) => ({ values: levels }))
  t.same(highQuality(combinations, attributes), [
    [4, 0, 3, 2, 0],
    [4, 4, 0, 0, 0],
  ])
})

t.test(
  'where no reply is at the top, the nearest combinations stand for the highest quality',
  async (t) => {
    const combinations = [
      [2, 0, 0, 0, 0],
      [3, 1, 2, 2, 1],
      [3, 1, 2, 2, 0],
      [4, 0, 0, 0, 1],
    ].map((levels) => ({ values: levels }))
    t.same(highQuality(combinations, attributes), [
      [3, 1, 2, 2, 0],
      [4, 0, 0, 0, 1],
    ])
    t.same(highQuality([], attributes), [])
  },
)

t.test('labelling gives every reply the attribute model’s values', async (t) => {
  const more = ['--attributes', 'village', '--max-steps', '2']
  await quietly(train, 'apm', '--data', 'rated', '--base', 'base', '--name', 'apm', ...more)
  await quietly(label, '--data', 'rated', '--apm', 'apm', '--name', 'labelled')
  const labelled = await recordsOf('labelled')
  t.equal(labelled.length, 6)
  for (const { messages } of labelled) {
    const given = messages[1]!.attributes!
    t.same(
      Object.keys(given),
      attributes.map(({ name }) => name),
    )
    for (const value of Object.values(given)) t.ok(value >= 0 && value <= 4)
  }
  t.same(
    labelled.map(({ messages }) => messages[1]!.content),
    records.map(() => 'Yes.'),
  )
})

t.test('a language model cannot label', async (t) => {
  const args = ['--data', 'rated', '--apm', 'base', '--name', 'x', '--home', tiny.home]
  await t.rejects(label(args), { code: 'MODEL_NOT_PREDICTIVE' })
})

t.test(
  'bootstrapping trains on sampled replies with predicted labels, and on the data',
  async (t) => {
    // Long enough to learn to say "Yes." and to stop.
    const more = ['--attributes', 'village', '--max-steps', '30', '--lr', '0.01']
    await quietly(train, 'sft', '--data', 'rated', '--base', 'base', '--name', 'steered', ...more)
    await quietly(
      bootstrap,
      ...['--data', 'rated', '--model', 'steered', '--apm', 'apm', '--name', 'boosted'],
      ...['--samples', '12', '--mix', '2', '--concurrency', '4', '--max-steps', '2'],
    )
    const mixed = await recordsOf('boosted-samples')
    const sampled = mixed.filter(({ id }) => id?.startsWith('bootstrap-'))
    t.ok(sampled.length > 6 && sampled.length <= 12, `${sampled.length} replies that ended in time`)
    t.equal(mixed.length - sampled.length, 2)
    t.ok(sampled.some(({ messages }) => messages.at(-1)!.content === 'Yes.'))
    for (const { messages } of sampled) {
      t.match(messages[0]!.content, /^Hi \d$/)
      t.same(
        Object.keys(messages.at(-1)!.attributes!),
        attributes.map(({ name }) => name),
      )
    }
    const manifest = await readManifest(join(tiny.home, 'models', 'boosted'))
    t.same(
      manifest.stages?.map((stage) => (stage as { command: string }).command),
      ['train sft', 'train sft'],
    )
    t.notOk(existsSync(join(tiny.home, 'trainings', 'boosted-samples')), 'nothing is left behind')
  },
)

t.test('replies that the context cuts off are not trained on', async (t) => {
  const more = ['--attributes', 'village', '--max-steps', '1']
  await quietly(train, 'sft', '--data', 'rated', '--base', 'base', '--name', 'babbling', ...more)
  const args = ['--data', 'rated', '--model', 'babbling', '--apm', 'apm', '--name', 'z']
  const error = t.capture(process.stderr, 'write', () => true)
  await t.rejects(bootstrap([...args, '--samples', '4', '--threads', '1', '--home', tiny.home]), {
    code: 'BAD_RECORD',
    detail: 'no reply of "babbling" ended within the context',
  })
  error.restore()
})

t.test('data without a fully labelled reply cannot start it', async (t) => {
  const poor = records.map(({ messages }) => ({
    messages: [messages[0]!, { ...messages[1]!, attributes: { helpfulness: 4 } }],
  }))
  await tiny.conversations('poor', poor)
  const args = ['--data', 'poor', '--model', 'steered', '--apm', 'apm', '--name', 'y']
  await t.rejects(bootstrap([...args, '--home', tiny.home]), {
    code: 'BAD_RECORD',
    detail: /"poor" has no reply with a value of every attribute/,
  })
})
