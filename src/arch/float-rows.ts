/** Rows of a checkpoint's tensor as floats, whether it is stored so or as integers in blocks. */
import { fail } from '../errors.ts'
import { blocksName, scalesName } from '../weights/block-layout.ts'
import type { Checkpoint, StoredTensor } from '../weights/checkpoint.ts'
import { dequantizeRows } from '../weights/quantize-blocks.ts'
import type { Architecture } from './architecture.ts'
import type { ModelConfig } from './model-config.ts'
import { quantizedLayout } from './quantized-tensors.ts'

export interface OpenedWeights {
  readonly checkpoint: Checkpoint
  readonly architecture: Architecture
  readonly config: ModelConfig
}

interface RowRange {
  readonly first: number
  readonly end: number
}

function stored({ checkpoint }: OpenedWeights, name: string): StoredTensor {
  const found = checkpoint.tensors.get(name)
  return found ?? fail('BAD_CHECKPOINT', `${checkpoint.dir}: tensor "${name}" is missing`)
}

/** Rows `first` to `end` − 1 of the tensor of that name. */
export async function readFloatRows(
  opened: OpenedWeights,
  name: string,
  { first, end }: RowRange,
): Promise<Float32Array<ArrayBuffer>> {
  const { architecture, config } = opened
  const shape = architecture.weights(config).get(name) ?? []
  const layout = quantizedLayout(architecture, config, name, shape)
  if (!layout) return stored(opened, name).file.readRows(name, first, end)
  const [blockTensor, scaleTensor] = [blocksName(name), scalesName(name)]
  const blocks = await stored(opened, blockTensor).file.readRowBytes(blockTensor, first, end)
  const scales = await stored(opened, scaleTensor).file.readRows(scaleTensor, first, end)
  return dequantizeRows({ blocks, scales }, layout)
}
