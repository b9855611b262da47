/** `steerlm train` in this process: from data sets to model folders that serve. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { ConversationRecord } from '../../schemas/records.ts'
import { openModel } from '../../src/arch/index.ts'
import { run } from '../../src/commands/train.ts'
import { createScorer } from '../../src/engine/index.ts'
import { attributeSet } from '../../src/labels/attribute-sets.ts'
import { readManifest } from '../../src/registry/model-folder.ts'
import { readAdapter } from '../../src/weights/peft-adapter.ts'
import { openSafetensors } from '../../src/weights/safetensors-reader.ts'
import { createTinyHome, drawTokenRows } from '../fixtures/tiny-home.ts'

const tiny = createTinyHome(t.testdir())
const CONTEXT = { max_position_embeddings: 256 }

const set = attributeSet('village')
const names = set.map(({ name }) => name)
const rated: ConversationRecord[] = Array.from({ length: 12 }, (_, i) => {
  const attributes = Object.fromEntries(names.map((name, a) => [name, (i + a) % 5]))
  return {
    messages: [
      { role: 'user', content: `Hello ${i}` },
      { role: 'assistant', content: 'Good day.'.repeat(1 + (i % 3)), attributes },
    ],
  }
})
await tiny.conversations('rated', rated)
await tiny.tokenRows('rows', drawTokenRows(12))

/** Runs the command, keeps its output to itself, and returns the path it printed. */
async function train(...args: string[]): Promise<{ dir: string; steps: number }> {
  const captured = t.capture(console, 'log')
  const error = t.capture(process.stderr, 'write', () => true)
  try {
    t.equal(await run([...args, '--home', tiny.home, '--threads', '1', '--json']), 0)
    const { path, steps } = JSON.parse(captured().at(-1)!.args[0] as string) as {
      path: string
      steps: number
    }
    return { dir: path, steps }
  } finally {
    captured.restore()
    error.restore()
  }
}

async function tensorsOf(dir: string): Promise<Map<string, string>> {
  const file = await openSafetensors(join(dir, 'model.safetensors'))
  const hashes = new Map<string, string>()
  for (const name of file.tensors.keys())
    hashes.set(name, Buffer.from(await file.read(name)).toString('base64'))
  await file.close()
  return hashes
}

t.test('an attribute model is calibrated on prompts that it did not see', async (t) => {
  const many = Array.from({ length: 160 }, (_, i) => ({
    messages: rated[i % 12]!.messages.map((message) =>
      message.role === 'user' ? { ...message, content: `Hello ${i >> 1}` } : message,
    ),
  }))
  await tiny.conversations('many', many)
  await tiny.model('base-many', CONTEXT)
  const args = ['apm', '--data', 'many', '--base', 'base-many', '--attributes', 'village']
  const more = ['--max-steps', '2', '--validation', '0.5']
  const { dir } = await train(...args, '--name', 'judge', ...more)
  const { calibration } = await readManifest(dir)
  t.same(Object.keys(calibration!), names)
  for (const { rows } of Object.values(calibration!)) t.equal(rows, 80)

  const without = await train(...args, '--name', 'unheld', '--max-steps', '2')
  t.equal((await readManifest(without.dir)).calibration, undefined)
})

for (const tied of [true, false]) {
  for (const lora of [0, 2]) {
    const title = `${tied ? 'tied' : 'untied'} base, ${lora ? 'LoRA' : 'all weights'}`
    t.test(`an attribute model scores: ${title}`, async (t) => {
      const base = `base-${tied}`
      await tiny.model(base, { ...CONTEXT, tie_word_embeddings: tied })
      const args = ['apm', '--data', 'rated', '--base', base, '--name', 'apm']
      const more = ['--attributes', 'village', '--lora', `${lora}`, '--max-steps', '4']
      const { dir } = await train(...args, ...more)
      const manifest = await readManifest(dir)
      t.match(manifest, { kind: 'attribute-model', name: 'apm', template: 'chat' })
      t.same(
        manifest.attributes.map(({ name }) => name),
        names,
      )
      const scorer = await createScorer({ modelDir: dir, threads: 1 })
      const [scores] = await scorer.score([[5, 6, 7]])
      await scorer.dispose()
      t.equal(scores!.length, 5)
      // Labels are evenly spread over 0 to 4, the bias starts at their means.
      for (const score of scores!) t.ok(score > 0 && score < 4, `score ${score}`)
    })
  }
}

t.test('fine-tuning with LoRA writes the merged model and the adapter beside it', async (t) => {
  await tiny.model('base', CONTEXT)
  const args = ['sft', '--data', 'rated', '--base', 'base', '--name', 'tuned']
  const { dir, steps } = await train(
    ...args,
    '--attributes',
    'village',
    '--lora',
    '2',
    '--alpha',
    '8',
    '--epochs',
    '3',
    '--batch-size',
    '5',
  )
  t.equal(steps, 9)
  const adapter = await readAdapter(join(dir, 'adapter'))
  t.match(
    { rank: adapter.rank, alpha: adapter.alpha, targets: adapter.targets.size },
    { rank: 2, alpha: 8, targets: 14 },
  )
  const [before, after] = [await tensorsOf(join(tiny.home, 'models', 'base')), await tensorsOf(dir)]
  const changed = [...before.keys()].filter((name) => before.get(name) !== after.get(name))
  t.same(changed.map((name) => name.replace(/\.weight$/, '')).sort(), [...adapter.targets].sort())
  const manifest = await readManifest(dir)
  t.equal(manifest.combinations?.length, 5)
  t.equal(
    manifest.combinations?.reduce((sum, { count }) => sum + count, 0),
    12,
  )
})

t.test('a trained adapter goes on with --init-adapter', async (t) => {
  await tiny.model('base', CONTEXT)
  const args = (name: string) => [
    'sft',
    '--data',
    'rows',
    '--base',
    'base',
    '--name',
    name,
    '--max-steps',
    '2',
    '--no-shuffle',
  ]
  const first = await train(...args('first'), '--lora', '2')
  const init = join(first.dir, 'adapter')
  const second = await train(...args('second'), '--init-adapter', init)
  const [one, two] = [await readAdapter(init), await readAdapter(join(second.dir, 'adapter'))]
  t.same([two.rank, two.alpha, two.targets], [one.rank, one.alpha, one.targets])
  t.notSame(two.tensors, one.tensors)
})

t.test('pretraining from a configuration writes f16 on request, text files included', async (t) => {
  const config = tiny.config(CONTEXT)
  const log = join(tiny.home, 'log.jsonl')
  const { dir } = await train(
    ...['pretrain', '--data', 'rated', '--name', 'fresh', '--config', config],
    ...[
      '--tokenizer',
      tiny.tokenizer,
      '--dtype',
      'f16',
      '--max-steps',
      '3',
      '--validation',
      '0.25',
    ],
    ...['--log-jsonl', log],
  )
  const { config: parsed, checkpoint } = await openModel(dir)
  await checkpoint.close()
  t.equal(parsed.maxPositions, 256)
  t.same([...new Set([...checkpoint.tensors.values()].map(({ entry }) => entry.dtype))], ['F16'])
  t.match(JSON.parse(await readFile(join(dir, 'config.json'), 'utf8')), { dtype: 'float16' })
  t.equal(
    await readFile(join(dir, 'tokenizer.json'), 'utf8'),
    await readFile(join(tiny.tokenizer, 'tokenizer.json'), 'utf8'),
  )
  const manifest = await readManifest(dir)
  t.same(manifest.attributes, [], 'a pretrained model cannot be steered yet')
  t.match(manifest.stages, [{ command: 'train pretrain', data: { name: 'rated', rows: 12 } }])
  const rows = (await readFile(log, 'utf8')).trim().split('\n')
  t.match(
    rows.map((row) => JSON.parse(row) as object),
    [
      { step: 1, loss: Number, grad_norm: Number, lr: Number, tokens: Number },
      { step: 2 },
      { step: 3 },
      { step: 3, validation_loss: Number },
    ],
  )
})

t.test('conversations without an attribute set cannot be followed or rated', async (t) => {
  await tiny.model('base', CONTEXT)
  for (const kind of ['sft', 'apm']) {
    const argv = [kind, '--data', 'rated', '--base', 'base', '--name', 'x', '--home', tiny.home]
    await t.rejects(run(argv), { code: 'BAD_ARGUMENT', detail: /--attributes: expected a set/ })
  }
})
