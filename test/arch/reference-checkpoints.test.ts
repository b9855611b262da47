/** Logits of small random checkpoints against those that transformers computed (float32, CPU). */
import t from 'tap'
import { openModel } from '../../src/arch/index.ts'
import { buildScoreGraph } from '../../src/arch/serving-graphs.ts'
import { encodeModel } from '../../src/onnx/encode-model.ts'
import { createTensor, Session } from '../../src/ort/index.ts'
import { largestDifference } from '../fixtures/nd-array.ts'
import { expectedOf, folderOf, referenceFolders, skip } from '../fixtures/reference-folders.ts'
import { openDecoder } from '../fixtures/run-decode.ts'

/** float32 sums in another order; the published numbers have six decimals. */
const TOLERANCE = 1e-4
const best = (row: Float32Array) => row.indexOf(Math.max(...row))
const indices = (values: ArrayLike<unknown>) => Array.from(values, (_, i) => i)

for (const name of referenceFolders) {
  t.test(`${name}: a prefill has the logits of transformers`, { skip }, async (t) => {
    const { tokens, ...expected } = expectedOf(name)
    const decoder = await openDecoder(folderOf(name), 1, 64)
    t.teardown(() => decoder.dispose())
    const V = decoder.config.vocabSize
    const logits = await decoder.feed([tokens], [tokens.length], indices(tokens))
    const row = (position: number) => logits.subarray(position * V, (position + 1) * V)
    const differences = Object.entries(expected.logits_at).map(([position, wanted]) =>
      largestDifference(row(Number(position)).subarray(0, wanted.length), wanted),
    )
    const largest = Math.max(...differences)
    t.equal(differences.length, 4)
    t.ok(largest < TOLERANCE, `largest difference ${largest}`)
    t.comment(`${name}: largest difference of a logit ${largest.toExponential(1)}`)
    t.same(
      indices(tokens).map((position) => best(row(position))),
      expected.argmax,
    )
    const logProbabilities = tokens.slice(1).map((token, i) => {
      const total = row(i).reduce((sum, value) => sum + Math.exp(value), 0)
      return row(i)[token]! - Math.log(total)
    })
    t.ok(largestDifference(logProbabilities, expected.logprob_next) < TOLERANCE)
  })

  t.test(`${name}: chunks, and the greedy continuation over the cache`, { skip }, async (t) => {
    const { tokens, greedy } = expectedOf(name)
    const decoder = await openDecoder(folderOf(name), 1, 64)
    t.teardown(() => decoder.dispose())
    const whole = await decoder.feed([tokens], [40], indices(tokens))
    const parts: number[] = []
    for (const [from, to] of [
      [0, 7],
      [7, 8],
      [8, 29],
      [29, 40],
    ] as const) {
      const chunk = tokens.slice(from, to)
      parts.push(...(await decoder.feed([chunk], [to], indices(chunk))))
    }
    t.ok(largestDifference(whole, parts) < 1e-5, 'four chunks')
    const { prompt, next_24: next } = greedy
    let logits = await decoder.feed([prompt], [prompt.length], [prompt.length - 1])
    const found: number[] = []
    for (let i = 0; i < next.length; i++) {
      found.push(best(logits))
      logits = await decoder.feed([[found.at(-1)!]], [prompt.length + i + 1], [0])
    }
    t.same(found, next)
  })

  t.test(`${name}: rows of other lengths in the batch change nothing`, { skip }, async (t) => {
    const { tokens } = expectedOf(name)
    const decoder = await openDecoder(folderOf(name), 3, 64)
    const alone = await openDecoder(folderOf(name), 1, 64)
    t.teardown(() => [decoder, alone].forEach((each) => each.dispose()))
    const V = decoder.config.vocabSize
    const wanted = await alone.feed([tokens], [40], indices(tokens))
    // Row r starts r · 9 tokens later and then repeats its last token until the others have come.
    const starts = [0, 9, 18]
    let worst = 0
    for (let step = 0; step < 40; step++) {
      const at = starts.map((start) => Math.max(0, step - start))
      const rows = at.map((position) => [tokens[position]!])
      const logits = await decoder.feed(
        rows,
        at.map((position) => position + 1),
        [0],
      )
      const differences = at.map((position, r) =>
        largestDifference(
          logits.subarray(r * V, (r + 1) * V),
          wanted.subarray(position * V, (position + 1) * V),
        ),
      )
      worst = Math.max(worst, ...differences)
    }
    t.ok(worst < 1e-5, `40 ragged steps: largest difference ${worst}`)
  })

  t.test(`${name}: scores with the output head's rows are logits`, { skip }, async (t) => {
    const { tokens, logits_at: wanted } = expectedOf(name)
    const { config, checkpoint } = await openModel(folderOf(name))
    t.teardown(() => checkpoint.close())
    const head = config.tiedEmbeddings ? 'model.embed_tokens.weight' : 'lm_head.weight'
    const rows = await checkpoint.tensors.get(head)!.file.readFloat32(head)
    const A = 48
    const weight = rows.slice(0, A * config.hiddenSize)
    const bias = new Float32Array(A)
    const graph = buildScoreGraph(config, checkpoint, { attributes: A, weight, bias })
    const model = encodeModel(graph)
    const session = await Session.create({ model, weightsDirectory: folderOf(name) })
    t.teardown(() => session.dispose())
    const lengths = [40, 18, 1]
    const ids = lengths.flatMap((n) => tokens.map((token, i) => BigInt(i < n ? token : 3)))
    const binding = session.createBinding()
    binding.bindInput('input_ids', createTensor('int64', [3, 40], BigInt64Array.from(ids)))
    binding.bindInput('lengths', createTensor('int32', [3], Int32Array.from(lengths)))
    const scores = createTensor('float32', [3, A])
    binding.bindOutput('scores', scores)
    await session.run(binding)
    lengths.forEach((length, r) => {
      const found = scores.data.subarray(r * A, (r + 1) * A)
      const difference = largestDifference(found, wanted[length - 1]!)
      t.ok(difference < TOLERANCE, `${length} tokens: largest difference ${difference}`)
    })
  })
}
