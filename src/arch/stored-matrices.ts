/**
 * The matrices of a checkpoint in serving graphs. Quantised ones go to MatMulNBits and
 * GatherBlockQuantized as they lie in the file. Matrices of the same input that lie next to one another
 * (`import` writes q, k, v so, and gate, up) are one product: their rows are already below one another.
 */
import { basename } from 'node:path'
import type { Value } from '../graph/graph.ts'
import type { Builder } from '../ops/builder.ts'
import { blocksName, scalesName } from '../weights/block-layout.ts'
import type { Checkpoint, StoredTensor } from '../weights/checkpoint.ts'
import { architectureOf } from './architectures.ts'
import type { StoredMatrices } from './blocks/block-context.ts'
import type { ModelConfig } from './model-config.ts'
import { quantizedLayout } from './quantized-tensors.ts'
import { graphType } from './weights.ts'

/** Where tensors that lie behind one another begin and end, as one tensor; undefined when they do not. */
function joinTensors(stored: readonly (StoredTensor | undefined)[]) {
  const [first] = stored
  if (!first) return undefined
  const { dtype, shape, offset } = first.entry
  const rest = shape.slice(1)
  let [end, rows] = [offset, 0]
  for (const tensor of stored) {
    const isNext =
      tensor?.file === first.file &&
      tensor.entry.offset === end &&
      tensor.entry.dtype === dtype &&
      tensor.entry.shape.slice(1).join() === rest.join()
    if (!isNext) return undefined
    end += tensor.entry.length
    rows += tensor.entry.shape[0]!
  }
  const source = {
    kind: 'file',
    file: basename(first.file.path),
    offset,
    lengthBytes: end - offset,
  } as const
  return { type: graphType(dtype), shape: [rows, ...rest], source }
}

/** Adds tensors that lie behind one another as one weight, in the builder's float type or uint8; each once. */
function joinedWeights(b: Builder, checkpoint: Checkpoint) {
  const known = new Map<string, Value>()
  return (names: readonly string[], reshape = (shape: number[]) => shape): Value | undefined => {
    const tensor = joinTensors(names.map((name) => checkpoint.tensors.get(name)))
    if (!tensor) return undefined
    const shape = reshape(tensor.shape)
    const key = `${names.join('+')}[${shape}]`
    const found = known.get(key)
    if (found) return found
    const { type, source } = tensor
    const stored = b.weight(key, type, shape, source)
    const isReady = type === 'uint8' || type === b.float
    const value = isReady ? stored : b.op('Cast', [stored], { to: b.float })
    known.set(key, value)
    return value
  }
}

export function storedMatrices(
  b: Builder,
  checkpoint: Checkpoint,
  config: ModelConfig,
): StoredMatrices {
  const architecture = architectureOf(config)
  const weights = architecture.weights(config)
  const joined = joinedWeights(b, checkpoint)
  const layoutOf = (name: string) =>
    quantizedLayout(architecture, config, name, weights.get(name) ?? [])

  const quantized = (x: Value, names: readonly string[], biases: Value[]) => {
    const { bits, blockSize } = layoutOf(names[0]!)!
    const blocks = joined(names.map(blocksName))
    const scales = joined(names.map(scalesName))
    if (!blocks || !scales) return undefined
    return b.op('MatMulNBits', [x, blocks, scales, ...biases], { bits, blockSize })
  }

  const float = (x: Value, names: readonly string[], biases: Value[]) => {
    const w = joined(names)
    if (!w) return undefined
    const y = b.op('MatMul', [x, w], { transB: true })
    return biases[0] ? b.op('Add', [y, biases[0]], {}) : y
  }

  return {
    product(x, layers, bias) {
      const names = layers.map((layer) => `${layer}.weight`)
      const isQuantized = layoutOf(names[0]!) !== null
      if (!isQuantized && layers.length === 1) return undefined
      const biases = bias ? [joined(layers.map((layer) => `${layer}.bias`))] : []
      if (!biases.every((value) => value !== undefined)) return undefined
      return (isQuantized ? quantized : float)(x, names, biases)
    },
    rows(ids, name) {
      const layout = layoutOf(name)
      if (!layout) return undefined
      const { bits, blockSize } = layout
      // Where the output head is tied, these are the bytes of its product in another shape.
      const data = joined([blocksName(name)], ([rows, blocks, bytes]) => [rows!, blocks! * bytes!])
      const scales = joined([scalesName(name)])
      if (!data || !scales) return undefined
      return b.op('GatherBlockQuantized', [data, ids, scales], { bits, blockSize })
    },
  }
}
