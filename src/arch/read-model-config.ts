/** `config.json` of a Hugging Face checkpoint as a checked, frozen `ModelConfig`. */
import { join } from 'node:path'
import { z } from 'zod'
import { fail } from '../errors.ts'
import { readFailure, readRegularFile } from '../util/read-regular-file.ts'
import { architectureNamed } from './architectures.ts'
import { readFields } from './config/fields.ts'
import type { ModelConfig } from './model-config.ts'

const maxConfigBytes = 16 * 1024 * 1024
const named = z.object({ architectures: z.array(z.string()).min(1) })

/**
 * Throws BAD_CHECKPOINT with the field at fault, ARCHITECTURE_UNSUPPORTED with what is supported.
 * `where` names the file in messages.
 */
export function parseModelConfig(raw: unknown, where: string): ModelConfig {
  const source = { raw, where }
  const { architectures } = readFields(source, named)
  return Object.freeze(architectureNamed(architectures[0]!).configure(source))
}

/** Reads `config.json` of a checkpoint folder. */
export async function readModelConfig(dir: string): Promise<ModelConfig> {
  const path = join(dir, 'config.json')
  const bytes = await readRegularFile(path, maxConfigBytes).catch((cause: unknown) =>
    fail('BAD_CHECKPOINT', `${path}: ${readFailure(cause)}`, { cause }),
  )
  let raw: unknown
  try {
    raw = JSON.parse(bytes.toString())
  } catch (cause) {
    fail('BAD_CHECKPOINT', `${path}: not JSON`, { cause })
  }
  return parseModelConfig(raw, path)
}
