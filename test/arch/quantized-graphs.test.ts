/**
 * Every architecture with its weights as integers, against the same graphs with floats. Two differences
 * are measured, relative to the logits' size: to the original weights (what quantising costs; on random
 * weights, where nothing is redundant, far more than on trained ones), and to the floats that the
 * integers stand for. The second is what the kernels add by rounding activations to 8 bits, and it is
 * small whatever the weights, so it finds a wrong block, scale or row.
 */
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createRandom } from '../../src/util/random.ts'
import { blocksOf, writeWeightsAs } from '../fixtures/quantized-folder.ts'
import { expectedOf, folderOf, referenceFolders, skip } from '../fixtures/reference-folders.ts'
import { openDecoder } from '../fixtures/run-decode.ts'
import { writeTinyCheckpoint } from '../fixtures/tiny-checkpoint.ts'
import { tinyFamilies } from '../fixtures/tiny-families.ts'

const CAPACITY = 32

/** Measured 2026-11 on AVX-512 VNNI: to the floats 0.046 at most (SmolLM 3), to the original 0.06 and 0.71. */
const LIMITS = { toFloats: 0.07, toOriginal: { 8: 0.09, 4: 0.9 } }

async function allLogits(dir: string, tokens: number[]): Promise<Float32Array> {
  const decoder = await openDecoder(dir, 1, CAPACITY)
  try {
    return await decoder.feed(
      [tokens],
      [tokens.length],
      tokens.map((_, i) => i),
    )
  } finally {
    decoder.dispose()
  }
}

function relativeDifference(a: Float32Array, b: Float32Array): number {
  let [difference, size] = [0, 0]
  a.forEach((value, i) => {
    difference += (value - b[i]!) ** 2
    size += b[i]! ** 2
  })
  return Math.sqrt(difference / size)
}

async function checkAgainstFloats(t: Test, dir: string, tokens: number[]): Promise<void> {
  const original = await allLogits(dir, tokens)
  for (const bits of [8, 4] as const) {
    const integers = await writeWeightsAs(dir, join(t.testdirName, `q${bits}`), blocksOf(bits))
    const floats = await writeWeightsAs(integers, join(t.testdirName, `floats${bits}`), {
      kind: 'float',
      dtype: 'F32',
    })
    const found = await allLogits(integers, tokens)
    const kernels = relativeDifference(found, await allLogits(floats, tokens))
    const cost = relativeDifference(found, original)
    t.ok(kernels > 0 && kernels < LIMITS.toFloats, `${bits} bits, to the same floats: ${kernels}`)
    t.ok(cost > 0 && cost < LIMITS.toOriginal[bits], `${bits} bits, to the original: ${cost}`)
  }
}

const draw = createRandom('tokens')
const tokens = Array.from({ length: 20 }, () => draw.int(32))

for (const [name, config] of Object.entries(tinyFamilies)) {
  t.test(`${name}: integers against floats`, async (t) => {
    const dir = join(t.testdir(), 'original')
    await writeTinyCheckpoint(dir, { config })
    await checkAgainstFloats(t, dir, tokens)
  })
}

for (const name of referenceFolders) {
  t.test(`${name}: integers against floats`, { skip }, async (t) => {
    t.testdir()
    await checkAgainstFloats(t, folderOf(name), expectedOf(name).tokens.slice(0, CAPACITY))
  })
}

t.test('columns that no block divides stay floats among integers', async (t) => {
  const dir = join(t.testdir(), 'original')
  // Hidden size 40: only down_proj [40, 48] and o_proj [40, 32] have blocks.
  const config = { hidden_size: 40, head_dim: 8, num_attention_heads: 4, intermediate_size: 48 }
  await writeTinyCheckpoint(dir, { config })
  await checkAgainstFloats(t, dir, tokens)
})

for (const bits of [8, 4] as const) {
  t.test(
    `${bits} bits: a row's logits do not depend on its neighbours, pieces or padding`,
    async (t) => {
      const dir = join(t.testdir(), 'original')
      await writeTinyCheckpoint(dir, { config: { head_dim: 16, tie_word_embeddings: bits === 8 } })
      const quantized = await writeWeightsAs(dir, join(t.testdirName, 'q'), blocksOf(bits))
      const alone = await allLogits(quantized, tokens)
      const V = 32
      const batch = await openDecoder(quantized, 3, CAPACITY)
      t.teardown(() => batch.dispose())
      // Row r starts 5 · r tokens late; until then it repeats its first token.
      let worst = 0
      for (let step = 0; step < tokens.length; step++) {
        const at = [0, 5, 10].map((late) => Math.max(0, step - late))
        const rows = at.map((position) => [tokens[position]!])
        const logits = await batch.feed(rows, at.map((position) => position + 1), [0]) // prettier-ignore
        at.forEach((position, r) => {
          const wanted = alone.subarray(position * V, (position + 1) * V)
          worst = Math.max(worst, relativeDifference(logits.subarray(r * V, (r + 1) * V), wanted))
        })
      }
      t.ok(worst < 1e-5, `largest difference ${worst}`)
    },
  )
}
