/** Whether a model folder can be served, as far as reading without loading tells. */
import { join } from 'node:path'
import type { ModelManifest } from '../../schemas/model-manifest.ts'
import { openModel } from '../arch/index.ts'
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
  if (manifest.kind === 'attribute-model') {
    await checkHead(join(dir, 'head.safetensors'), manifest.attributes.length, config.hiddenSize)
  }
  return manifest
}

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
