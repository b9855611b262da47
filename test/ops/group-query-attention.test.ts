/**
 * The attention kernel with its KV cache in place against softmax(QKᵀ·scale)V on plain numbers:
 * prompts of ragged rows, one prompt that goes on after a cache, single tokens of ragged rows.
 */
import t from 'tap'
import { encodeModel } from '../../src/onnx/encode-model.ts'
import { createBuilder } from '../../src/ops/builder.ts'
import { createTensor, Session } from '../../src/ort/index.ts'
import { createRandom } from '../../src/util/random.ts'
import { largestDifference, sum } from '../fixtures/nd-array.ts'

const [HEADS, KV_HEADS, D, CAPACITY] = [4, 2, 16, 8]
const SCALE = 0.3

interface Row {
  /** Keys, values by token and KV head; queries of the new tokens by head. */
  readonly keys: number[][][]
  readonly values: number[][][]
  readonly queries: number[][][]
}

interface Variant {
  readonly rotary: boolean
  readonly window?: number
  readonly softcap?: number
}

const frequencies = Array.from({ length: D / 2 }, (_, i) => 100 ** ((-2 * i) / D))

function rotate(x: readonly number[], position: number): number[] {
  return x.map((value, c) => {
    const angle = position * frequencies[c % (D / 2)]!
    const [first, second] = [x[c % (D / 2)]!, x[(c % (D / 2)) + D / 2]!]
    return c < D / 2
      ? value * Math.cos(angle) - second * Math.sin(angle)
      : value * Math.cos(angle) + first * Math.sin(angle)
  })
}

const dot = (a: readonly number[], b: readonly number[]) => sum(a.map((value, i) => value * b[i]!))

/** The output of every new token, [tokens][HEADS · D]. The new tokens are the last ones. */
function attend(row: Row, { rotary, window = Infinity, softcap }: Variant): number[][] {
  const turn = (x: number[], position: number) => (rotary ? rotate(x, position) : x)
  const past = row.keys.length - row.queries.length
  return row.queries.map((heads, t) =>
    heads.flatMap((query, head) => {
      const kv = Math.floor(head / (HEADS / KV_HEADS))
      const first = Math.max(0, past + t + 1 - window)
      const seen = row.keys.slice(first, past + t + 1)
      const values = row.values.slice(first)
      const scores = seen.map((key, s) => {
        const score = SCALE * dot(turn(query, past + t), turn(key[kv]!, first + s))
        return softcap === undefined ? score : softcap * Math.tanh(score / softcap)
      })
      const exps = scores.map((score) => Math.exp(score - Math.max(...scores)))
      return query.map(
        (_, c) =>
          dot(
            exps,
            values.map((v) => v[kv]![c]!),
          ) / sum(exps),
      )
    }),
  )
}

function buildSession({ rotary, window, softcap }: Variant): Promise<Session> {
  const b = createBuilder('attention')
  const q = b.input('q', 'float32', ['B', 'S', HEADS * D])
  const k = b.input('k', 'float32', ['B', 'S', KV_HEADS * D])
  const v = b.input('v', 'float32', ['B', 'S', KV_HEADS * D])
  const cache = ['B', KV_HEADS, CAPACITY, D]
  const past = ['key', 'value'].map((name) => b.input(`past.${name}`, 'float32', cache))
  const lengths = b.input('seqlens_k', 'int32', ['B'])
  const total = b.input('total', 'int32', [1])
  const angles = Array.from(
    { length: CAPACITY * (D / 2) },
    (_, i) => Math.floor(i / (D / 2)) * frequencies[i % (D / 2)]!,
  )
  const tables = [Math.cos, Math.sin].map((f, i) =>
    b.constant(`table${i}`, [CAPACITY, D / 2], angles.map(f)),
  )
  const attrs = { numHeads: HEADS, kvHeads: KV_HEADS, scale: SCALE, rotary, window, softcap }
  const inputs = [q, k, v, ...past, lengths, total, ...(rotary ? tables : [])]
  const [y, key, value] = b.ops('GroupQueryAttention', inputs, attrs)
  b.output('y', y!)
  b.output('present.key', key!)
  b.output('present.value', value!)
  return Session.create({ model: encodeModel(b.build()), intraOpThreads: 1 })
}

const random = createRandom('attention')
const draw = (tokens: number, heads: number) =>
  Array.from({ length: tokens }, () =>
    Array.from({ length: heads }, () =>
      Array.from({ length: D }, () => Math.fround(2 * random.next() - 1)),
    ),
  )

/** Rows of `lengths` tokens of which the last `fresh` are new, where the cache holds the others. */
async function runCase(session: Session, lengths: number[], fresh: number[], rotary: boolean) {
  const B = lengths.length
  const S = Math.max(...fresh)
  const rows = lengths.map((length, r): Row => ({
    keys: draw(length, KV_HEADS),
    values: draw(length, KV_HEADS),
    queries: draw(fresh[r]!, HEADS),
  }))
  const pack = (heads: number, newTokens: (row: Row, fresh: number) => number[][][]) => {
    const data = new Float32Array(B * S * heads * D)
    rows.forEach((row, r) => data.set(newTokens(row, fresh[r]!).flat(2), r * S * heads * D))
    return createTensor('float32', [B, S, heads * D], data)
  }
  const caches = (['keys', 'values'] as const).map((part) => {
    const data = new Float32Array(B * KV_HEADS * CAPACITY * D).fill(-7)
    rows.forEach((row, r) =>
      row[part].slice(0, lengths[r]! - fresh[r]!).forEach((heads, s) =>
        heads.forEach((x, head) => {
          const stored = part === 'keys' && rotary ? rotate(x, s) : x
          data.set(stored, ((r * KV_HEADS + head) * CAPACITY + s) * D)
        }),
      ),
    )
    return createTensor('float32', [B, KV_HEADS, CAPACITY, D], data)
  })
  const y = createTensor('float32', [B, S, HEADS * D])
  const binding = session.createBinding()
  binding.bindInput(
    'q',
    pack(HEADS, (row) => row.queries),
  )
  binding.bindInput(
    'k',
    pack(KV_HEADS, (row, n) => row.keys.slice(-n)),
  )
  binding.bindInput(
    'v',
    pack(KV_HEADS, (row, n) => row.values.slice(-n)),
  )
  const ends = Int32Array.from(lengths, (length) => length - 1)
  binding.bindInput('seqlens_k', createTensor('int32', [B], ends))
  binding.bindInput('total', createTensor('int32', [1], Int32Array.of(Math.max(...lengths))))
  ;['key', 'value'].forEach((name, i) => {
    binding.bindInput(`past.${name}`, caches[i]!)
    binding.bindOutput(`present.${name}`, caches[i]!)
  })
  binding.bindOutput('y', y)
  await session.run(binding)
  binding.dispose()
  return { rows, y, caches, S }
}

const variants: Variant[] = [
  { rotary: false },
  { rotary: true },
  { rotary: true, window: 3 },
  { rotary: false, window: 2, softcap: 0.5 },
]
for (const variant of variants) {
  const { rotary } = variant
  const cases = [
    { name: 'ragged prompts', lengths: [5, 2, 3], fresh: [5, 2, 3] },
    { name: 'a prompt after a cache', lengths: [7], fresh: [3] },
    { name: 'single tokens of ragged rows', lengths: [8, 1, 4], fresh: [1, 1, 1] },
  ]
  for (const { name, lengths, fresh } of cases) {
    t.test(`${name}, ${JSON.stringify(variant)}`, async (t) => {
      const session = await buildSession(variant)
      t.teardown(() => session.dispose())
      const { rows, y, caches, S } = await runCase(session, lengths, fresh, rotary)
      rows.forEach((row, r) => {
        const wanted = attend(row, variant)
        const from = r * S * HEADS * D
        const found = y.data.subarray(from, from + fresh[r]! * HEADS * D)
        const difference = largestDifference(found, wanted.flat())
        t.ok(difference < 1e-5, `row ${r}: largest difference ${difference}`)
        const last = row.keys.length - 1
        row.keys[last]!.forEach((key, head) => {
          const place = ((r * KV_HEADS + head) * CAPACITY + last) * D
          const [k, v] = caches.map(({ data }) => data.subarray(place, place + D))
          t.ok(largestDifference(k!, rotary ? rotate(key, last) : key) < 1e-5, 'key cached')
          t.same([...v!], row.values[last]![head], 'value cached')
        })
      })
    })
  }
}
