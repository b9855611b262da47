/**
 * The closed list of operators with their attributes. Adding a name here does not compile until
 * it has a shape rule, an emit rule and a gradient rule (`'none'` where it has no gradient).
 */
import type { Dim, ElementType } from '../graph/graph.ts'

type NoAttrs = Record<never, never>

export interface OpAttrs {
  // Element-wise, with NumPy broadcasting.
  Add: NoAttrs
  Sub: NoAttrs
  Mul: NoAttrs
  Div: NoAttrs
  Min: NoAttrs
  Max: NoAttrs
  Neg: NoAttrs
  Exp: NoAttrs
  Log: NoAttrs
  Sqrt: NoAttrs
  Reciprocal: NoAttrs
  Sigmoid: NoAttrs
  Tanh: NoAttrs
  /** x · sigmoid(x) */
  Silu: NoAttrs
  /** ½x(1 + tanh(√(2/π)(x + 0.044715x³))). (Hendrycks & Gimpel 2016) */
  GeluTanh: NoAttrs
  Where: NoAttrs
  GreaterOrEqual: NoAttrs
  Cast: { to: ElementType }
  // Products and reductions.
  /** alpha · op(A) · op(B), over the last two axes; leading axes broadcast. */
  MatMul: { transA?: boolean; transB?: boolean; alpha?: number }
  ReduceSum: { axes: readonly number[]; keepdims: boolean }
  ReduceMean: { axes: readonly number[]; keepdims: boolean }
  ReduceMax: { axes: readonly number[]; keepdims: boolean }
  /** Over the last axis. */
  Softmax: NoAttrs
  LogSoftmax: NoAttrs
  ArgMax: { axis: number }
  // Layout.
  /** ONNX meaning of 0 (copy) and −1 (infer); `dims` names what −1 stands for. */
  Reshape: { shape: readonly number[]; dims?: readonly Dim[] }
  /** Reshapes the first input to the shape of the second. */
  ReshapeLike: NoAttrs
  /** Broadcasts the first input to the shape of the second. */
  ExpandLike: NoAttrs
  Transpose: { perm: readonly number[] }
  Concat: { axis: number }
  Slice: { axis: number; start: number; end: number }
  /** The adjoint of Slice: zeros before and after along one axis; the second input gives the shape. */
  PadLike: { axis: number; start: number }
  /** int64 [n] = 0 … n−1 where n is the size of the input's axis. */
  ArangeLike: { axis: number }
  // Indexing.
  /**
   * Entries of one axis of the data at int64 indices; the axis is replaced by the indices' shape. `distinct`: no index
   * comes twice, which makes the gradient cheaper.
   */
  Gather: { axis: number; distinct?: boolean }
  /** (indices int64 [T], updates [T, C], like [R, C]) → [R, C]: the updates summed at their rows. */
  ScatterAddRows: { distinct?: boolean }
  /** data [T, C], indices int64 [T] → [T]: data[t, indices[t]]. */
  PickColumns: NoAttrs
  /** The adjoint of PickColumns: (dy [T], indices [T], like [T, C]) → [T, C]. */
  UnpickColumns: NoAttrs
  // Blocks of a transformer.
  /** x / sqrt(mean(x²) + ε) · w over the last axis; second output 1/sqrt(…). (Zhang & Sennrich 2019) */
  RmsNorm: { epsilon: number }
  /**
   * Rotary embedding of x [B, N, S, D] at positions 0 … S−1; cos, sin [P, dim/2]. Channels from `dim`
   * on stay; without it all turn. (Su et al. 2021)
   */
  Rotary: { dim?: number }
  /** The same for x [B, S, N·D] at int64 positions [B, S]. */
  RotaryAt: { numHeads: number; dim?: number }
  /** Σ_t w_t · −log softmax(logits)[t, target_t]; outputs loss [] and log-probabilities [T, V]. */
  CrossEntropy: NoAttrs
  /** (logp [T, V], targets [T], weights [T], dloss []) → d logits. */
  CrossEntropyGrad: NoAttrs
  /**
   * com.microsoft GroupQueryAttention: attention with a KV cache, rotary inside. Key and value may be
   * absent: then the query holds all three, [B, S, (N + 2Nkv)·D].
   */
  GroupQueryAttention: {
    numHeads: number
    kvHeads: number
    scale: number
    rotary: boolean
    /** A token sees itself and the `window` − 1 before it. */
    window?: number
    /** Scores become c·tanh(score/c). */
    softcap?: number
  }
  /** (x, skip, weight) → RmsNorm(x + skip) and x + skip. `passes/fuse-skip-norms.ts` makes them. Serving only. */
  SkipRmsNorm: { epsilon: number }
  // Weights as integers in blocks with a scale each; `weights/block-layout.ts` says how they lie. Serving only.
  /** com.microsoft MatMulNBits: (x [..., K], blocks uint8 [N, K/b, b·bits/8], scales [N, K/b], bias? [N]) → [..., N]. */
  MatMulNBits: { bits: 4 | 8; blockSize: number }
  /** com.microsoft GatherBlockQuantized: (data uint8 [V, H·bits/8], ids, scales [V, H/b]) → [..., H]. */
  GatherBlockQuantized: { bits: 4 | 8; blockSize: number }
}

export type OpType = keyof OpAttrs
