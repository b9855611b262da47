/** Phi-3, Phi-4 and their mini models: fused q, k, v and gate, up; LongRoPE. (Abdin et al. 2024) */
import { fusedAttention } from './blocks/attention.ts'
import { preNormLayer } from './blocks/layers.ts'
import { fusedGatedMlp } from './blocks/mlp.ts'
import { baseConfig } from './config/base.ts'
import { windowEverywhere } from './config/windows.ts'
import { decoder } from './decoder.ts'

const rope = {
  /** Older checkpoints call LongRoPE by these names. */
  aliases: { su: 'longrope', yarn: 'longrope' },
  partial: true,
  originalMaxPositions: 4096,
}

export const phi3 = decoder({
  names: ['Phi3ForCausalLM'],
  configure: (source) =>
    windowEverywhere(source, baseConfig(source, { normEps: 1e-5, rope }), null),
  layer: preNormLayer(fusedAttention, fusedGatedMlp),
})
