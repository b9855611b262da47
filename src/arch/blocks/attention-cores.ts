/**
 * The attention of each graph kind: `cached` reads and writes a KV cache in place (decode),
 * `prompt` sees whole right-padded rows (score), `explicit` is made of plain operators that have
 * gradients (train). All three compute the same numbers. `positions` is the longest row.
 */
import type { ElementType, Value } from '../../graph/graph.ts'
import type { Builder } from '../../ops/builder.ts'
import type { LayerAttention, ModelConfig, Rope } from '../model-config.ts'
import type { AttentionCore } from './block-context.ts'
import { ropeTables } from './rope.ts'
import { softcap } from './softcap.ts'

/** The kernel rotates by itself where head and rotated part are multiples of 16 (ORT 1.30, CPU). */
const rotatesInside = (config: ModelConfig, rope: Rope | null) =>
  rope !== null && config.headDim % 16 === 0 && rope.dim % 16 === 0

const attrs = (config: ModelConfig, { rope, window }: LayerAttention) => ({
  numHeads: config.heads,
  kvHeads: config.kvHeads,
  scale: config.attentionScale,
  rotary: rotatesInside(config, rope),
  ...(window === null ? {} : { window }),
  ...(config.attentionSoftcap === null ? {} : { softcap: config.attentionSoftcap }),
})

/** int64 positions [B, S] of the tokens in `ids`; `seqlens` int32 [B] is the position of the last. */
function tokenPositions(b: Builder, ids: Value, seqlens: Value): Value {
  const [B, S] = ids.shape as [string, string]
  const steps = b.op('ArangeLike', [ids], { axis: 1 })
  const newest = b.op('ReduceMax', [steps], { axes: [0], keepdims: true })
  const ends = b.op('Reshape', [b.op('Cast', [seqlens], { to: 'int64' })], {
    shape: [-1, 1],
    dims: [B, 1],
  })
  const starts = b.op('Sub', [ends, newest], {})
  const columns = b.op('Reshape', [steps], { shape: [1, -1], dims: [1, S] })
  return b.op('Add', [starts, columns], {})
}

/** What q, k and v are slices of, where they are all of it and lie in that order: the kernel takes it whole. */
function packedInput(b: Builder, parts: readonly Value[]): Value | undefined {
  const slices = parts.map((part) => b.producer(part))
  const whole = slices[0]?.inputs[0]
  let end = 0
  for (const node of slices) {
    if (node?.op !== 'Slice' || node.inputs[0] !== whole || node.attrs.start !== end)
      return undefined
    end = Number(node.attrs.end)
  }
  return whole?.shape.at(-1) === end ? whole : undefined
}

const cast = (b: Builder, x: Value, type: ElementType): Value =>
  x.type === type ? x : b.op('Cast', [x], { to: type })

/** The kernel's first three inputs, in its own type. */
const queryInputs = (b: Builder, parts: readonly Value[], type: ElementType): (Value | null)[] => {
  const packed = packedInput(b, parts)
  return packed ? [cast(b, packed, type), null, null] : parts.map((part) => cast(b, part, type))
}

/** Rows of tokens as the kernel of attention gets them. */
interface Row {
  readonly ids: Value
  readonly positions: number
  /** What the kernel computes in and keys and values are kept in. */
  readonly kernel: ElementType
}

/** q and k as the kernel wants them, and the tables it needs where it rotates by itself. */
function kernelInputs(b: Builder, config: ModelConfig, row: Row & { readonly seqlens: Value }) {
  const tablesOf = ropeTables(b, row.positions)
  let at: Value | undefined
  return (rope: Rope | null, q: Value, k: Value) => {
    if (rope === null) return { q, k, tables: [] }
    const { cos, sin } = tablesOf(rope)
    if (rotatesInside(config, rope))
      return { q, k, tables: [cast(b, cos, row.kernel), cast(b, sin, row.kernel)] }
    at ??= tokenPositions(b, row.ids, row.seqlens)
    const dim = rope.dim === config.headDim ? {} : { dim: rope.dim }
    const rotate = (x: Value, numHeads: number) =>
      b.op('RotaryAt', [x, at!, cos, sin], { numHeads, ...dim })
    return { q: rotate(q, config.heads), k: rotate(k, config.kvHeads), tables: [] }
  }
}

/** Adds the cache inputs `past_key_values.i.key|value` and the outputs `present.i.key|value`. */
export function cachedAttention(b: Builder, config: ModelConfig, row: Row): AttentionCore {
  const seqlens = b.input('seqlens_k', 'int32', ['batch'])
  const total = b.input('total_sequence_length', 'int32', [1])
  const cacheShape = ['batch', config.kvHeads, 'capacity', config.headDim]
  const prepare = kernelInputs(b, config, { ...row, seqlens })
  return (layer, q, k, v) => {
    const plan = config.attention[layer]!
    const pastKey = b.input(`past_key_values.${layer}.key`, row.kernel, cacheShape)
    const pastValue = b.input(`past_key_values.${layer}.value`, row.kernel, cacheShape)
    const ready = prepare(plan.rope, q, k)
    const query = queryInputs(b, [ready.q, ready.k, v], row.kernel)
    const inputs = [...query, pastKey, pastValue, seqlens, total, ...ready.tables]
    const [y, key, value] = b.ops('GroupQueryAttention', inputs, attrs(config, plan))
    b.output(`present.${layer}.key`, key!)
    b.output(`present.${layer}.value`, value!)
    return cast(b, y!, b.float)
  }
}

/** Right-padded rows from position 0; `lengths` int32 [B] are the real tokens of each row. */
export function promptAttention(
  b: Builder,
  config: ModelConfig,
  row: Row & { readonly lengths: Value },
): AttentionCore {
  const one = b.op('Cast', [b.int64(1)], { to: 'int32' })
  const seqlens = b.op('Sub', [row.lengths, one], {})
  const last = b.op('ReduceMax', [b.op('ArangeLike', [row.ids], { axis: 1 })], {
    axes: [0],
    keepdims: true,
  })
  const last32 = b.op('Cast', [last], { to: 'int32' })
  const total = b.op('Add', [last32, one], {})
  const ends = b.op('ExpandLike', [last32, row.lengths], {}) // rows start at 0, whatever their length
  const prepare = kernelInputs(b, config, { ...row, seqlens: ends })
  return (layer, q, k, v) => {
    const plan = config.attention[layer]!
    const ready = prepare(plan.rope, q, k)
    const query = queryInputs(b, [ready.q, ready.k, v], row.kernel)
    const inputs = [...query, null, null, seqlens, total, ...ready.tables]
    return cast(b, b.op('GroupQueryAttention', inputs, attrs(config, plan)), b.float)
  }
}

/** 0 where a token (row) sees another (column), −1e9 where not; [1, 1, S, S], one for each window. */
function causalMasks(b: Builder, ids: Value): (window: number | null) => Value {
  const S = ids.shape[1]!
  const at = b.op('ArangeLike', [ids], { axis: 1 })
  const rows = b.op('Reshape', [at], { shape: [1, 1, -1, 1], dims: [1, 1, S, 1] })
  const columns = b.op('Reshape', [at], { shape: [1, 1, 1, -1], dims: [1, 1, 1, S] })
  const [open, shut] = [b.scalar(0), b.scalar(-1e9)]
  const past = b.op('GreaterOrEqual', [rows, columns], {})
  const known = new Map<number | null, Value>([[null, b.op('Where', [past, open, shut], {})]])
  return (window) => {
    const found = known.get(window)
    if (found) return found
    const reach = b.op('Add', [columns, b.int64(window! - 1)], {})
    const near = b.op('GreaterOrEqual', [reach, rows], {})
    const mask = b.op('Where', [near, known.get(null)!, shut], {})
    known.set(window, mask)
    return mask
  }
}

/**
 * softmax(QKᵀ·scale + mask)V with grouped heads. The G query heads of a KV head are stacked
 * along the rows, so grouping needs no copies of K and V and their gradients add up by themselves.
 * Right padding needs no mask: under the causal mask no real token sees it.
 */
export function explicitAttention(
  b: Builder,
  config: ModelConfig,
  row: { readonly ids: Value; readonly positions: number },
): AttentionCore {
  const { heads: N, kvHeads: K, headDim: D } = config
  const tablesOf = ropeTables(b, row.positions)
  const maskOf = causalMasks(b, row.ids)
  const S = row.ids.shape[1]!
  const GS = `${N / K}*${S}`
  const split = (x: Value, heads: number) => {
    const parts = b.op('Reshape', [x], { shape: [0, 0, heads, D] })
    return b.op('Transpose', [parts], { perm: [0, 2, 1, 3] }) // [B, heads, S, D]
  }
  const rotate = (x: Value, rope: Rope | null) => {
    if (rope === null) return x
    const { cos, sin } = tablesOf(rope)
    return b.op('Rotary', [x, cos, sin], rope.dim === D ? {} : { dim: rope.dim })
  }
  const stack = (x: Value, last: number) =>
    b.op('Reshape', [x], { shape: [0, K, -1, last], dims: [0, K, GS, last] })
  return (layer, q, k, v) => {
    const { rope, window } = config.attention[layer]!
    const query = stack(rotate(split(q, N), rope), D)
    const key = rotate(split(k, K), rope)
    const scores = b.op('MatMul', [query, key], { transB: true, alpha: config.attentionScale })
    const capped = softcap(b, scores, config.attentionSoftcap)
    const perHead = b.op('Reshape', [capped], { shape: [0, N, -1, 0], dims: [0, N, S, S] })
    const weights = b.op('Softmax', [b.op('Add', [perHead, maskOf(window)], {})], {})
    const stacked = b.op('Reshape', [weights], { shape: [0, K, -1, 0], dims: [0, K, GS, S] })
    const mixed = b.op('MatMul', [stacked, split(v, K)], {})
    const heads = b.op('Reshape', [mixed], { shape: [0, N, -1, D], dims: [0, N, S, D] })
    const merged = b.op('Transpose', [heads], { perm: [0, 2, 1, 3] })
    return b.op('Reshape', [merged], { shape: [0, 0, N * D] })
  }
}
