/** Llama 2 and 3, SmolLM 1 and 2: pre-norm, grouped heads, SwiGLU. (Touvron et al. 2023) */
import { attention } from './blocks/attention.ts'
import { preNormLayer } from './blocks/layers.ts'
import { gatedMlp } from './blocks/mlp.ts'
import { baseConfig, readBiases } from './config/base.ts'
import { decoder } from './decoder.ts'

export const llama = decoder({
  names: ['LlamaForCausalLM'],
  configure: (source) => ({ ...baseConfig(source), ...readBiases(source) }),
  layer: preNormLayer(attention(), gatedMlp),
})
