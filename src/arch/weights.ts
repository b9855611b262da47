/**
 * A checkpoint's tensors as graph weights: f32 bytes are used where they lie in the safetensors
 * file, f16 and bf16 get a Cast that ONNX Runtime folds when it loads the model.
 */
import { basename } from 'node:path'
import { fail } from '../errors.ts'
import type { ElementType, Value } from '../graph/graph.ts'
import type { Builder } from '../ops/builder.ts'
import type { Checkpoint } from '../weights/checkpoint.ts'
import type { Dtype } from '../weights/safetensors-header.ts'
import type { Architecture } from './architecture.ts'
import type { ModelConfig } from './model-config.ts'
import { fileTensors } from './quantized-tensors.ts'

const graphTypes: Partial<Record<Dtype, ElementType>> = {
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
  U8: 'uint8',
}

/** The type of a stored tensor in a graph; for types that `checkWeights` lets through. */
export const graphType = (dtype: Dtype): ElementType =>
  graphTypes[dtype] ?? fail('INTERNAL', `internal: no graph type for ${dtype}`)

/** "F32", "F32 or F16", "F32, F16 or BF16". */
const listed = (dtypes: readonly Dtype[]) => dtypes.join(', ').replace(/, (\w+)$/, ' or $1')

/** Names and shapes must be those of the architecture; throws BAD_CHECKPOINT with the first that is not. */
export function checkWeights(
  checkpoint: Checkpoint,
  architecture: Architecture,
  config: ModelConfig,
): void {
  for (const { name, shape, dtypes } of fileTensors(architecture, config)) {
    const found = checkpoint.tensors.get(name)
    if (!found) fail('BAD_CHECKPOINT', `${checkpoint.dir}: tensor "${name}" is missing`)
    const { entry, file } = found
    const where = basename(file.path)
    if (entry.shape.join() !== shape.join())
      fail(
        'BAD_CHECKPOINT',
        `tensor "${name}": expected [${shape}], file has [${entry.shape}] (${where})`,
      )
    if (!dtypes.includes(entry.dtype))
      fail(
        'BAD_CHECKPOINT',
        `tensor "${name}": expected ${listed(dtypes)}, file has ${entry.dtype} (${where})`,
      )
  }
}

/** A lookup that adds each weight to the graph once, as float32, without copying it. */
export function fileWeights(b: Builder, checkpoint: Checkpoint): (name: string) => Value {
  const known = new Map<string, Value>()
  return (name) => {
    const cached = known.get(name)
    if (cached) return cached
    const found = checkpoint.tensors.get(name)
    if (!found) return fail('BAD_CHECKPOINT', `${checkpoint.dir}: tensor "${name}" is missing`)
    const { entry, file } = found
    const type = graphType(entry.dtype)
    const source = {
      kind: 'file',
      file: basename(file.path),
      offset: entry.offset,
      lengthBytes: entry.length,
    } as const
    const stored = b.weight(name, type, entry.shape, source)
    const value = type === b.float ? stored : b.op('Cast', [stored], { to: b.float })
    known.set(name, value)
    return value
  }
}
