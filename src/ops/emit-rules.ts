/** Every operator as ONNX nodes (opset 21 and com.microsoft 1). Plain data; `onnx/` makes the bytes. */
import type { Device } from '../../schemas/device.ts'
import type { ElementType, Node, Value } from '../graph/graph.ts'
import type { OpAttrs, OpType } from './op-attrs.ts'

export type OnnxAttr =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly text: string }
  | { readonly ints: readonly number[] }

export interface OnnxNode {
  readonly opType: string
  readonly domain: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attrs: Readonly<Record<string, OnnxAttr>>
}

export interface Emitter {
  /** Where the nodes are to run: not all kernels are everywhere. */
  readonly device: Device

  /** Adds a node with one fresh output and returns its name. */
  node(
    opType: string,
    inputs: readonly string[],
    attrs?: OnnxNode['attrs'],
    domain?: string,
  ): string
  /** Adds a node with the given output names. */
  nodeTo(
    outputs: readonly string[],
    opType: string,
    inputs: readonly string[],
    attrs?: OnnxNode['attrs'],
    domain?: string,
  ): void
  fresh(): string
  /** Name of an int64 constant: 1-D for an array, a scalar for a number. */
  int64(value: number | readonly number[]): string
  /** Name of a scalar constant of a float type. */
  float(value: number, type: ElementType): string
}

export interface EmitArgs<K extends OpType> {
  readonly e: Emitter
  readonly node: Node
  readonly attrs: OpAttrs[K]
  /** Input and output names, '' where an optional input is absent. */
  readonly i: readonly string[]
  readonly o: readonly string[]
}

export type EmitRule<K extends OpType> = (args: EmitArgs<K>) => void

const MS = 'com.microsoft'

/** ONNX TensorProto.DataType numbers (onnx.proto). */
export const elementTypeCodes: Readonly<Record<ElementType, number>> = {
  float32: 1,
  uint8: 2,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  bfloat16: 16,
}

const plain =
  (opType: string): EmitRule<OpType> =>
  ({ e, i, o }) =>
    e.nodeTo(o, opType, i)

const lastAxis =
  (opType: string): EmitRule<OpType> =>
  ({ e, i, o }) =>
    e.nodeTo(o, opType, i, { axis: { int: -1 } })

const reduce =
  (opType: string): EmitRule<'ReduceSum' | 'ReduceMean' | 'ReduceMax'> =>
  ({ e, i, o, attrs }) =>
    e.nodeTo(o, opType, [i[0]!, e.int64([...attrs.axes])], {
      keepdims: { int: Number(attrs.keepdims) },
    })

const input = (node: Node, index: number): Value => {
  const value = node.inputs[index]
  if (!value) throw new Error(`internal: ${node.op} lacks input ${index}`)
  return value
}

const unsqueezeLast = (e: Emitter, name: string) => e.node('Unsqueeze', [name, e.int64([-1])])

/** An input with its last two axes exchanged; of a weight ONNX Runtime does it when it loads the model. */
function transposed(e: Emitter, node: Node, i: readonly string[], index: number): string {
  const { length } = input(node, index).shape
  const perm = Array.from({ length }, (_, axis) => axis)
  ;[perm[length - 1], perm[length - 2]] = [length - 2, length - 1]
  return e.node('Transpose', [i[index]!], { perm: { ints: perm } })
}

/** WebGPU has no FusedMatMul (ONNX Runtime 1.30); the processor would take over, with copies to and fro. */
const emitMatMul: EmitRule<'MatMul'> = ({ e, node, i, o, attrs }) => {
  const { transA = false, transB = false, alpha = 1 } = attrs
  const flags = {
    transA: { int: Number(transA) },
    transB: { int: Number(transB) },
    alpha: { float: alpha },
  }
  if (input(node, 0).shape.length === 2 && input(node, 1).shape.length === 2) {
    e.nodeTo(o, 'Gemm', i, flags)
  } else if (e.device === 'webgpu') {
    const [a, b] = [transA ? transposed(e, node, i, 0) : i[0]!, transB ? transposed(e, node, i, 1) : i[1]!] // prettier-ignore
    if (alpha === 1) return e.nodeTo(o, 'MatMul', [a, b])
    e.nodeTo(o, 'Mul', [e.node('MatMul', [a, b]), e.float(alpha, input(node, 0).type)])
  } else if (transA || transB || alpha !== 1) {
    e.nodeTo(o, 'FusedMatMul', i, flags, MS)
  } else {
    e.nodeTo(o, 'MatMul', i)
  }
}

/** 1/sqrt(mean(x²) + ε) over the last axis. */
function inverseRoot(
  e: Emitter,
  node: Node,
  x: string,
  { epsilon, output }: { epsilon: number; output: string },
): void {
  const mean = e.node('ReduceMean', [e.node('Mul', [x, x]), e.int64([-1])], {
    keepdims: { int: 1 },
  })
  const root = e.node('Sqrt', [e.node('Add', [mean, e.float(epsilon, input(node, 0).type)])])
  e.nodeTo([output], 'Reciprocal', [root])
}

const emitRmsNorm: EmitRule<'RmsNorm'> = ({ e, node, i, o, attrs }) => {
  const x = input(node, 0)
  if (x.type !== 'float64') {
    const norm = { axis: { int: -1 }, epsilon: { float: attrs.epsilon }, stash_type: { int: 1 } }
    if (e.device !== 'webgpu') return e.nodeTo(o, 'SimplifiedLayerNormalization', i, norm)
    // Its kernel leaves the second result unwritten (ONNX Runtime 1.30).
    e.nodeTo([o[0]!], 'SimplifiedLayerNormalization', i, norm)
    inverseRoot(e, node, i[0]!, { epsilon: attrs.epsilon, output: o[1]! })
    return
  }
  inverseRoot(e, node, i[0]!, { epsilon: attrs.epsilon, output: o[1]! })
  e.nodeTo([o[0]!], 'Mul', [e.node('Mul', [i[0]!, o[1]!]), i[1]!])
}

/**
 * In float64 x / (1 + e⁻ˣ): from x · sigmoid(x) ONNX Runtime itself makes the fused kernel, which has
 * no float64 form (seen in ORT 1.30).
 */
const emitSilu: EmitRule<'Silu'> = ({ e, node, i, o }) => {
  const { type } = input(node, 0)
  if (type !== 'float64') {
    e.nodeTo(o, 'QuickGelu', i, { alpha: { float: 1 } }, MS)
    return
  }
  const power = e.node('Exp', [e.node('Neg', i)])
  e.nodeTo(o, 'Div', [i[0]!, e.node('Add', [power, e.float(1, type)])])
}

/** ½x + ½x·tanh(√(2/π)x(1 + 0.044715x²)) */
const emitGeluTanh: EmitRule<'GeluTanh'> = ({ e, node, i, o }) => {
  const { type } = input(node, 0)
  const x = i[0]!
  if (type !== 'float64') {
    e.nodeTo(o, 'FastGelu', i, {}, MS)
    return
  }
  const square = e.node('Mul', [x, x])
  const bend = e.node('Add', [e.node('Mul', [square, e.float(0.044715, type)]), e.float(1, type)])
  const inner = e.node('Mul', [e.node('Mul', [x, bend]), e.float(Math.sqrt(2 / Math.PI), type)])
  const half = e.node('Mul', [x, e.float(0.5, type)])
  e.nodeTo(o, 'Add', [half, e.node('Mul', [half, e.node('Tanh', [inner])])])
}

/** Attributes of the fused kernel where only a part of each head turns. */
const partialRotary = (heads: number, dim: number | undefined): OnnxNode['attrs'] =>
  dim === undefined ? {} : { num_heads: { int: heads }, rotary_embedding_dim: { int: dim } }

/** The fused kernel has no float64 form, so the gradient checks use the equation itself. */
const emitRotary: EmitRule<'Rotary'> = ({ e, node, i, o, attrs }) => {
  const [x, cos, sin] = i as [string, string, string]
  const { type, shape } = input(node, 0)
  if (type !== 'float64') {
    const kernel = partialRotary(Number(shape[1]), attrs.dim)
    e.nodeTo(o, 'RotaryEmbedding', [x, e.int64([0]), cos, sin], kernel, MS)
    return
  }
  const length = e.node('Gather', [e.node('Shape', [x]), e.int64([2])])
  const rows = (cache: string) => e.node('Slice', [cache, e.int64([0]), length, e.int64([0])])
  const [first, second, rest] = [e.fresh(), e.fresh(), e.fresh()]
  const [size, dim] = [Number(shape[3]), attrs.dim ?? Number(shape[3])]
  const parts = dim < size ? [dim / 2, dim / 2, size - dim] : [dim / 2, dim / 2]
  const names = [first, second, rest].slice(0, parts.length)
  e.nodeTo(names, 'Split', [x, e.int64(parts)], { axis: { int: -1 } })
  const [c, s] = [rows(cos), rows(sin)]
  const low = e.node('Sub', [e.node('Mul', [first, c]), e.node('Mul', [second, s])])
  const high = e.node('Add', [e.node('Mul', [second, c]), e.node('Mul', [first, s])])
  e.nodeTo(o, 'Concat', [low, high, ...names.slice(2)], { axis: { int: -1 } })
}

const emitScatterAddRows: EmitRule<'ScatterAddRows'> = ({ e, node, i, o, attrs }) => {
  const zeros = e.node('Expand', [e.float(0, input(node, 1).type), e.node('Shape', [i[2]!])])
  if (attrs.distinct) {
    e.nodeTo(o, 'ScatterND', [zeros, unsqueezeLast(e, i[0]!), i[1]!])
    return
  }
  const indices = e.node('Expand', [unsqueezeLast(e, i[0]!), e.node('Shape', [i[1]!])])
  // ScatterElements, not ScatterND: the latter races on duplicate indices (ORT 1.30, CPU).
  e.nodeTo(o, 'ScatterElements', [zeros, indices, i[1]!], {
    axis: { int: 0 },
    reduction: { text: 'add' },
  })
}

/** From its parts: WebGPU has no such kernel (ONNX Runtime 1.30). */
function emitLogSoftmax(e: Emitter, x: string, output: string): void {
  const last = [e.int64([-1])]
  const shifted = e.node('Sub', [x, e.node('ReduceMax', [x, ...last], { keepdims: { int: 1 } })])
  const sum = e.node('ReduceSum', [e.node('Exp', [shifted]), ...last], { keepdims: { int: 1 } })
  e.nodeTo([output], 'Sub', [shifted, e.node('Log', [sum])])
}

const emitCrossEntropy: EmitRule<'CrossEntropy'> = ({ e, i, o }) => {
  const [logits, targets, weights] = i as [string, string, string]
  if (e.device === 'webgpu') emitLogSoftmax(e, logits, o[1]!)
  else e.nodeTo([o[1]!], 'LogSoftmax', [logits], { axis: { int: -1 } })
  const picked = e.node('GatherElements', [o[1]!, unsqueezeLast(e, targets)], { axis: { int: 1 } })
  const flat = e.node('Squeeze', [picked, e.int64([-1])])
  const sum = e.node('ReduceSum', [e.node('Mul', [flat, weights])], { keepdims: { int: 0 } })
  e.nodeTo([o[0]!], 'Neg', [sum])
}

/** d logits = (softmax − onehot(target)) · w · dloss, by replacing one entry of each row. */
const emitCrossEntropyGrad: EmitRule<'CrossEntropyGrad'> = ({ e, node, i, o }) => {
  const [logp, targets, weights, dloss] = i as [string, string, string, string]
  const p = e.node('Exp', [logp])
  const at = unsqueezeLast(e, targets)
  const picked = e.node('GatherElements', [p, at], { axis: { int: 1 } })
  const less = e.node('Sub', [picked, e.float(1, input(node, 0).type)])
  const minusOneHot = e.node('ScatterElements', [p, at, less], { axis: { int: 1 } })
  const scale = unsqueezeLast(e, e.node('Mul', [weights, dloss]))
  e.nodeTo(o, 'Mul', [minusOneHot, scale])
}

const emitGroupQueryAttention: EmitRule<'GroupQueryAttention'> = ({ e, i, o, attrs }) => {
  const outputs = o.length === 3 ? o : [o[0]!, e.fresh(), e.fresh()]
  e.nodeTo(
    outputs,
    'GroupQueryAttention',
    i,
    {
      num_heads: { int: attrs.numHeads },
      kv_num_heads: { int: attrs.kvHeads },
      scale: { float: attrs.scale },
      do_rotary: { int: Number(attrs.rotary) },
      local_window_size: { int: attrs.window ?? -1 },
      softcap: { float: attrs.softcap ?? 0 },
    },
    MS,
  )
}

/** The kernel's other results are the mean and the inverse deviation. */
const emitSkipRmsNorm: EmitRule<'SkipRmsNorm'> = ({ e, i, o, attrs }) => {
  const outputs = [o[0]!, '', '', o[1]!]
  const kernel = { epsilon: { float: attrs.epsilon } }
  e.nodeTo(outputs, 'SkipSimplifiedLayerNormalization', i, kernel, MS)
}

/**
 * accuracy_level 4: activations become int8 by row and block, so rows do not influence one another.
 * Other levels have no CPU kernel for 8 bits and a slow one for 4 (ORT 1.30).
 */
const emitMatMulNBits: EmitRule<'MatMulNBits'> = ({ e, node, i, o, attrs }) => {
  const [x, blocks, scales, bias] = i as [string, string, string, string?]
  const inputs = bias === undefined ? [x, blocks, scales] : [x, blocks, scales, '', '', bias]
  const kernel = {
    K: { int: Number(input(node, 0).shape.at(-1)) },
    N: { int: Number(input(node, 1).shape[0]) },
    bits: { int: attrs.bits },
    block_size: { int: attrs.blockSize },
    accuracy_level: { int: 4 },
  }
  e.nodeTo(o, 'MatMulNBits', inputs, kernel, MS)
}

const emitGatherBlockQuantized: EmitRule<'GatherBlockQuantized'> = ({ e, i, o, attrs }) =>
  e.nodeTo(
    o,
    'GatherBlockQuantized',
    i,
    {
      bits: { int: attrs.bits },
      block_size: { int: attrs.blockSize },
      gather_axis: { int: 0 },
      quantize_axis: { int: 1 },
    },
    MS,
  )

export const emitRules: { readonly [K in OpType]: EmitRule<K> } = {
  Add: plain('Add'),
  Sub: plain('Sub'),
  Mul: plain('Mul'),
  Div: plain('Div'),
  Min: plain('Min'),
  Max: plain('Max'),
  Neg: plain('Neg'),
  Exp: plain('Exp'),
  Log: plain('Log'),
  Sqrt: plain('Sqrt'),
  Reciprocal: plain('Reciprocal'),
  Sigmoid: plain('Sigmoid'),
  Tanh: plain('Tanh'),
  Silu: emitSilu,
  GeluTanh: emitGeluTanh,
  Where: plain('Where'),
  GreaterOrEqual: plain('GreaterOrEqual'),
  Cast: ({ e, i, o, attrs }) => e.nodeTo(o, 'Cast', i, { to: { int: elementTypeCodes[attrs.to] } }),
  MatMul: emitMatMul,
  ReduceSum: reduce('ReduceSum'),
  ReduceMean: reduce('ReduceMean'),
  ReduceMax: reduce('ReduceMax'),
  Softmax: lastAxis('Softmax'),
  LogSoftmax: lastAxis('LogSoftmax'),
  ArgMax: ({ e, i, o, attrs }) =>
    e.nodeTo(o, 'ArgMax', i, { axis: { int: attrs.axis }, keepdims: { int: 0 } }),
  Reshape: ({ e, i, o, attrs }) => e.nodeTo(o, 'Reshape', [i[0]!, e.int64([...attrs.shape])]),
  ReshapeLike: ({ e, i, o }) => e.nodeTo(o, 'Reshape', [i[0]!, e.node('Shape', [i[1]!])]),
  ExpandLike: ({ e, i, o }) => e.nodeTo(o, 'Expand', [i[0]!, e.node('Shape', [i[1]!])]),
  Transpose: ({ e, i, o, attrs }) => e.nodeTo(o, 'Transpose', i, { perm: { ints: attrs.perm } }),
  Concat: ({ e, i, o, attrs }) => e.nodeTo(o, 'Concat', i, { axis: { int: attrs.axis } }),
  Slice: ({ e, i, o, attrs }) =>
    e.nodeTo(o, 'Slice', [
      i[0]!,
      e.int64([attrs.start]),
      e.int64([attrs.end]),
      e.int64([attrs.axis]),
    ]),
  PadLike: ({ e, node, i, o, attrs }) => {
    const part = input(node, 0)
    const size = Number(part.shape.at(attrs.axis))
    const after = Number(input(node, 1).shape.at(attrs.axis)) - attrs.start - size
    const pads = [e.int64([attrs.start, after]), e.float(0, part.type), e.int64([attrs.axis])]
    e.nodeTo(o, 'Pad', [i[0]!, ...pads], { mode: { text: 'constant' } })
  },
  ArangeLike: ({ e, i, o, attrs }) => {
    const size = e.node('Gather', [e.node('Shape', [i[0]!]), e.int64(attrs.axis)])
    e.nodeTo(o, 'Range', [e.int64(0), size, e.int64(1)])
  },
  Gather: ({ e, i, o, attrs }) => e.nodeTo(o, 'Gather', i, { axis: { int: attrs.axis } }),
  ScatterAddRows: emitScatterAddRows,
  PickColumns: ({ e, i, o }) => {
    const picked = e.node('GatherElements', [i[0]!, unsqueezeLast(e, i[1]!)], { axis: { int: 1 } })
    e.nodeTo(o, 'Squeeze', [picked, e.int64([-1])])
  },
  UnpickColumns: ({ e, node, i, o }) => {
    const zeros = e.node('Expand', [e.float(0, input(node, 0).type), e.node('Shape', [i[2]!])])
    const inputs = [zeros, unsqueezeLast(e, i[1]!), unsqueezeLast(e, i[0]!)]
    e.nodeTo(o, 'ScatterElements', inputs, { axis: { int: 1 } })
  },
  RmsNorm: emitRmsNorm,
  Rotary: emitRotary,
  RotaryAt: ({ e, i, o, attrs }) =>
    e.nodeTo(
      o,
      'RotaryEmbedding',
      i,
      { num_heads: { int: attrs.numHeads }, ...partialRotary(attrs.numHeads, attrs.dim) },
      MS,
    ),
  CrossEntropy: emitCrossEntropy,
  CrossEntropyGrad: emitCrossEntropyGrad,
  GroupQueryAttention: emitGroupQueryAttention,
  SkipRmsNorm: emitSkipRmsNorm,
  MatMulNBits: emitMatMulNBits,
  GatherBlockQuantized: emitGatherBlockQuantized,
}
