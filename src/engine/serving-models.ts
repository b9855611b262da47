/** From a checkpoint folder to the bytes of the graphs that serve. */
import { join } from 'node:path'
import { openModel, type ModelConfig } from '../arch/index.ts'
import { buildDecodeGraph, buildHiddenGraph, buildScoreGraph } from '../arch/serving-graphs.ts'
import { HOST_PLAN, type DevicePlan } from './device-plan.ts'
import { fail } from '../errors.ts'
import { encodeModel } from '../onnx/encode-model.ts'
import { openSafetensors } from '../weights/safetensors-reader.ts'

export interface ServingModel {
  /** An ONNX model whose weights lie in files of `weightsDirectory`. */
  readonly model: Uint8Array<ArrayBuffer>
  readonly weightsDirectory: string
  readonly config: ModelConfig
}

/** `contextOf` chooses the cache's positions, at most the model's; all of them by default. */
export async function buildDecodeModel(
  dir: string,
  contextOf: (config: ModelConfig) => number = ({ maxPositions }) => maxPositions,
  { adapters, plan = HOST_PLAN }: { adapters?: boolean; plan?: DevicePlan } = {},
): Promise<ServingModel> {
  const { config, checkpoint } = await openModel(dir)
  try {
    const options = { adapters, precision: plan }
    const graph = buildDecodeGraph(config, checkpoint, contextOf(config), options)
    const model = encodeModel(graph, plan.device)
    return { model, weightsDirectory: dir, config }
  } finally {
    await checkpoint.close()
  }
}

/** States of every token, for embeddings. */
export async function buildHiddenModel(dir: string): Promise<ServingModel> {
  const { config, checkpoint } = await openModel(dir)
  try {
    const model = encodeModel(buildHiddenGraph(config, checkpoint))
    return { model, weightsDirectory: dir, config }
  } finally {
    await checkpoint.close()
  }
}

/** The head is `head.safetensors`: `weight` f32 [A, H], `bias` f32 [A]. */
export async function buildScoreModel(
  dir: string,
  plan = HOST_PLAN,
): Promise<ServingModel & { attributes: number }> {
  const path = join(dir, 'head.safetensors')
  const { config, checkpoint } = await openModel(dir)
  const file = await openSafetensors(path).catch(async (error: unknown) => {
    await checkpoint.close()
    throw error
  })
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
    const graph = buildScoreGraph(config, checkpoint, { attributes, weight, bias }, plan)
    return { model: encodeModel(graph, plan.device), weightsDirectory: dir, config, attributes }
  } finally {
    await file.close()
    await checkpoint.close()
  }
}
