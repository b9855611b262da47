/** A trained model as a checkpoint folder: Hugging Face files, weights, head, manifest. */
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { ModelManifest } from '../../schemas/model-manifest.ts'
import { fail } from '../errors.ts'
import { writeManifest } from '../registry/model-folder.ts'
import type { Shapes } from '../training/initial-state.ts'
import { HEAD_BIAS, HEAD_WEIGHT } from '../training/train-graph.ts'
import { writeFolder } from '../util/folder.ts'
import { float32ToFloat16 } from '../weights/float-conversion.ts'
import { writeSafetensors } from '../weights/safetensors-writer.ts'

/** What is taken from a model's folder. */
export const MODEL_FILE = /\.(json|safetensors|jinja)$/

/** The files of a model folder that its text side is made of. */
export const textFiles = [
  'tokenizer.json',
  'tokenizer_config.json',
  'chat_template.jinja',
  'generation_config.json',
]

export interface ModelToWrite {
  readonly path: string
  /** Folder of the tokenizer files. */
  readonly textFrom: string
  /** Content of `config.json`. */
  readonly config: Readonly<Record<string, unknown>>
  readonly tensors: ReadonlyMap<string, Float32Array>
  readonly shapes: Shapes
  readonly manifest: ModelManifest
  readonly dtype: 'f32' | 'f16'
  /** Writes more files into the folder, whose weights are there, before it is put in place; adds to the manifest. */
  readonly more?: (dir: string) => Promise<Partial<ModelManifest>>
}

/** Content of a model folder's `config.json`, as it stands there. */
export async function readRawConfig(dir: string): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(join(dir, 'config.json'), 'utf8')) as Record<string, unknown>
}

async function copyIfPresent(from: string, to: string): Promise<void> {
  await copyFile(from, to).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') fail('BAD_FILE', `${from}: ${error.message}`, { cause: error })
  })
}

function stored(model: ModelToWrite, name: string) {
  const data = model.tensors.get(name)!
  const shape = model.shapes.get(name)!
  return model.dtype === 'f16'
    ? { name, dtype: 'F16' as const, shape, data: float32ToFloat16(data) }
    : { name, dtype: 'F32' as const, shape, data }
}

/** Writes the folder whole or not at all, replacing an older one of that name. */
export async function writeModel(model: ModelToWrite): Promise<void> {
  await mkdir(dirname(model.path), { recursive: true })
  const names = [...model.tensors.keys()]
  const trunk = names.filter((name) => name !== HEAD_WEIGHT && name !== HEAD_BIAS)
  await writeFolder(model.path, async (dir) => {
    for (const file of textFiles) await copyIfPresent(join(model.textFrom, file), join(dir, file))
    const dtype = model.dtype === 'f16' ? 'float16' : 'float32'
    const config = { ...model.config, dtype }
    await writeFile(join(dir, 'config.json'), `${JSON.stringify(config, null, 2)}\n`)
    await writeSafetensors(
      join(dir, 'model.safetensors'),
      trunk.map((name) => stored(model, name)),
      { format: 'pt' },
    )
    if (trunk.length < names.length) {
      const head = [HEAD_WEIGHT, HEAD_BIAS].map((name) => {
        const data = model.tensors.get(name)!
        const shape = model.shapes.get(name)!
        return { name: name.replace('head.', ''), dtype: 'F32' as const, shape, data }
      })
      await writeSafetensors(join(dir, 'head.safetensors'), head)
    }
    const more = await model.more?.(dir)
    await writeManifest(dir, { ...model.manifest, ...more })
  })
}
