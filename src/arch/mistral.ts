/** Mistral: Llama with a sliding window in every layer, where the checkpoint has one. (Jiang et al. 2023) */
import { attention } from './blocks/attention.ts'
import { preNormLayer } from './blocks/layers.ts'
import { gatedMlp } from './blocks/mlp.ts'
import { baseConfig } from './config/base.ts'
import { windowEverywhere } from './config/windows.ts'
import { decoder } from './decoder.ts'

export const mistral = decoder({
  names: ['MistralForCausalLM'],
  configure: (source) => windowEverywhere(source, baseConfig(source, { kvHeads: 8 }), 4096),
  layer: preNormLayer(attention(), gatedMlp),
})
