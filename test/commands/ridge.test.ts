/** `train apm --method ridge`: the head is fitted, the base stays, and the model serves as any attribute model. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { ConversationRecord } from '../../schemas/records.ts'
import { run } from '../../src/commands/train.ts'
import { modelPlaces, openModelText } from '../../src/commands/workplace.ts'
import { createScorer } from '../../src/engine/index.ts'
import { openSafetensors } from '../../src/weights/safetensors-reader.ts'
import { createTinyHome } from '../fixtures/tiny-home.ts'

const tiny = createTinyHome(t.testdir())

/** The last letters tell both values, which even a random model's state shows. */
const records = Array.from({ length: 200 }, (_, i): ConversationRecord => {
  const [helpfulness, verbosity] = [i % 5, (i * 3) % 4]
  const content = 'wxyz'[verbosity]! + 'abcde'[helpfulness]!
  const attributes = { helpfulness, ...(i % 2 === 0 && { verbosity }) }
  return {
    messages: [
      { role: 'user', content: `Question ${i}` },
      { role: 'assistant', content: content.repeat(3), attributes },
    ],
  }
})

t.test('ridge fits the head alone', async (t) => {
  t.capture(console, 'log')
  t.capture(process.stderr, 'write', () => true)
  const base = await tiny.model('base', { max_position_embeddings: 256 })
  await tiny.conversations('rated', records)
  const common = ['apm', '--data', 'rated', '--base', 'base', '--attributes', 'helpsteer']
  const place = ['--home', tiny.home, '--method', 'ridge']
  await run([...common, ...place, '--name', 'fitted'])
  const { dir, manifest, template } = await openModelText('fitted', modelPlaces(tiny.home))
  t.match(manifest, {
    kind: 'attribute-model',
    stages: [{ method: 'ridge', hyperParameters: { attributes: [{ lambda: Number }] } }],
  })
  const read = async (folder: string) => {
    const file = await openSafetensors(join(folder, 'model.safetensors'))
    const name = 'model.layers.0.mlp.up_proj.weight'
    return file.readFloat32(name).finally(() => file.close())
  }
  t.same(await read(dir), await read(base), 'the base stays as it was')
  const scorer = await createScorer({ modelDir: dir, threads: 1 })
  const scores = await scorer.score(records.map(({ messages }) => template.scoringTokens(messages)))
  await scorer.dispose()
  const errorOf = (a: number, of: (i: number) => number) =>
    Math.sqrt(scores.reduce((sum, row, i) => sum + (row[a]! - of(i)) ** 2, 0) / scores.length)
  t.ok(errorOf(0, (i) => i % 5) < 1.1, `helpfulness: ${errorOf(0, (i) => i % 5)}, spread 1.41`)
  t.ok(
    scores.every((row) => row[1] === 0),
    'what nobody rated stays at 0',
  )

  await run([...common, ...place, '--name', 'again'])
  const head = (name: string) => readFile(join(tiny.home, 'models', name, 'head.safetensors'))
  t.same(await head('again'), await head('fitted'), 'the same command gives the same bytes')

  for (const wrong of [
    ['--loss', 'bt'],
    ['--lora', '4'],
    ['--attribute-weights', 'verbosity=2'],
  ])
    await t.rejects(run([...common, ...place, '--name', 'x', ...wrong]), { code: 'BAD_ARGUMENT' })
})
