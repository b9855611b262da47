/** `steerlm import --quantize`: the model folder written anew with its weights in another form. */
import { copyFile, mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { ModelManifest, QuantizationScheme } from '../../schemas/model-manifest.ts'
import { architectureOf } from '../arch/architectures.ts'
import { quantizationFields } from '../arch/config/quantization.ts'
import type { ModelConfig } from '../arch/model-config.ts'
import { rewriteWeights, type WeightForm } from '../arch/rewrite-weights.ts'
import { fail } from '../errors.ts'
import { writeManifest } from '../registry/model-folder.ts'
import { writeFolder } from '../util/folder.ts'
import type { Checkpoint } from '../weights/checkpoint.ts'
import { MODEL_FILE, readRawConfig } from './write-model.ts'

/** What the schemes stand for; `docs/quantization.md` says why these. */
const forms: Readonly<Record<QuantizationScheme, WeightForm>> = {
  f32: { kind: 'float', dtype: 'F32' },
  f16: { kind: 'float', dtype: 'F16' },
  q8: { kind: 'blocks', quantization: { bits: 8, vocabularyBits: 8 } },
  q4: { kind: 'blocks', quantization: { bits: 4, vocabularyBits: 8 } },
  'q4-all': { kind: 'blocks', quantization: { bits: 4, vocabularyBits: 4 } },
}

export interface QuantizeOptions {
  readonly from: string
  readonly to: string
  readonly scheme: QuantizationScheme
  readonly config: ModelConfig
  readonly checkpoint: Checkpoint
  readonly manifest: ModelManifest
  readonly onProgress?: (weights: number) => void
}

/** Files that hold the weights of the model itself; an attribute model's head is small and stays. */
const WEIGHTS_FILE = /^model.*\.safetensors(\.index\.json)?$/

async function copyOtherFiles(from: string, to: string, checkpoint: Checkpoint): Promise<void> {
  const shards = new Set([...checkpoint.tensors.values()].map(({ file }) => file.path))
  for (const entry of await readdir(from)) {
    const path = join(from, entry)
    const isWeights = shards.has(path) || WEIGHTS_FILE.test(entry)
    if (isWeights || !MODEL_FILE.test(entry) || !(await stat(path)).isFile()) continue
    await copyFile(path, join(to, entry))
  }
}

/** `config.json` of the new folder: the type of the floats, and how the rest is quantised. */
async function newConfig(from: string, form: WeightForm): Promise<Record<string, unknown>> {
  const { quantization_config: _old, torch_dtype: _dtype, ...rest } = await readRawConfig(from)
  if (form.kind === 'float') return { ...rest, dtype: form.dtype === 'F16' ? 'float16' : 'float32' }
  const quantization = quantizationFields(form.quantization)
  return { ...rest, dtype: 'float32', quantization_config: quantization }
}

/**
 * Writes the folder whole or not at all. A quantised model becomes floats again with `f32` or `f16`;
 * quantising it a second time is refused, because the errors would add up unseen.
 */
export async function quantizeModel(options: QuantizeOptions): Promise<void> {
  const { from, to, scheme, config, checkpoint, manifest, onProgress } = options
  const form = forms[scheme]
  if (config.quantization && form.kind === 'blocks')
    fail('BAD_ARGUMENT', `--quantize ${scheme}: ${from} is quantised already`, {
      param: 'quantize',
    })
  const architecture = architectureOf(config)
  await mkdir(dirname(to), { recursive: true })
  await writeFolder(to, async (dir) => {
    await copyOtherFiles(from, dir, checkpoint)
    const raw = await newConfig(from, form)
    await writeFile(join(dir, 'config.json'), `${JSON.stringify(raw, null, 2)}\n`)
    const rewrite = { checkpoint, architecture, config, form, onProgress }
    await rewriteWeights(join(dir, 'model.safetensors'), rewrite)
    await writeManifest(dir, { ...manifest, quantization: scheme })
  })
}
