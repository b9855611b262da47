/**
 * The scorer on the llama-tied checkpoint. Its head is made of rows of the tied embedding, so the
 * scores must be the reference's logits of those tokens.
 */
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { createScorer } from '../../src/engine/index.ts'
import { createRandom } from '../../src/engine/random.ts'
import { openSafetensors } from '../../src/weights/safetensors-reader.ts'
import { writeSafetensors } from '../../src/weights/safetensors-writer.ts'

const source = fileURLToPath(new URL('../../../shared/fixtures/hf/llama-tied', import.meta.url))
const skip = existsSync(source) ? false : 'the llama-tied checkpoint is not here'
const ATTRIBUTES = 3
const BIAS = Float32Array.of(0, 1, -2)

/** An attribute model: the checkpoint plus a head of the first three embedding rows. */
async function writeAttributeModel(): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'steerlm-scorer-'))
  for (const name of ['config.json', 'model.safetensors']) {
    copyFileSync(join(source, name), join(dir, name))
  }
  const file = await openSafetensors(join(dir, 'model.safetensors'))
  const name = 'model.embed_tokens.weight'
  const hidden = file.tensors.get(name)!.shape[1]!
  const embedding = await file.readFloat32(name)
  await file.close()
  const weight = embedding.slice(0, ATTRIBUTES * hidden)
  await writeSafetensors(join(dir, 'head.safetensors'), [
    { name: 'weight', dtype: 'F32', shape: [ATTRIBUTES, hidden], data: weight },
    { name: 'bias', dtype: 'F32', shape: [ATTRIBUTES], data: BIAS },
  ])
  return dir
}

/** f32 sums in another order: about 1e-5 on values up to 10. */
const TOLERANCE = 1e-3

function maxDifference(a: Float32Array, b: Float32Array): number {
  return a.reduce((worst, value, i) => Math.max(worst, Math.abs(value - b[i]!)), 0)
}

t.test('scores are the head on each row, whatever the batch', { skip }, async (t) => {
  const dir = await writeAttributeModel()
  const scorer = await createScorer({ modelDir: dir })
  t.teardown(async () => {
    await scorer.dispose()
    rmSync(dir, { recursive: true })
  })
  t.equal(scorer.attributes, ATTRIBUTES)
  const { tokens, logits_at: logitsAt } = JSON.parse(
    readFileSync(join(source, 'expected.json'), 'utf8'),
  ) as { tokens: number[]; logits_at: Record<string, number[]> }
  const want = (position: number): Float32Array =>
    Float32Array.from(BIAS, (bias, i) => bias + logitsAt[position]![i]!)

  const rows = [39, 0, 17, 1].map((position) => tokens.slice(0, position + 1))
  const scores = await scorer.score(rows)
  rows.forEach((row, i) => {
    const difference = maxDifference(scores[i]!, want(row.length - 1))
    t.ok(difference < TOLERANCE, `${row.length} tokens: off by ${difference}`)
  })

  const random = createRandom(3)
  const many = Array.from({ length: 45 }, () =>
    Array.from({ length: 1 + Math.floor(random() * 60) }, () => Math.floor(random() * 600)),
  )
  const batched = await scorer.score(many)
  const reversed = (await scorer.score(many.toReversed())).toReversed()
  for (const [i, row] of many.entries()) {
    const [alone] = await scorer.score([row])
    t.ok(maxDifference(batched[i]!, alone!) < 1e-4, `row ${i}: in a batch as alone`)
    t.ok(maxDifference(batched[i]!, reversed[i]!) < 1e-4, `row ${i}: in any order`)
  }
  t.same(await scorer.score([]), [])
})

t.test('bad rows are refused by name, overlapping calls all end', { skip }, async (t) => {
  const dir = await writeAttributeModel()
  const scorer = await createScorer({ modelDir: dir })
  t.teardown(() => rmSync(dir, { recursive: true }))
  const long = Array.from({ length: scorer.maxLength + 1 }, () => 1)
  const tooLong = new RegExp(`row 1 has ${long.length} tokens.* ${scorer.maxLength}`)
  await t.rejects(scorer.score([[1], long]), { code: 'CONTEXT_TOO_LONG', message: tooLong })
  await t.rejects(scorer.score([[]]), { code: 'BAD_REQUEST', message: /row 0/ })
  await t.rejects(scorer.score([[1, -5]]), { code: 'BAD_REQUEST', message: /got -5/ })
  const calls = [scorer.score([[1, 2]]), scorer.score([[1, 2]])]
  const disposed = scorer.dispose()
  const [first, second] = await Promise.all(calls)
  t.same(first, second)
  await disposed
  await t.rejects(scorer.score([[1]]), { code: 'CANCELLED' })
})
