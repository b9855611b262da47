/** Qwen 2 and 2.5: Llama with biases on q, k and v. (Yang et al. 2024) */
import { attention } from './blocks/attention.ts'
import { preNormLayer } from './blocks/layers.ts'
import { gatedMlp } from './blocks/mlp.ts'
import { baseConfig } from './config/base.ts'
import { windowFromLayer } from './config/windows.ts'
import { decoder } from './decoder.ts'

export const qwen2 = decoder({
  names: ['Qwen2ForCausalLM'],
  configure: (source) =>
    windowFromLayer(source, { ...baseConfig(source, { kvHeads: 32 }), qkvBias: true }),
  layer: preNormLayer(attention(), gatedMlp),
})
