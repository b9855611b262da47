/** Vectors against the logits of transformers, which are the head's rows times the last layer's normed states. */
import t from 'tap'
import { openModel } from '../../src/arch/index.ts'
import { lazyEmbedder } from '../../src/engine/index.ts'
import { expectedOf, folderOf, skip } from '../fixtures/reference-folders.ts'

const name = 'llama-tied'

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((sum, value, i) => sum + value * b[i]!, 0)
const cosine = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))
const length = (a: ArrayLike<number>): number => Math.sqrt(dot(a, a))

t.test(
  'vectors point where transformers’ states do, whatever shares the batch',
  { skip },
  async (t) => {
    const { tokens, logits_at: wanted } = expectedOf(name)
    const { config, checkpoint } = await openModel(folderOf(name))
    const embedding = 'model.embed_tokens.weight'
    const head = await checkpoint.tensors.get(embedding)!.file.readFloat32(embedding)
    await checkpoint.close()
    const { hiddenSize: H } = config
    const logitsOf = (vector: Float32Array, count: number): number[] =>
      Array.from({ length: count }, (_, v) => dot(head.subarray(v * H, (v + 1) * H), vector))

    const embedder = lazyEmbedder({ modelDir: folderOf(name), threads: 1 })
    t.teardown(() => embedder.dispose())
    const positions = Object.keys(wanted).map(Number)
    const rows = positions.map((position) => tokens.slice(0, position + 1))
    const last = await embedder.embed(rows, { pooling: 'last' })
    last.forEach((vector, i) => {
      const reference = wanted[positions[i]!]!
      const similarity = cosine(logitsOf(vector, reference.length), reference)
      t.ok(similarity > 1 - 1e-6, `position ${positions[i]}: cosine ${similarity}`)
      t.ok(Math.abs(length(vector) - 1) < 1e-6)
    })

    const [mean] = await embedder.embed([tokens], { pooling: 'mean' })
    const among = await embedder.embed([[5], tokens, tokens.slice(0, 7)], { pooling: 'mean' })
    t.ok(cosine(mean!, among[1]!) > 1 - 1e-6, 'neighbours and padding change nothing')
    const [one] = await embedder.embed([tokens.slice(0, 1)], { pooling: 'last' })
    const [same] = await embedder.embed([tokens.slice(0, 1)], { pooling: 'mean' })
    t.same(same, one, 'the mean of one is itself')
    t.ok(cosine(mean!, last.at(-1)!) < 0.999, 'mean and last differ')
  },
)

t.test('a row that cannot be embedded is refused before anything runs', { skip }, async (t) => {
  const embedder = lazyEmbedder({ modelDir: folderOf(name), threads: 1 })
  t.teardown(() => embedder.dispose())
  const embed = (rows: number[][], signal?: AbortSignal) =>
    embedder.embed(rows, { pooling: 'mean', signal })
  await t.rejects(embed([[]]), { code: 'BAD_REQUEST' })
  await t.rejects(embed([[1e9]]), { code: 'BAD_REQUEST' })
  await t.rejects(embed([Array.from({ length: 100_000 }, () => 1)]), { code: 'CONTEXT_TOO_LONG' })
  await t.rejects(embed([[1]], AbortSignal.abort()), { code: 'CANCELLED' })
  await t.rejects(lazyEmbedder({ modelDir: t.testdir() }).embed([[1]], { pooling: 'mean' }))
})
