/** Whether a model folder can be served, as far as reading without loading tells. */
import { join } from 'node:path'
import type { ModelManifest } from '../../schemas/model-manifest.ts'
import { openModel, type ModelConfig } from '../arch/index.ts'
import { fail } from '../errors.ts'
import { loadChatTemplate } from '../text/chat-template.ts'
import { loadTokenizer } from '../text/tokenizer.ts'
import { openSafetensors } from '../weights/safetensors-reader.ts'
import { readManifest } from './model-folder.ts'

/**
 * Reads the manifest, the tokenizer, the chat template and the shapes of all weights. Fails BAD_CHECKPOINT,
 * BAD_TOKENIZER, BAD_TEMPLATE or ARCHITECTURE_UNSUPPORTED.
 */
export async function checkModel(dir: string): Promise<ModelManifest> {
  const manifest = await readManifest(dir)
  await Promise.all([loadTokenizer(dir), loadChatTemplate(dir)])
  const { config, checkpoint } = await openModel(dir)
  await checkpoint.close()
  checkScheme(dir, manifest, config)
  if (manifest.kind === 'attribute-model') {
    await checkHead(join(dir, 'head.safetensors'), manifest.attributes.length, config.hiddenSize)
  }
  return manifest
}

/** Whether `steerlm.json` names the scheme that `config.json` describes. */
export function checkScheme(dir: string, manifest: ModelManifest, config: ModelConfig): void {
  const named = manifest.quantization
  const found = config.quantization ? schemeOf(config.quantization) : 'floats'
  const expected = named === undefined || named.startsWith('f') ? 'floats' : named
  // A folder without a manifest of ours, or with an older one, says nothing.
  if (found === expected || named === undefined) return
  const path = join(dir, 'steerlm.json')
  fail('BAD_CHECKPOINT', `${path}: quantization "${named}", but config.json describes ${found}`)
}

const schemeOf = ({ bits, vocabularyBits }: NonNullable<ModelConfig['quantization']>): string =>
  bits === 4 && vocabularyBits === 4 ? 'q4-all' : `q${bits}`

async function checkHead(path: string, attributes: number, hiddenSize: number): Promise<void> {
  const file = await openSafetensors(path)
  try {
    const shape = file.tensors.get('weight')?.shape ?? []
    if (shape.join() === `${attributes},${hiddenSize}`) return
    const expected = `expected [${attributes}, ${hiddenSize}], file has [${shape}]`
    fail('BAD_CHECKPOINT', `${path}: weight: ${expected}`)
  } finally {
    await file.close()
  }
}
