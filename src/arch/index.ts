/** From a checkpoint folder to the bytes of the graph a task needs. */
import { join } from 'node:path'
import { fail } from '../errors.ts'
import { encodeModel } from '../onnx/encode-model.ts'
import { openCheckpoint, type Checkpoint } from '../weights/checkpoint.ts'
import { openSafetensors } from '../weights/safetensors-reader.ts'
import { architectureOf } from './architectures.ts'
import { readModelConfig, type ModelConfig } from './model-config.ts'
import { buildDecodeGraph, buildScoreGraph } from './serving-graphs.ts'
import { checkWeights } from './weights.ts'

export { architectureOf } from './architectures.ts'
export { parseModelConfig, readModelConfig, type ModelConfig } from './model-config.ts'

export interface ServingModel {
  /** An ONNX model whose weights lie in files of `weightsDirectory`. */
  readonly model: Uint8Array<ArrayBuffer>
  readonly weightsDirectory: string
  readonly config: ModelConfig
}

/** Opens a checkpoint and checks every tensor against its architecture. Close it after use. */
export async function openModel(
  dir: string,
): Promise<{ config: ModelConfig; checkpoint: Checkpoint }> {
  const config = await readModelConfig(dir)
  const architecture = architectureOf(config)
  const checkpoint = await openCheckpoint(dir)
  try {
    checkWeights(checkpoint, architecture, config)
  } catch (error) {
    await checkpoint.close()
    throw error
  }
  return { config, checkpoint }
}

export async function buildDecodeModel(dir: string): Promise<ServingModel> {
  const { config, checkpoint } = await openModel(dir)
  try {
    const model = encodeModel(buildDecodeGraph(config, checkpoint))
    return { model, weightsDirectory: dir, config }
  } finally {
    await checkpoint.close()
  }
}

/** The head is `head.safetensors`: `weight` f32 [A, H], `bias` f32 [A]. */
export async function buildScoreModel(dir: string): Promise<ServingModel & { attributes: number }> {
  const { config, checkpoint } = await openModel(dir)
  const path = join(dir, 'head.safetensors')
  const file = await openSafetensors(path)
  try {
    const shape = file.tensors.get('weight')?.shape ?? []
    const attributes = shape[0] ?? 0
    if (shape.length !== 2 || shape[1] !== config.hiddenSize || attributes < 1)
      fail(
        'BAD_CHECKPOINT',
        `${path}: weight: expected [A, ${config.hiddenSize}], file has [${shape}]`,
      )
    const weight = await file.readFloat32('weight')
    const bias = await file.readFloat32('bias')
    if (bias.length !== attributes)
      fail('BAD_CHECKPOINT', `${path}: bias: expected [${attributes}], file has [${bias.length}]`)
    const graph = buildScoreGraph(config, checkpoint, { attributes, weight, bias })
    return { model: encodeModel(graph), weightsDirectory: dir, config, attributes }
  } finally {
    await file.close()
    await checkpoint.close()
  }
}
