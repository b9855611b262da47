/**
 * Gemma 2: norms around both halves of a layer, every other layer local, soft-capped scores and
 * logits, scaled embeddings, GELU. (Gemma Team 2024)
 */
import { z } from 'zod'
import { attention } from './blocks/attention.ts'
import { sandwichNormLayer } from './blocks/layers.ts'
import { gatedMlp } from './blocks/mlp.ts'
import { readFields } from './config/fields.ts'
import { gemmaConfig } from './config/gemma.ts'
import { decoder } from './decoder.ts'

const gemma2Fields = z.object({ attn_logit_softcapping: z.number().positive().nullish() })
const defaults = { kvHeads: 4, logitSoftcap: 30, slides: (layer: number) => layer % 2 === 0 }

export const gemma2 = decoder({
  names: ['Gemma2ForCausalLM'],
  configure(source) {
    const { attn_logit_softcapping: attentionSoftcap = 50 } = readFields(source, gemma2Fields)
    return { ...gemmaConfig(source, defaults), attentionSoftcap }
  },
  layer: sandwichNormLayer(attention(), gatedMlp),
})
