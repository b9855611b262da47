/** The graphs that serve: `decode` (prefill and decode with a KV cache), `score` (attributes), `hidden` (embeddings). */
import type { Graph, Value } from '../graph/graph.ts'
import { createBuilder, type Builder } from '../ops/builder.ts'
import { fuseSkipNorms } from '../ops/passes/fuse-skip-norms.ts'
import type { Checkpoint } from '../weights/checkpoint.ts'
import { architectureOf } from './architectures.ts'
import { cachedAttention, promptAttention } from './blocks/attention-cores.ts'
import { rowAdapters } from './blocks/row-adapters.ts'
import { uniformPositions, type ModelConfig } from './model-config.ts'
import { storedMatrices } from './stored-matrices.ts'
import { fileWeights } from './weights.ts'

/** What a serving graph computes in. */
export interface Precision {
  /** Activations, and what weights that are not quantised become. */
  readonly float: 'float32' | 'float16'
  /** The attention kernel, and the cache. */
  readonly attention: 'float32' | 'float16'
}

/** On the processor: it has no other kernels. */
export const FULL_PRECISION: Precision = { float: 'float32', attention: 'float32' }

/**
 * Inputs `input_ids` int64 [B,S], `seqlens_k` int32 [B] (row's total length − 1),
 * `total_sequence_length` int32 [1], `logit_positions` int64 [P], the cache; outputs
 * `logits` f32 [B,P,V] and the cache, which may be bound to the same memory. `positions` is the
 * cache's capacity: the rotary tables reach so far. `adapters`: with the inputs of `rowAdapters`.
 * The cache has the type of `precision.attention`.
 */
export function buildDecodeGraph(
  config: ModelConfig,
  checkpoint: Checkpoint,
  positions: number,
  { adapters = false, precision = FULL_PRECISION } = {},
): Graph {
  const b = createBuilder('decode', precision.float)
  const architecture = architectureOf(config)
  const ids = b.input('input_ids', 'int64', ['batch', 'sequence'])
  const wanted = b.input('logit_positions', 'int64', ['positions'])
  const ctx = {
    b,
    config,
    weight: fileWeights(b, checkpoint),
    matrices: storedMatrices(b, checkpoint, config),
    attention: cachedAttention(b, config, { ids, positions, kernel: precision.attention }),
    ...(adapters && { rowUpdate: rowAdapters(b) }),
  }
  const hidden = architecture.hidden(ctx, ids)
  const selected = b.op('Gather', [hidden, wanted], { axis: 1 })
  b.output('logits', float32(b, architecture.logits(ctx, architecture.finalNorm(ctx, selected))))
  return fuseSkipNorms(b.build())
}

/**
 * Inputs `input_ids` int64 [B,S] right-padded, `lengths` int32 [B]; output `scores` f32 [B,A]:
 * one linear layer with bias on the last real token's normed hidden state. Rows hold at most
 * `uniformPositions(config)` tokens.
 */
export function buildScoreGraph(
  config: ModelConfig,
  checkpoint: Checkpoint,
  head: { readonly attributes: number; readonly weight: Float32Array; readonly bias: Float32Array },
  precision = FULL_PRECISION,
): Graph {
  const b = createBuilder('score', precision.float)
  const { architecture, ctx, ids, lengths } = wholeRows(b, config, checkpoint, precision)
  const hidden = architecture.hidden(ctx, ids)
  // Row r's last token is entry r·S + length − 1 of the flattened rows.
  const steps = b.op('ReduceMax', [b.op('ArangeLike', [ids], { axis: 1 })], {
    axes: [0],
    keepdims: true,
  })
  const S = b.op('Add', [steps, b.int64(1)], {})
  const starts = b.op('Mul', [b.op('ArangeLike', [ids], { axis: 0 }), S], {})
  const ends = b.op('Sub', [b.op('Cast', [lengths], { to: 'int64' }), b.int64(1)], {})
  const flat = b.op('Reshape', [hidden], { shape: [-1, config.hiddenSize], dims: ['rows'] })
  const last = b.op('Gather', [flat, b.op('Add', [starts, ends], {})], { axis: 0 })
  const normed = architecture.finalNorm(ctx, last)
  const weight = b.constant('head.weight', [head.attributes, config.hiddenSize], head.weight)
  const bias = b.constant('head.bias', [head.attributes], head.bias)
  const scores = b.op('Add', [b.op('MatMul', [normed, weight], { transB: true }), bias], {})
  b.output('scores', float32(b, scores))
  return fuseSkipNorms(b.build())
}

/** The same inputs; output `hidden` f32 [B,S,H], the normed state of every token. What stands in the padding means nothing. */
export function buildHiddenGraph(config: ModelConfig, checkpoint: Checkpoint): Graph {
  const b = createBuilder('hidden')
  const { architecture, ctx, ids } = wholeRows(b, config, checkpoint, FULL_PRECISION)
  b.output('hidden', architecture.finalNorm(ctx, architecture.hidden(ctx, ids)))
  return fuseSkipNorms(b.build())
}

/** Right-padded rows without a cache. */
function wholeRows(
  b: Builder,
  config: ModelConfig,
  checkpoint: Checkpoint,
  { attention: kernel }: Precision,
) {
  const ids = b.input('input_ids', 'int64', ['batch', 'sequence'])
  const lengths = b.input('lengths', 'int32', ['batch'])
  const positions = uniformPositions(config)
  const ctx = {
    b,
    config,
    weight: fileWeights(b, checkpoint),
    matrices: storedMatrices(b, checkpoint, config),
    attention: promptAttention(b, config, { ids, lengths, positions, kernel }),
  }
  return { architecture: architectureOf(config), ctx, ids, lengths }
}

const float32 = (b: Builder, x: Value): Value =>
  x.type === 'float32' ? x : b.op('Cast', [x], { to: 'float32' })
