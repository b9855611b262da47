/** Which tensors of a quantised checkpoint lie in blocks, and so what its files hold. */
import { blockLayout, blocksName, scalesName, type BlockLayout } from '../weights/block-layout.ts'
import type { Dtype } from '../weights/safetensors-header.ts'
import type { Architecture } from './architecture.ts'
import type { ModelConfig } from './model-config.ts'

/** Null where the tensor stays a float: norms, biases, and columns that no block size divides. */
export function quantizedLayout(
  { vocabularyWeights }: Architecture,
  { quantization }: ModelConfig,
  name: string,
  shape: readonly number[],
): BlockLayout | null {
  if (quantization === null) return null
  const { bits, vocabularyBits } = quantization
  return blockLayout(shape, vocabularyWeights.includes(name) ? vocabularyBits : bits)
}

export interface FileTensor {
  readonly name: string
  readonly shape: readonly number[]
  readonly dtypes: readonly Dtype[]
}

const FLOATS: readonly Dtype[] = ['F32', 'F16', 'BF16']

/** Every tensor that the checkpoint's files must hold, in the architecture's order. */
export function fileTensors(architecture: Architecture, config: ModelConfig): FileTensor[] {
  return [...architecture.weights(config)].flatMap(([name, shape]): FileTensor[] => {
    const layout = quantizedLayout(architecture, config, name, shape)
    if (!layout) return [{ name, shape, dtypes: FLOATS }]
    return [
      { name: scalesName(name), shape: layout.scalesShape, dtypes: ['F32'] },
      { name: blocksName(name), shape: layout.blocksShape, dtypes: ['U8'] },
    ]
  })
}
