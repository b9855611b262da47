/**
 * `quantization_config` of folders that steerlm quantised. Other tools see the method's name and refuse
 * such a folder instead of misreading it, as theirs are refused here.
 */
import { z } from 'zod'
import { BLOCK_SIZE } from '../../weights/block-layout.ts'
import type { Quantization } from '../model-config.ts'
import { malformed, unsupported, type ConfigSource } from './fields.ts'

const METHOD = 'steerlm'

const bits = z.union([z.literal(4), z.literal(8)])
const fields = z.strictObject({
  quant_method: z.literal(METHOD),
  bits,
  vocabulary_bits: bits,
  block_size: z.literal(BLOCK_SIZE),
})

/** As it stands in `config.json`. */
export const quantizationFields = (quantization: Quantization): z.infer<typeof fields> => ({
  quant_method: METHOD,
  bits: quantization.bits,
  vocabulary_bits: quantization.vocabularyBits,
  block_size: BLOCK_SIZE,
})

export function readQuantization(source: ConfigSource, raw: unknown): Quantization | null {
  if (raw === undefined || raw === null) return null
  const method = (raw as { quant_method?: unknown }).quant_method
  if (method !== METHOD)
    unsupported(source, 'quantization_config', [
      'weights in F32, F16 or BF16',
      'folders written by steerlm import --quantize',
    ])
  const parsed = fields.safeParse(raw)
  if (parsed.success) return { bits: parsed.data.bits, vocabularyBits: parsed.data.vocabulary_bits }
  const issue = parsed.error.issues[0]!
  const path = ['quantization_config', ...issue.path].join('.')
  return malformed(source, `${path}: ${issue.message}`)
}
