/**
 * A checkpoint's tensors as graph weights: f32 bytes are used where they lie in the safetensors
 * file, f16 and bf16 get a Cast that ONNX Runtime folds when it loads the model.
 */
import { basename } from 'node:path'
import { fail } from '../errors.ts'
import type { ElementType, Value } from '../graph/graph.ts'
import type { Builder } from '../ops/builder.ts'
import type { Checkpoint } from '../weights/checkpoint.ts'
import type { Architecture } from './architecture.ts'
import type { ModelConfig } from './model-config.ts'

const storedTypes: Readonly<Record<string, ElementType>> = {
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
}

/** Names and shapes must be those of the architecture; throws BAD_CHECKPOINT with the first that is not. */
export function checkWeights(
  checkpoint: Checkpoint,
  architecture: Architecture,
  config: ModelConfig,
): void {
  for (const [name, shape] of architecture.weights(config)) {
    const found = checkpoint.tensors.get(name)
    if (!found) fail('BAD_CHECKPOINT', `${checkpoint.dir}: tensor "${name}" is missing`)
    const { entry } = found
    if (entry.shape.join() !== shape.join()) {
      const where = basename(found.file.path)
      fail(
        'BAD_CHECKPOINT',
        `tensor "${name}": expected [${shape}], file has [${entry.shape}] (${where})`,
      )
    }
    if (!storedTypes[entry.dtype])
      fail('BAD_CHECKPOINT', `tensor "${name}": expected F32, F16 or BF16, file has ${entry.dtype}`)
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
    const type = storedTypes[entry.dtype]!
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
