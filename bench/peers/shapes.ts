/** Checkpoints of known shapes with random weights, for speed: what is computed does not depend on the values. */
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { architectureOf } from '../../src/arch/architectures.ts'
import { readModelConfig } from '../../src/arch/index.ts'
import { createRandom } from '../../src/engine/random.ts'
import { writeSafetensors } from '../../src/weights/safetensors-writer.ts'

const common = { hidden_act: 'silu', tie_word_embeddings: true, bos_token_id: 1, eos_token_id: 2 }

/** Fields of `config.json` as published with the models of these names. */
export const shapes = {
  'smollm2-135m': {
    ...common,
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    hidden_size: 576,
    intermediate_size: 1536,
    max_position_embeddings: 8192,
    num_attention_heads: 9,
    num_hidden_layers: 30,
    num_key_value_heads: 3,
    rms_norm_eps: 1e-5,
    rope_theta: 100_000,
    vocab_size: 49_152,
  },
  'qwen2.5-0.5b': {
    ...common,
    architectures: ['Qwen2ForCausalLM'],
    model_type: 'qwen2',
    hidden_size: 896,
    intermediate_size: 4864,
    max_position_embeddings: 32_768,
    num_attention_heads: 14,
    num_hidden_layers: 24,
    num_key_value_heads: 2,
    rms_norm_eps: 1e-6,
    rope_theta: 1_000_000,
    use_sliding_window: false,
    vocab_size: 151_936,
  },
  /** Of no published model: small enough to train all of it on a laptop. */
  'llama-7m': {
    ...common,
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    hidden_size: 256,
    intermediate_size: 688,
    max_position_embeddings: 1024,
    num_attention_heads: 8,
    num_hidden_layers: 8,
    num_key_value_heads: 4,
    rms_norm_eps: 1e-5,
    rope_theta: 10_000,
    vocab_size: 4096,
  },
} as const

export type ShapeName = keyof typeof shapes

/** Uniform values with the spread that training begins with; norms are 1. */
function randomTensor(name: string, size: number, random: () => number): Float32Array {
  const values = new Float32Array(size)
  if (/norm/.test(name)) return values.fill(1)
  for (let i = 0; i < size; i += 1) values[i] = (random() - 0.5) * 0.07
  return values
}

/** Writes the checkpoint to `dir` unless it is there. */
export async function writeShape(name: ShapeName, dir: string): Promise<void> {
  if (existsSync(join(dir, 'model.safetensors'))) return
  await mkdir(dir, { recursive: true })
  await writeFile(join(dir, 'config.json'), JSON.stringify(shapes[name]))
  const config = await readModelConfig(dir)
  const random = createRandom(1)
  const tensors = [...architectureOf(config).weights(config)].map(([tensor, shape]) => {
    const size = shape.reduce((a, b) => a * b, 1)
    return { name: tensor, dtype: 'F32' as const, shape, data: randomTensor(tensor, size, random) }
  })
  await writeSafetensors(join(dir, 'model.safetensors'), tensors)
}
