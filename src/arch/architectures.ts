/** The supported architectures, by their name in `config.json`. */
import { fail } from '../errors.ts'
import type { Architecture } from './architecture.ts'
import { llama } from './llama.ts'
import type { ModelConfig } from './model-config.ts'

const architectures: readonly Architecture[] = [llama]

export function architectureOf(config: ModelConfig): Architecture {
  const found = architectures.find(({ names }) => names.includes(config.architecture))
  if (found) return found
  const supported = architectures.flatMap(({ names }) => names).join(', ')
  return fail('ARCHITECTURE_UNSUPPORTED', `"${config.architecture}"; supported: ${supported}`)
}
