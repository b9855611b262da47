/**
 * The attention of each graph kind: `cached` reads and writes a KV cache in place (decode),
 * `prompt` sees whole right-padded rows (score), `explicit` is made of plain operators that have
 * gradients (train). All three compute the same numbers.
 */
import type { Value } from '../../graph/graph.ts'
import type { Builder } from '../../ops/builder.ts'
import type { ModelConfig } from '../model-config.ts'
import type { AttentionCore } from './block-context.ts'
import { ropeTables } from './rope.ts'

/** The kernel rotates heads whose size is a multiple of 16 by itself (ORT 1.30, CPU). */
const rotatesInside = (config: ModelConfig) => config.headDim % 16 === 0

const attrs = (config: ModelConfig) => ({
  numHeads: config.heads,
  kvHeads: config.kvHeads,
  scale: 1 / Math.sqrt(config.headDim),
  rotary: rotatesInside(config),
})

/** Rotates q and k before the kernel where it cannot do so; positions follow from `seqlens`. */
function rotateOutside(
  b: Builder,
  config: ModelConfig,
  row: { ids: Value; seqlens: Value; cos: Value; sin: Value },
): (x: Value, heads: number) => Value {
  if (rotatesInside(config)) return (x) => x
  const [B, S] = row.ids.shape as [string, string]
  const steps = b.op('ArangeLike', [row.ids], { axis: 1 })
  const newest = b.op('ReduceMax', [steps], { axes: [0], keepdims: true })
  const ends = b.op('Reshape', [b.op('Cast', [row.seqlens], { to: 'int64' })], {
    shape: [-1, 1],
    dims: [B, 1],
  })
  const starts = b.op('Sub', [ends, newest], {})
  const columns = b.op('Reshape', [steps], { shape: [1, -1], dims: [1, S] })
  const positions = b.op('Add', [starts, columns], {})
  return (x, heads) => b.op('RotaryAt', [x, positions, row.cos, row.sin], { numHeads: heads })
}

/** Adds the cache inputs `past_key_values.i.key|value` and the outputs `present.i.key|value`. */
export function cachedAttention(b: Builder, config: ModelConfig, ids: Value): AttentionCore {
  const { cos, sin } = ropeTables(b, config, config.maxPositions)
  const seqlens = b.input('seqlens_k', 'int32', ['batch'])
  const total = b.input('total_sequence_length', 'int32', [1])
  const cacheShape = ['batch', config.kvHeads, 'capacity', config.headDim]
  const rotate = rotateOutside(b, config, { ids, seqlens, cos, sin })
  const caches = rotatesInside(config) ? [cos, sin] : []
  return (layer, q, k, v) => {
    const pastKey = b.input(`past_key_values.${layer}.key`, 'float32', cacheShape)
    const pastValue = b.input(`past_key_values.${layer}.value`, 'float32', cacheShape)
    const [query, newKey] = [rotate(q, config.heads), rotate(k, config.kvHeads)]
    const inputs = [query, newKey, v, pastKey, pastValue, seqlens, total, ...caches]
    const [y, key, value] = b.ops('GroupQueryAttention', inputs, attrs(config))
    b.output(`present.${layer}.key`, key!)
    b.output(`present.${layer}.value`, value!)
    return y!
  }
}

/** Right-padded rows from position 0; `lengths` int32 [B] are the real tokens of each row. */
export function promptAttention(
  b: Builder,
  config: ModelConfig,
  row: { ids: Value; lengths: Value },
): AttentionCore {
  const { cos, sin } = ropeTables(b, config, config.maxPositions)
  const one = b.op('Cast', [b.int64(1)], { to: 'int32' })
  const seqlens = b.op('Sub', [row.lengths, one], {})
  const last = b.op('ReduceMax', [b.op('ArangeLike', [row.ids], { axis: 1 })], {
    axes: [0],
    keepdims: true,
  })
  const last32 = b.op('Cast', [last], { to: 'int32' })
  const total = b.op('Add', [last32, one], {})
  const ends = b.op('ExpandLike', [last32, row.lengths], {}) // rows start at 0, whatever their length
  const rotate = rotateOutside(b, config, { ids: row.ids, seqlens: ends, cos, sin })
  const caches = rotatesInside(config) ? [cos, sin] : []
  return (_layer, q, k, v) => {
    const [query, key] = [rotate(q, config.heads), rotate(k, config.kvHeads)]
    const inputs = [query, key, v, null, null, seqlens, total, ...caches]
    return b.op('GroupQueryAttention', inputs, attrs(config))
  }
}

/**
 * softmax(QKᵀ/√D + causal mask)V with grouped heads. The G query heads of a KV head are stacked
 * along the rows, so grouping needs no copies of K and V and their gradients add up by themselves.
 * Right padding needs no mask: under the causal mask no real token sees it.
 */
export function explicitAttention(
  b: Builder,
  config: ModelConfig,
  ids: Value,
  positions: number,
): AttentionCore {
  const { heads: N, kvHeads: K, headDim: D } = config
  const { cos, sin } = ropeTables(b, config, positions)
  const S = ids.shape[1]!
  const at = b.op('ArangeLike', [ids], { axis: 1 })
  const rows = b.op('Reshape', [at], { shape: [1, 1, -1, 1], dims: [1, 1, S, 1] })
  const columns = b.op('Reshape', [at], { shape: [1, 1, 1, -1], dims: [1, 1, 1, S] })
  const seen = b.op('GreaterOrEqual', [rows, columns], {})
  const mask = b.op('Where', [seen, b.scalar(0), b.scalar(-1e9)], {})
  const GS = `${N / K}*${S}`
  const split = (x: Value, heads: number) => {
    const parts = b.op('Reshape', [x], { shape: [0, 0, heads, D] })
    return b.op('Transpose', [parts], { perm: [0, 2, 1, 3] }) // [B, heads, S, D]
  }
  const stack = (x: Value, last: number) =>
    b.op('Reshape', [x], { shape: [0, K, -1, last], dims: [0, K, GS, last] })
  return (_layer, q, k, v) => {
    const query = stack(b.op('Rotary', [split(q, N), cos, sin], {}), D)
    const key = b.op('Rotary', [split(k, K), cos, sin], {})
    const scores = b.op('MatMul', [query, key], { transB: true, alpha: 1 / Math.sqrt(D) })
    const perHead = b.op('Reshape', [scores], { shape: [0, N, -1, 0], dims: [0, N, S, S] })
    const weights = b.op('Softmax', [b.op('Add', [perHead, mask], {})], {})
    const stacked = b.op('Reshape', [weights], { shape: [0, K, -1, 0], dims: [0, K, GS, S] })
    const mixed = b.op('MatMul', [stacked, split(v, K)], {})
    const heads = b.op('Reshape', [mixed], { shape: [0, N, -1, D], dims: [0, N, S, D] })
    const merged = b.op('Transpose', [heads], { perm: [0, 2, 1, 3] })
    return b.op('Reshape', [merged], { shape: [0, 0, N * D] })
  }
}
