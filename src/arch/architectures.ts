/** The supported architectures, by their name in `config.json`. */
import { fail } from '../errors.ts'
import type { Architecture } from './architecture.ts'
import { gemma2 } from './gemma2.ts'
import { gemma3 } from './gemma3.ts'
import { llama } from './llama.ts'
import { mistral } from './mistral.ts'
import type { ModelConfig } from './model-config.ts'
import { phi3 } from './phi3.ts'
import { qwen2 } from './qwen2.ts'
import { qwen3 } from './qwen3.ts'
import { smollm3 } from './smollm3.ts'

export const architectures: readonly Architecture[] = [
  llama,
  mistral,
  qwen2,
  qwen3,
  gemma2,
  gemma3,
  phi3,
  smollm3,
]

export function architectureNamed(name: string): Architecture {
  const found = architectures.find(({ names }) => names.includes(name))
  if (found) return found
  const supported = architectures.flatMap(({ names }) => names).join(', ')
  return fail('ARCHITECTURE_UNSUPPORTED', `"${name}"; supported: ${supported}`)
}

export const architectureOf = (config: ModelConfig): Architecture =>
  architectureNamed(config.architecture)
