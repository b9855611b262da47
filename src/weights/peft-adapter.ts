/** LoRA adapters in PEFT's folder format: `adapter_config.json` and `adapter_model.safetensors`. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { fail } from '../errors.ts'
import { readFailure, readRegularFile } from '../util/read-regular-file.ts'
import { openSafetensors } from './safetensors-reader.ts'
import { writeSafetensors } from './safetensors-writer.ts'

const maxConfigBytes = 16 * 1024 * 1024
const PREFIX = 'base_model.model.'

const adapterConfig = z.object({
  peft_type: z.literal('LORA'),
  base_model_name_or_path: z.string().nullish(),
  r: z.int().min(1).max(4096),
  lora_alpha: z.number().positive(),
  use_rslora: z.boolean().optional(),
  use_dora: z.boolean().optional(),
  fan_in_fan_out: z.boolean().optional(),
  bias: z.string().optional(),
  rank_pattern: z.record(z.string(), z.unknown()).nullish(),
  alpha_pattern: z.record(z.string(), z.unknown()).nullish(),
})

export interface Adapter {
  /** What the adapter says it was trained on: a name or a path. */
  readonly base?: string
  readonly rank: number
  readonly alpha: number
  /** Layers that carry an adapter, by checkpoint name without `.weight`. */
  readonly targets: ReadonlySet<string>
  /** `<layer>.lora_A` [r, in] and `<layer>.lora_B` [out, r]. */
  readonly tensors: Map<string, Float32Array>
}

async function readConfig(dir: string): Promise<z.infer<typeof adapterConfig>> {
  const path = join(dir, 'adapter_config.json')
  const bytes = await readRegularFile(path, maxConfigBytes).catch((cause: unknown) =>
    fail('BAD_CHECKPOINT', `${path}: ${readFailure(cause)}`, { cause }),
  )
  let raw: unknown
  try {
    raw = JSON.parse(bytes.toString())
  } catch (cause) {
    return fail('BAD_CHECKPOINT', `${path}: not JSON`, { cause })
  }
  const parsed = adapterConfig.safeParse(raw)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!
    return fail('BAD_CHECKPOINT', `${path}: ${issue.path.join('.')}: ${issue.message}`)
  }
  const config = parsed.data
  if (
    config.use_dora ||
    config.use_rslora ||
    config.fan_in_fan_out ||
    (config.bias ?? 'none') !== 'none'
  )
    fail('BAD_CHECKPOINT', `${path}: only plain LoRA (no DoRA, rsLoRA, biases) can be read`)
  for (const name of ['rank_pattern', 'alpha_pattern'] as const)
    if (Object.keys(config[name] ?? {}).length > 0)
      fail(
        'BAD_CHECKPOINT',
        `${path}: ${name}: layers with a rank or α of their own cannot be read`,
      )
  return config
}

/** Throws BAD_CHECKPOINT where the folder is no plain LoRA adapter. */
export async function readAdapter(dir: string): Promise<Adapter> {
  const config = await readConfig(dir)
  const path = join(dir, 'adapter_model.safetensors')
  const file = await openSafetensors(path)
  try {
    const tensors = new Map<string, Float32Array>()
    for (const [name, { shape }] of file.tensors) {
      const match = /^base_model\.model\.(.+)\.(lora_A|lora_B)\.weight$/.exec(name)
      if (!match) return fail('BAD_CHECKPOINT', `${path}: unexpected tensor "${name}"`)
      const rank = match[2] === 'lora_A' ? shape[0] : shape[1]
      if (shape.length !== 2 || rank !== config.r)
        fail('BAD_CHECKPOINT', `${path}: "${name}": expected rank ${config.r}, file has [${shape}]`)
      tensors.set(`${match[1]}.${match[2]}`, await file.readFloat32(name))
    }
    if (tensors.size === 0) fail('BAD_CHECKPOINT', `${path}: there are no adapter tensors`)
    const targets = new Set([...tensors.keys()].map((name) => name.replace(/\.lora_[AB]$/, '')))
    const base = config.base_model_name_or_path ?? undefined
    return { rank: config.r, alpha: config.lora_alpha, targets, tensors, ...(base && { base }) }
  } finally {
    await file.close()
  }
}

/** Writes the folder as PEFT reads it. */
export async function writeAdapter(
  dir: string,
  adapter: Adapter,
  shapes: ReadonlyMap<string, readonly number[]>,
  baseModel: string,
): Promise<void> {
  await mkdir(dir, { recursive: true })
  const modules = new Set([...adapter.targets].map((name) => name.split('.').at(-1)!))
  const config = {
    peft_type: 'LORA',
    task_type: 'CAUSAL_LM',
    base_model_name_or_path: baseModel,
    r: adapter.rank,
    lora_alpha: adapter.alpha,
    lora_dropout: 0,
    bias: 'none',
    fan_in_fan_out: false,
    inference_mode: true,
    target_modules: [...modules].sort(),
  }
  await writeFile(join(dir, 'adapter_config.json'), `${JSON.stringify(config, null, 2)}\n`)
  const tensors = [...adapter.tensors].map(([name, data]) => {
    return {
      name: `${PREFIX}${name}.weight`,
      dtype: 'F32' as const,
      shape: shapes.get(name)!,
      data,
    }
  })
  await writeSafetensors(join(dir, 'adapter_model.safetensors'), tensors)
}
