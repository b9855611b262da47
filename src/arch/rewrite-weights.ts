/**
 * A checkpoint's weights in another form: quantised, or as floats again. Pieces of rows are read, changed
 * and written one after another, so memory does not grow with the model.
 */
import { blocksName, scalesName, type BlockLayout } from '../weights/block-layout.ts'
import type { Checkpoint } from '../weights/checkpoint.ts'
import { float32ToFloat16 } from '../weights/float-conversion.ts'
import { quantizeRows } from '../weights/quantize-blocks.ts'
import {
  writeSafetensorsInParts,
  type TensorSpec,
  type WriteTensorPart,
} from '../weights/safetensors-writer.ts'
import type { Architecture } from './architecture.ts'
import { readFloatRows } from './float-rows.ts'
import type { ModelConfig, Quantization } from './model-config.ts'
import { quantizedLayout } from './quantized-tensors.ts'

/** What the weights become. */
export type WeightForm =
  | { readonly kind: 'float'; readonly dtype: 'F32' | 'F16' }
  | { readonly kind: 'blocks'; readonly quantization: Quantization; readonly search?: boolean }

export interface RewriteOptions {
  readonly checkpoint: Checkpoint
  readonly architecture: Architecture
  readonly config: ModelConfig
  readonly form: WeightForm
  readonly onProgress?: (weights: number) => void
}

/** Weights in memory at once. */
const PIECE_WEIGHTS = 1 << 22

interface Source {
  readonly name: string
  readonly shape: readonly number[]
  readonly layout: BlockLayout | null
}

/** Vectors first, then matrices: what is one product in a graph then lies together (`stored-matrices.ts`). */
function sourcesOf({ architecture, config, form }: RewriteOptions): Source[] {
  const quantization = form.kind === 'blocks' ? form.quantization : null
  const target = { ...config, quantization }
  return [...architecture.weights(config)]
    .map(([name, shape]) => {
      return { name, shape, layout: quantizedLayout(architecture, target, name, shape) }
    })
    .toSorted((a, b) => Math.min(a.shape.length, 2) - Math.min(b.shape.length, 2))
}

function specsOf(sources: readonly Source[], form: WeightForm): TensorSpec[] {
  const floats = form.kind === 'float' ? form.dtype : 'F32'
  const isFloat = ({ layout }: Source) => layout === null
  return [
    ...sources.filter(isFloat).map(({ name, shape }) => ({ name, dtype: floats, shape })),
    ...sources.flatMap(({ name, layout }): TensorSpec[] =>
      layout
        ? [
            { name: scalesName(name), dtype: 'F32', shape: layout.scalesShape },
            { name: blocksName(name), dtype: 'U8', shape: layout.blocksShape },
          ]
        : [],
    ),
  ]
}

async function writeSource(
  source: Source,
  options: RewriteOptions,
  write: WriteTensorPart,
): Promise<void> {
  const { name, shape, layout } = source
  const { form, onProgress } = options
  const [rows, columns] = [shape[0]!, shape[1] ?? 1]
  const step = Math.max(1, Math.floor(PIECE_WEIGHTS / columns))
  for (let first = 0; first < rows; first += step) {
    const end = Math.min(rows, first + step)
    const data = await readFloatRows(options, name, { first, end })
    if (layout) {
      const search = form.kind === 'blocks' && form.search !== false
      const { blocks, scales } = quantizeRows(data, { ...layout, search })
      await write(scalesName(name), scales)
      await write(blocksName(name), blocks)
    } else {
      const isHalf = form.kind === 'float' && form.dtype === 'F16'
      await write(name, isHalf ? float32ToFloat16(data) : data)
    }
    onProgress?.(data.length)
  }
}

/** Writes the tensors of the architecture to a safetensors file. Closes nothing. */
export async function rewriteWeights(path: string, options: RewriteOptions): Promise<void> {
  const sources = sourcesOf(options)
  const fill = async (write: WriteTensorPart) => {
    for (const source of sources) await writeSource(source, options, write)
  }
  await writeSafetensorsInParts(path, specsOf(sources, options.form), fill, { format: 'pt' })
}
