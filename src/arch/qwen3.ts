/** Qwen 3 (dense): Llama with a norm over every head of q and k. (Yang et al. 2025) */
import { attention } from './blocks/attention.ts'
import { preNormLayer } from './blocks/layers.ts'
import { gatedMlp } from './blocks/mlp.ts'
import { baseConfig, readBiases } from './config/base.ts'
import { windowFromLayer } from './config/windows.ts'
import { decoder } from './decoder.ts'

export const qwen3 = decoder({
  names: ['Qwen3ForCausalLM'],
  configure(source) {
    const base = baseConfig(source, { kvHeads: 32, headDim: 128 })
    return windowFromLayer(source, { ...base, ...readBiases(source), mlpBias: false })
  },
  layer: preNormLayer(attention({ headNorms: true }), gatedMlp),
})
